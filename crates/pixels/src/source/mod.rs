//! A source picture by its header: what it is, how large, how it is turned and
//! coloured. Read without allocating for pixels, and held against the limits
//! that a header can break before anything else happens.

pub(crate) mod bmp;
pub(crate) mod gif;
mod headers;
pub(crate) mod heif;
pub(crate) mod ico;
#[cfg(feature = "jxl")]
pub(crate) mod jxl;
mod model;
pub(crate) mod png;
pub(crate) mod qoi;
mod shared;
#[cfg(feature = "svg")]
pub(crate) mod svg;
pub(crate) mod tiff;
pub(crate) mod webp;

pub(crate) use model::Kind;
pub use model::{Header, Source};
pub(crate) use shared::LARGEST_PROFILE;

use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::format::Format;
use crate::geometry::Size;
use crate::jpeg;
use crate::picture::{Depth, Layout};
use crate::sniff::sniff;
use crate::{Error, Limits};
#[cfg(any(not(feature = "jxl"), not(feature = "svg")))]
use shared::left_out;
use shared::turned_by;
use std::borrow::Cow;

impl<'a> Source<'a> {
    /// Reads the header and checks the limits on bytes, sides, pixels and frames.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        at_most(Limit::InputBytes, "the file", bytes.len() as u64, limits.input_bytes, "bytes")?;
        let source = match sniff(bytes)? {
            Format::Jpeg => {
                let mut header = jpeg::header(bytes)?;
                let icc = header.icc.take();
                Self {
                    bytes,
                    stored: Size::new(header.width, header.height),
                    orientation: turned_by(header.exif),
                    frames: 1,
                    depth: Depth::Eight,
                    layout: if header.components == 1 { Layout::Grey } else { Layout::Rgb },
                    colour: icc.map_or(ColourSpace::Srgb, |icc| ColourSpace::Icc(Cow::Owned(icc))),
                    exif: header.exif,
                    xmp: header.xmp.map(Cow::Borrowed),
                    kind: Kind::Jpeg(header),
                }
            }
            Format::Png => png::read(bytes)?,
            Format::Webp => webp::read(bytes)?,
            Format::Gif => gif::read(bytes, limits)?,
            Format::Avif | Format::Heic => heif::read(bytes, limits)?,
            Format::Tiff => tiff::read(bytes, limits)?,
            Format::Bmp => bmp::read(bytes)?,
            Format::Ico => ico::read(bytes)?,
            Format::Qoi => qoi::read(bytes)?,
            #[cfg(feature = "jxl")]
            Format::Jxl => jxl::read(bytes, limits)?,
            #[cfg(feature = "svg")]
            Format::Svg => svg::read(bytes, limits, inside)?,
            #[cfg(not(feature = "jxl"))]
            Format::Jxl => return Err(left_out(Format::Jxl)),
            #[cfg(not(feature = "svg"))]
            Format::Svg => return Err(left_out(Format::Svg)),
            Format::Json => return Err(Error::NotAnImage { found: "JSON data".to_owned() }),
        };
        let Size { width, height } = source.stored;
        at_most(Limit::Side, "the longer side", u64::from(width.max(height)), limits.side.into(), "pixels")?;
        at_most(Limit::Pixels, "the picture", source.stored.pixels(), limits.pixels, "pixels")?;
        at_most(Limit::Frames, "the animation", source.frames.into(), limits.frames.into(), "frames")?;
        at_most(Limit::Memory, "its colour profile", source.profile(), LARGEST_PROFILE as u64, "bytes")?;
        Ok(source)
    }
}

/// The format and pixels of a picture inside a drawing.
#[cfg(feature = "svg")]
fn inside(bytes: &[u8], limits: &Limits) -> Option<(Format, u64)> {
    let source = Source::read(bytes, limits).ok()?;
    Some((source.format(), source.stored.pixels()))
}
