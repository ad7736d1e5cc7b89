//! From bytes to pixels, one module a format. Each refuses what is damaged:
//! half a picture is no picture. Colour is converted later.

#[cfg(feature = "avif")]
mod avif;
pub(crate) mod bmp;
mod decoded;
pub mod frames;
pub(crate) mod gif;
#[cfg(feature = "heic")]
mod heic;
pub(crate) mod heif;
pub(crate) mod ico;
pub(crate) mod jpeg;
#[cfg(feature = "jxl")]
pub(crate) mod jxl;
pub(crate) mod png;
pub(crate) mod qoi;
mod reduce;
#[cfg(feature = "svg")]
pub(crate) mod svg;
pub(crate) mod tiff;
pub(crate) mod webp;

pub use decoded::{Coming, Decoded, Outlet, STRIP};
pub use jpeg::model;

use crate::Error;
use crate::format::Format;
use crate::geometry::{CropBox, Scale, Size};
use crate::picture::{Depth, Picture};
use crate::source::{Kind, Source};

/// Whether [`still`] takes a scale other than full.
pub fn reduces(source: &Source<'_>) -> bool {
    match &source.kind {
        Kind::Jpeg(_) => true,
        Kind::Png(header) => !header.interlaced && source.frames == 1,
        Kind::Tiff(header) => tiff::reduces(header),
        _ => false,
    }
}

/// Decodes the picture (the first frame of an animation) with at most `depth`
/// bits a sample, at `scale` where it [`reduces`], else in full.
pub fn still<'a>(source: &Source<'a>, scale: Scale, depth: Depth) -> Result<Decoded<'a>, Error> {
    match &source.kind {
        Kind::Jpeg(header) => jpeg::decode(source, header, scale),
        Kind::Png(header) => png::decode(source, header, scale, depth),
        Kind::Webp(header) => webp::decode(source, header),
        Kind::Gif(header) => gif::decode(source, header),
        Kind::Heif(header) => heif::decode(source, header, depth),
        Kind::Tiff(header) => tiff::decode(source, header, scale, depth),
        Kind::Bmp(header) => bmp::decode(source, header),
        Kind::Ico(header) => ico::decode(header, depth),
        Kind::Qoi => qoi::decode(source),
        #[cfg(feature = "jxl")]
        Kind::Jxl(header) => jxl::decode(source, header, depth),
        #[cfg(feature = "svg")]
        Kind::Svg(header) => {
            let picture = crate::picture::AnyPicture::Eight(svg::rasterise(header, source.stored)?);
            Ok(Decoded { picture, colour: crate::colour::ColourSpace::Srgb })
        }
    }
}

/// Whether the picture has no pixels that could be scaled: it is [`drawn`] for
/// each print.
pub fn is_drawing(source: &Source<'_>) -> bool {
    source.format() == Format::Svg
}

/// The part `crop` of a picture that [`is_drawing`], drawn at `scaled`.
#[cfg_attr(not(feature = "svg"), expect(unused_variables, reason = "nothing else is drawn"))]
pub fn drawn(source: &Source<'_>, crop: CropBox, scaled: Size) -> Result<Picture, Error> {
    match &source.kind {
        #[cfg(feature = "svg")]
        Kind::Svg(header) => svg::part(header, source.stored, crop, scaled),
        _ => Err(Error::Codec { format: source.format().title(), detail: "it is not drawn".into() }),
    }
}

/// Bytes that [`drawn`] takes at its peak, the source bytes not counted.
#[cfg_attr(not(feature = "svg"), expect(unused_variables, reason = "nothing else is drawn"))]
pub fn drawn_memory(source: &Source<'_>, crop: CropBox, scaled: Size) -> u64 {
    match &source.kind {
        #[cfg(feature = "svg")]
        Kind::Svg(header) => svg::memory(header, svg::whole(source.stored, crop, scaled)),
        _ => 0,
    }
}

/// Whether [`rows`] can decode the picture.
pub fn flows(source: &Source<'_>) -> bool {
    matches!(source.kind, Kind::Png(_) | Kind::Tiff(_)) && reduces(source)
}

/// Decodes a picture that [`flows`] at `scale` with 8 bits a sample, a few rows
/// at a time. An error after some of them means that they are worth nothing.
pub fn rows<'a>(source: &Source<'a>, scale: Scale, outlet: Outlet<'_, 'a>) -> Result<(), Error> {
    match &source.kind {
        Kind::Png(header) => png::rows(source, header, scale, outlet),
        Kind::Tiff(header) => tiff::rows(source, header, scale, outlet),
        _ => Err(Error::Codec { format: source.format().title(), detail: "it has no rows".into() }),
    }
}

/// Bytes that [`rows`] takes at its peak, the source bytes not counted: what
/// [`still`] takes but for the picture, and the strips that wait.
pub fn rows_memory(source: &Source<'_>, scale: Scale) -> u64 {
    let decoder = match &source.kind {
        Kind::Png(header) => png::rows_memory(source, header, scale),
        Kind::Tiff(header) => tiff::rows_memory(source, header, scale),
        _ => 0,
    };
    let row = u64::from(scale.of(source.stored.width)) * source.layout.channels() as u64;
    decoder + 8 * STRIP as u64 * row
}

/// Bytes that [`still`] takes at its peak, the source bytes not counted.
pub fn memory(source: &Source<'_>, scale: Scale, depth: Depth) -> u64 {
    match &source.kind {
        Kind::Jpeg(header) => jpeg::memory(header, scale),
        Kind::Png(header) => png::memory(source, header, scale, depth),
        Kind::Webp(header) => webp::memory(source, header),
        Kind::Gif(header) => gif::memory(source, header),
        Kind::Heif(header) => heif::memory(source, header, depth),
        Kind::Tiff(header) => tiff::memory(source, header, scale, depth),
        Kind::Bmp(header) => bmp::memory(source, header),
        Kind::Ico(header) => ico::memory(header, depth),
        Kind::Qoi => qoi::memory(source),
        #[cfg(feature = "jxl")]
        Kind::Jxl(header) => jxl::memory(source, header, depth),
        #[cfg(feature = "svg")]
        Kind::Svg(header) => svg::memory(header, source.stored),
    }
}
