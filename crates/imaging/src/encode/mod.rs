//! From pixels to files, one module a format. Same pixels, same bytes.

pub(crate) mod apng;
pub(crate) mod avif;
mod delta;
pub(crate) mod frames;
pub(crate) mod gif;
pub(crate) mod jxl;
mod palette;
pub(crate) mod png;
pub(crate) mod webp;

use crate::Error;
use crate::error::Limit;
use crate::jpeg::{self, AppSegments};
use crate::metadata::Attached;
use crate::picture::{Layout, Picture, Sample};
use crate::plan::geometry::Size;
use crate::recipe::{Format, Output, Quality};
use crate::source::at_most;

/// Refuses a print with a side that its format cannot write down.
pub(crate) fn fits(format: Format, size: Size) -> Result<(), Error> {
    let (most, what) = match format {
        Format::Jpeg => (65_500, "the longer side of a JPEG print"),
        Format::Webp => (16_383, "the longer side of a WebP print"),
        Format::Gif => (65_535, "the longer side of a GIF print"),
        Format::Avif => (65_535, "the longer side of an AVIF print"),
        _ => (i32::MAX as u64, "the longer side of a print"),
    };
    at_most(Limit::Format, what, size.width.max(size.height).into(), most, "pixels")
}

/// Effort of JPEG XL, of 9, where the recipe does not say.
const JXL_EFFORT: u8 = 4;

/// Encodes one still picture as `output` wants it, flattened where the format
/// has no alpha.
pub(crate) fn still<S: Sample>(
    picture: &Picture<S>,
    format: Format,
    quality: u8,
    output: &Output,
    attached: &Attached,
) -> Result<Vec<u8>, Error> {
    if format == Format::Png {
        let usual = png::Options::default();
        let effort = output.effort.unwrap_or(usual.effort);
        return png::encode(picture, png::Options { effort, colours: output.colours, ..usual }, attached);
    }
    if format == Format::Avif {
        return avif::encode(picture, &avif::Settings::of(quality, output.effort, attached));
    }
    if format == Format::Jxl {
        let quality = if output.lossless { 100 } else { quality };
        return jxl::encode(picture, quality, output.effort.unwrap_or(JXL_EFFORT), attached);
    }
    let picture = &*S::eight(picture);
    match format {
        Format::Jpeg => {
            let picture = picture.flattened(output.background.rgba);
            jpeg::encode_rgb(
                &picture.pixels,
                picture.layout.channels(),
                picture.size.width,
                picture.size.height,
                jpeg::Settings::of(quality, output.effort),
                jpeg::subsampling_for(quality),
                segments(attached),
            )
        }
        Format::Webp => webp::encode(picture, webp::Settings::of(quality, output), attached),
        Format::Gif => gif::encode_still(picture.clone()),
        other => Err(Error::Codec { format: other.title(), detail: "it is not written".into() }),
    }
}

/// Metadata for a JPEG; what is too long for a segment stays behind.
pub(crate) fn segments(attached: &Attached) -> AppSegments<'_> {
    let all = AppSegments {
        exif: attached.exif.as_deref(),
        icc: attached.icc.as_deref(),
        xmp: attached.xmp.as_deref(),
    };
    let plain = AppSegments { xmp: None, exif: None, ..all };
    let candidates = [all, AppSegments { xmp: None, ..all }, AppSegments { exif: None, ..all }, plain];
    candidates.into_iter().find(AppSegments::fits).unwrap_or_default()
}

/// Bytes that [`still`] takes beyond the picture given to it, the encoded file
/// included.
///
/// Generous estimates, not derived from the codecs' sources: a test holds whole
/// jobs against them. An output that grows is counted more than once, for the
/// moment in which it is copied.
pub(crate) fn memory(
    format: Format,
    size: Size,
    layout: Layout,
    quality: Quality,
    effort: Option<u8>,
) -> u64 {
    let pixels = size.pixels();
    let raw = pixels * layout.channels() as u64;
    let encoder = match format {
        Format::Jpeg => {
            let flattened = if layout == Layout::Rgba { pixels * 3 } else { 0 };
            let small = matches!(quality, Quality::Fixed(quality) if quality < 90);
            let file = pixels * if small { 1 } else { 3 };
            flattened + 3 * file
        }
        // Indices or filtered rows, and a file as large as the samples.
        Format::Png => 4 * raw,
        // YUV or ARGB, alpha, tokens and reconstruction, the file.
        Format::Webp => pixels * 10,
        Format::Gif => pixels * 8,
        Format::Avif => {
            let whole = !matches!(quality, Quality::Fixed(quality) if quality < avif::WHOLE_CHROMA);
            avif::memory(pixels, layout, whole)
        }
        Format::Jxl => jxl::memory(pixels, effort.unwrap_or(JXL_EFFORT)),
        _ => pixels * 16,
    };
    encoder + (2 << 20)
}
