//! What the readers of several formats share.

use crate::Error;
use crate::exif::Exif;
use crate::format::Format;
use crate::geometry::{Orientation, Size};

/// The largest colour profile that is read. Those of printers have 2 MB.
pub(crate) const LARGEST_PROFILE: usize = 4 << 20;

/// What is said of a picture in a format that is not [`Format::in_build`].
pub(super) fn left_out(format: Format) -> Error {
    let feature = "this build of minilab leaves the format out".to_owned();
    Error::Unsupported { format: format.title(), feature }
}

/// The orientation that EXIF bytes ask for.
pub(super) fn turned_by(exif: Option<&[u8]>) -> Orientation {
    exif.map_or(Orientation::UPRIGHT, |bytes| Exif::read(bytes).orientation)
}

/// What the tiles of a picture of `size` may have together where a picture may
/// have `limit` pixels: they stand out over it by a row and a column of them.
pub(super) fn tiled_limit(limit: u64, size: Size, tile: Size) -> u64 {
    let margin = u64::from(size.width) * u64::from(tile.height)
        + u64::from(size.height) * u64::from(tile.width)
        + tile.pixels();
    // A tile far larger than the picture is no margin.
    limit.saturating_add(margin.min(limit))
}
