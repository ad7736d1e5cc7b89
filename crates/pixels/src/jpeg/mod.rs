//! JPEG in and out over libjpeg-turbo, but for the baseline that cameras write.
//!
//! Owns: what a JPEG's markers say (`markers`), decoding to planes, RGB or CMYK
//! with DCT scaling (`decode`), the rows of plain baseline pictures as they come
//! (`baseline`), prints made of those rows (`stream`), and encoding (`encode`).
//! Refuses: truncated and corrupt entropy data (libjpeg would paint it grey and
//! carry on), lossless and 12-bit pictures, more scans than `MAX_SCANS`.

mod baseline;
mod decode;
mod encode;
mod markers;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub use baseline::Scan;
#[cfg(test)]
pub(crate) use decode::turbo;
pub use decode::{decode_by_libjpeg, decode_planes};
pub(crate) use decode::{decode_cmyk, decode_grey, decode_rgb};
pub use encode::subsampling_for;
pub(crate) use encode::{AppSegments, Settings, encode_planes, encode_rgb};
pub use markers::{Color, Header, header};
pub use stream::{rows_wanted, stream_prints};

use crate::Error;

/// The place, row by row, of each coefficient of a block in the order in which
/// they are coded (T.81 figure A.6).
pub(crate) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A [`Error::Malformed`] for this format.
fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "JPEG", detail: detail.into() }
}

/// A [`Error::Codec`] for this format.
fn codec(error: &turbojpeg::Error) -> Error {
    Error::Codec { format: "JPEG", detail: error.to_string() }
}
