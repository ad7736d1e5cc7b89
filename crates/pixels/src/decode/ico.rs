//! Pixels of an icon's largest picture, by the decoder of what it is.

use super::{Decoded, bmp, png};
use crate::Error;
use crate::geometry::Scale;
use crate::picture::Depth;
use crate::source::Kind;
use crate::source::ico::IcoHeader;

/// Decodes the largest picture.
pub(crate) fn decode<'a>(header: &IcoHeader<'a>, depth: Depth) -> Result<Decoded<'a>, Error> {
    match &header.entry.kind {
        Kind::Png(png) => png::decode(&header.entry, png, Scale::Full, depth),
        Kind::Bmp(bmp) => bmp::decode(&header.entry, bmp),
        _ => Err(Error::Codec { format: "ICO", detail: "an entry of another format".into() }),
    }
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted.
pub(crate) fn memory(header: &IcoHeader<'_>, depth: Depth) -> u64 {
    match &header.entry.kind {
        Kind::Png(png) => png::memory(&header.entry, png, Scale::Full, depth),
        Kind::Bmp(bmp) => bmp::memory(&header.entry, bmp),
        _ => 0,
    }
}
