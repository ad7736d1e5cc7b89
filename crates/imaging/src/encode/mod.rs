//! From pixels to files, one module a format. Same pixels, same bytes.

pub(crate) mod gif;
pub(crate) mod png;
pub(crate) mod webp;

use crate::Error;
use crate::error::Limit;
use crate::jpeg::{self, AppSegments};
use crate::metadata::Attached;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::recipe::{Format, Output};
use crate::source::at_most;

/// Refuses a print with a side that its format cannot write down.
pub(crate) fn fits(format: Format, size: Size) -> Result<(), Error> {
    let (most, what) = match format {
        Format::Jpeg => (65_500, "the longer side of a JPEG print"),
        Format::Webp => (16_383, "the longer side of a WebP print"),
        Format::Gif => (65_535, "the longer side of a GIF print"),
        Format::Png => (i32::MAX as u64, "the longer side of a PNG print"),
    };
    at_most(Limit::Side, what, size.width.max(size.height).into(), most, "pixels")
}

/// Encodes one still picture as `output` wants it, flattened where the format
/// has no alpha.
pub(crate) fn still(
    picture: &Picture,
    format: Format,
    output: &Output,
    attached: &Attached,
) -> Result<Vec<u8>, Error> {
    match format {
        Format::Jpeg => {
            let picture = picture.flattened(output.background.rgba);
            jpeg::encode_rgb(
                &picture.pixels,
                picture.layout.channels(),
                picture.size.width,
                picture.size.height,
                output.quality,
                jpeg::subsampling_for(output.quality),
                segments(attached),
            )
        }
        Format::Png => png::encode(picture, attached),
        Format::Webp => webp::encode(picture, output.quality, attached),
        Format::Gif => gif::encode_still(picture.clone()),
    }
}

/// Metadata for a JPEG; what is too long for a segment stays behind.
pub(crate) fn segments(attached: &Attached) -> AppSegments<'_> {
    let all = AppSegments { exif: attached.exif.as_deref(), icc: None, xmp: attached.xmp.as_deref() };
    let candidates = [all, AppSegments { xmp: None, ..all }, AppSegments { exif: None, ..all }];
    candidates.into_iter().find(AppSegments::fits).unwrap_or_default()
}

/// Bytes that [`still`] takes beyond the picture given to it, the encoded file
/// included.
///
/// Generous estimates, not derived from the codecs' sources: a test holds whole
/// jobs against them. An output that grows is counted more than once, for the
/// moment in which it is copied.
pub(crate) fn memory(format: Format, size: Size, layout: Layout, quality: u8) -> u64 {
    let pixels = size.pixels();
    let raw = pixels * layout.channels() as u64;
    let encoder = match format {
        Format::Jpeg => {
            let flattened = if layout == Layout::Rgba { pixels * 3 } else { 0 };
            let file = pixels * if quality < 90 { 1 } else { 3 };
            flattened + 3 * file
        }
        // Indices or filtered rows, and a file as large as the samples.
        Format::Png => 4 * raw,
        // YUV or ARGB, alpha, tokens and reconstruction, the file.
        Format::Webp => pixels * 10,
        Format::Gif => pixels * 8,
    };
    encoder + (2 << 20)
}
