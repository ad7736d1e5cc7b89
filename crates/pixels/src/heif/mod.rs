//! HEIF, the container of AVIF and HEIC: which picture of a file is the one
//! that is meant, where its coded bytes lie, and how it is cut, turned,
//! coloured and covered.
//!
//! Owns the boxes (`boxes`, `container`), the resolution of the primary
//! picture (`still`), what its codecs' headers say of size and depth (`av1`,
//! `hevc`), samples as planes and their conversion to RGB (`planar`), and the
//! writing of AVIF (`write`). Refuses what it cannot show whole: overlays,
//! layers, codecs other than AV1 and HEVC.
//!
//! Every length is checked against what holds it, counts are bounded, and no
//! work is more than proportional to the file.
//!
//! Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF), ISO/IEC
//! 23000-22 (MIAF), AVIF 1.1.

pub(crate) mod av1;
mod bits;
mod boxes;
pub(crate) mod cicp;
mod container;
pub(crate) mod hevc;
pub(crate) mod planar;
mod still;
#[cfg(test)]
mod tests;
pub(crate) mod write;

pub(crate) use container::{Container, Kind};
pub(crate) use still::{Coded, Configuration, Layer, Still};

use crate::Error;

/// Why a file has no picture for us; the format's title is added by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes break their format.
    Malformed(String),
    /// A kind that is not read.
    Unsupported(String),
}

impl Fault {
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed(detail.into())
    }

    pub(crate) fn unsupported(feature: impl Into<String>) -> Self {
        Self::Unsupported(feature.into())
    }

    /// The error about a picture in `format`.
    pub(crate) fn of(self, format: &'static str) -> Error {
        match self {
            Self::Malformed(detail) => Error::Malformed { format, detail },
            Self::Unsupported(feature) => Error::Unsupported { format, feature },
        }
    }
}
