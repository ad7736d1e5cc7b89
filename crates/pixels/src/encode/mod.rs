//! From pixels to files, one module a format. Same pixels, same bytes.

pub(crate) mod apng;
#[cfg(feature = "avif")]
pub(crate) mod avif;
mod delta;
mod encoding;
pub mod frames;
pub(crate) mod gif;
#[cfg(feature = "jxl")]
pub(crate) mod jxl;
mod palette;
pub(crate) mod png;
pub(crate) mod webp;

pub use encoding::Encoding;

use crate::Error;
use crate::error::{Limit, at_most};
use crate::format::Format;
use crate::geometry::{Size, Subsampling};
use crate::jpeg::{self, AppSegments};
use crate::metadata::Attached;
use crate::mosaic::{Mosaic, write_jpeg};
use crate::picture::{Layout, Picture, Sample};
use crate::planes::{Planes, to_webp_yuv420};
use crate::quality::Quality;
use std::ops::RangeInclusive;

/// Refuses a print with a side that its format cannot write down.
pub fn fits(format: Format, size: Size) -> Result<(), Error> {
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
#[cfg(feature = "jxl")]
const JXL_EFFORT: u8 = 4;

/// One encoding of a picture, besides its format and the quality that is tried.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// How.
    pub encoding: Encoding,
    /// Metadata that is written into the file.
    pub attached: &'a Attached,
    /// At most so many threads, at least 1; they change no byte.
    pub threads: usize,
}

/// Encodes one still picture as its output wants it, flattened where the format
/// has no alpha.
pub fn still<S: Sample>(
    picture: &Picture<S>,
    format: Format,
    quality: u8,
    job: &Job<'_>,
) -> Result<Vec<u8>, Error> {
    sampled(picture, (format, jpeg::subsampling_for(quality)), quality, job)
}

/// The same with the chroma of a JPEG or AVIF sampled as told.
pub fn sampled<S: Sample>(
    picture: &Picture<S>,
    (format, chroma): (Format, Subsampling),
    quality: u8,
    &Job { encoding, attached, threads }: &Job<'_>,
) -> Result<Vec<u8>, Error> {
    if format == Format::Png {
        let usual = png::Options::default();
        let effort = encoding.effort.unwrap_or(usual.effort);
        return png::encode(picture, png::Options { effort, colours: encoding.colours, ..usual }, attached);
    }
    #[cfg(feature = "avif")]
    if format == Format::Avif {
        let settings =
            avif::Settings { chroma, ..avif::Settings::of(quality, encoding.effort, attached, threads) };
        return avif::encode(picture, &settings);
    }
    #[cfg(feature = "jxl")]
    if format == Format::Jxl {
        let quality = if encoding.lossless { 100 } else { quality };
        return jxl::encode(picture, quality, encoding.effort.unwrap_or(JXL_EFFORT), attached);
    }
    let picture = &*S::eight(picture);
    match format {
        Format::Jpeg => {
            let picture = picture.flattened(encoding.background);
            jpeg::encode_rgb(
                &picture.pixels,
                picture.layout.channels(),
                picture.size.width,
                picture.size.height,
                jpeg::Settings::of(quality, encoding.effort),
                chroma,
                segments(attached),
            )
        }
        Format::Webp => webp::encode(picture, webp::Settings::of(quality, &encoding, threads), attached),
        Format::Gif => gif::encode_still(picture.clone()),
        other => Err(Error::Codec { format: other.title(), detail: "it is not written".into() }),
    }
}

/// Encodes a picture that is in planes, where the format's encoder takes them.
/// Nothing is flattened or converted, and a print without loss is not made of
/// planes.
pub fn planar(
    planes: &Planes,
    format: Format,
    quality: u8,
    &Job { encoding, attached, threads }: &Job<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    match format {
        Format::Jpeg => {
            let settings = jpeg::Settings::of(quality, encoding.effort);
            jpeg::encode_planes(planes, settings, segments(attached)).map(Some)
        }
        Format::Webp => {
            let settings = webp::Settings::of(quality, &encoding, threads);
            webp::encode_planes(&to_webp_yuv420(planes)?, settings, attached).map(Some)
        }
        #[cfg(feature = "avif")]
        Format::Avif => {
            let settings = avif::Settings::of(quality, encoding.effort, attached, threads);
            avif::encode_planes(planes, &settings).map(Some)
        }
        _ => Ok(None),
    }
}

/// Writes a mosaic without alpha as a JPEG, without ever holding its pixels.
pub fn mosaic(mosaic: &Mosaic, quality: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
    write_jpeg(mosaic, quality, jpeg::subsampling_for(quality), segments(attached))
}

/// Metadata for a JPEG; what is too long for a segment stays behind.
fn segments(attached: &Attached) -> AppSegments<'_> {
    let all = AppSegments {
        exif: attached.exif.as_deref(),
        icc: attached.icc.as_deref(),
        xmp: attached.xmp.as_deref(),
    };
    let plain = AppSegments { xmp: None, exif: None, ..all };
    let candidates = [all, AppSegments { xmp: None, ..all }, AppSegments { exif: None, ..all }, plain];
    candidates.into_iter().find(AppSegments::fits).unwrap_or_default()
}

/// What is searched for a print that scores `target`, one after the other until
/// one holds it: how chroma is sampled, and which qualities. From quality 90 on
/// chroma is whole, a leap of up to ten points for a picture of fine colours;
/// between its ends lies whole chroma of a lower quality. An AVIF of a higher one
/// may take twice the memory, and no middling score needs it.
pub fn searches(format: Format, target: f64) -> Vec<(Subsampling, RangeInclusive<u8>)> {
    match format {
        Format::Avif if target <= 85.0 => vec![(Subsampling::S420, 1..=89), (Subsampling::S444, 30..=89)],
        Format::Jpeg | Format::Avif => vec![(Subsampling::S420, 1..=89), (Subsampling::S444, 30..=100)],
        _ => vec![(Subsampling::S420, 1..=100)],
    }
}

/// Bytes that [`still`] takes beyond the picture given to it, the encoded file
/// included.
///
/// Upper bounds by measurement on noise, of which every encoder makes the most:
/// a test holds whole jobs against them. An output that grows is counted more
/// than once, for the moment in which it is copied.
pub fn memory(format: Format, size: Size, layout: Layout, encoding: &Encoding) -> u64 {
    let pixels = size.pixels();
    let raw = pixels * layout.channels() as u64;
    let worst = match encoding.quality {
        Quality::Fixed(quality) => (jpeg::subsampling_for(quality), quality),
        Quality::Auto { target } => searches(format, target)
            .pop()
            .map_or((Subsampling::S444, 100), |(chroma, range)| (chroma, *range.end())),
    };
    let (_, most) = worst;
    let encoder = match format {
        Format::Jpeg => {
            let flattened = if layout == Layout::Rgba { pixels * 3 } else { 0 };
            let file = pixels * if most < 90 { 1 } else { 3 };
            flattened + 3 * file
        }
        // Indices or filtered rows, and a file as large as the samples.
        Format::Png => 4 * raw + encoding.colours.map_or(0, |_| palette::memory(pixels)),
        Format::Webp => webp::memory(pixels, layout, webp::Settings::of(most, encoding, 1)),
        Format::Gif => gif::memory(pixels),
        #[cfg(feature = "avif")]
        Format::Avif => avif::memory(pixels, layout, worst),
        #[cfg(feature = "jxl")]
        Format::Jxl => jxl::memory(pixels, encoding.effort.unwrap_or(JXL_EFFORT)),
        _ => pixels * 16,
    };
    encoder + (2 << 20)
}
