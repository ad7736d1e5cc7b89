//! From bytes to pixels, one module a format. Each refuses what is damaged:
//! half a picture is no picture. Colour is converted later.

mod avif;
pub(crate) mod bmp;
pub(crate) mod frames;
pub(crate) mod gif;
#[cfg(feature = "heic")]
mod heic;
pub(crate) mod heif;
pub(crate) mod ico;
pub(crate) mod jpeg;
pub(crate) mod jxl;
pub(crate) mod png;
pub(crate) mod qoi;
mod reduce;
pub(crate) mod svg;
pub(crate) mod tiff;
pub(crate) mod webp;

use crate::Error;
use crate::colour::ColourSpace;
use crate::jpeg::Scale;
use crate::picture::{AnyPicture, Depth};
use crate::source::{Kind, Source};

/// A decoded picture, as stored: not turned.
pub(crate) struct Decoded<'a> {
    pub(crate) picture: AnyPicture,
    /// What its samples mean; never [`ColourSpace::InFile`].
    pub(crate) colour: ColourSpace<'a>,
}

/// Whether [`still`] takes a scale other than full.
pub(crate) fn reduces(source: &Source<'_>) -> bool {
    match &source.kind {
        Kind::Jpeg(_) => true,
        Kind::Png(header) => !header.interlaced && source.frames == 1,
        Kind::Tiff(header) => tiff::reduces(header),
        _ => false,
    }
}

/// Decodes the picture (the first frame of an animation) with at most `depth`
/// bits a sample, at `scale` where it [`reduces`], else in full.
pub(crate) fn still<'a>(source: &Source<'a>, scale: Scale, depth: Depth) -> Result<Decoded<'a>, Error> {
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
        Kind::Jxl(header) => jxl::decode(source, header, depth),
        Kind::Svg(header) => {
            let picture = AnyPicture::Eight(svg::rasterise(header, source.stored)?);
            Ok(Decoded { picture, colour: ColourSpace::Srgb })
        }
    }
}

/// Bytes that [`still`] takes at its peak, the source bytes not counted.
pub(crate) fn memory(source: &Source<'_>, scale: Scale, depth: Depth) -> u64 {
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
        Kind::Jxl(header) => jxl::memory(source, header, depth),
        Kind::Svg(header) => svg::memory(header, source.stored),
    }
}
