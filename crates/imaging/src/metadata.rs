//! What a print carries of its source's metadata. Orientation is
//! never carried: the pixels have been turned. A profile is where the pixels
//! have not been converted.

use crate::exif::{Exif, upright_copy};
use crate::recipe::Metadata;
use crate::source::Source;

/// Metadata as it is written into a print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attached {
    /// A TIFF structure, without `Exif\0\0`.
    pub(crate) exif: Option<Vec<u8>>,
    /// An XMP packet.
    pub(crate) xmp: Option<Vec<u8>>,
    /// The ICC profile of a print that is not sRGB.
    pub(crate) icc: Option<Vec<u8>>,
}

impl Attached {
    /// What `choice` keeps of `source`.
    pub(crate) fn of(source: &Source<'_>, choice: Metadata) -> Self {
        match choice {
            Metadata::None => Self::default(),
            Metadata::Copyright => {
                Self { exif: source.exif.and_then(|bytes| Exif::read(bytes).credits()), ..Self::default() }
            }
            Metadata::All => Self {
                exif: source.exif.and_then(upright_copy),
                xmp: source.xmp.as_ref().map(|xmp| xmp.to_vec()),
                icc: None,
            },
        }
    }
}
