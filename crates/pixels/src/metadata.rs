//! What a print carries of its source's metadata. Orientation is
//! never carried: the pixels have been turned. A profile is where the pixels
//! have not been converted.

use crate::exif::{Exif, upright_copy};
use crate::source::Source;

/// Metadata as it is written into a print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// A TIFF structure, without `Exif\0\0`.
    pub exif: Option<Vec<u8>>,
    /// An XMP packet.
    pub xmp: Option<Vec<u8>>,
    /// The ICC profile of a print that is not sRGB.
    pub icc: Option<Vec<u8>>,
}

impl Attached {
    /// Artist and Copyright of `source`, nothing else.
    pub fn credits(source: &Source<'_>) -> Self {
        Self { exif: source.exif.and_then(|bytes| Exif::read(bytes).credits()), ..Self::default() }
    }

    /// All of EXIF, its orientation reset, and XMP of `source`.
    pub fn all(source: &Source<'_>) -> Self {
        Self {
            exif: source.exif.and_then(upright_copy),
            xmp: source.xmp.as_ref().map(|xmp| xmp.to_vec()),
            icc: None,
        }
    }
}
