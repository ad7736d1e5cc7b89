//! A source picture by its header: what it is, how large, how it is turned and
//! coloured. Read without allocating for pixels, and held against the limits
//! that a header can break before anything else happens.

pub(crate) mod bmp;
pub(crate) mod gif;
pub(crate) mod heif;
pub(crate) mod ico;
#[cfg(feature = "jxl")]
pub(crate) mod jxl;
pub(crate) mod png;
pub(crate) mod qoi;
#[cfg(feature = "svg")]
pub(crate) mod svg;
pub(crate) mod tiff;
pub(crate) mod webp;

use crate::arriving::{Arriving, Rest};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::exif::Exif;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::jpeg;
use crate::picture::{Depth, Layout};
use crate::sniff::sniff;
use crate::{Error, Limits};
use std::borrow::Cow;

/// What a picture's header says, orientation applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format by content, never by name.
    pub format: Format,
    /// Width in pixels as a person sees it (orientation applied).
    pub width: u32,
    /// Height in pixels as a person sees it.
    pub height: u32,
    /// Number of frames; 1 for a still.
    pub frames: u32,
    /// Carries a gain map that would make it HDR. Prints are made of the
    /// picture without it.
    pub gain_map: bool,
}

/// The parts of a header that only one format has.
pub(crate) enum Kind<'a> {
    Jpeg(jpeg::Header<'a>),
    Png(png::PngHeader),
    Webp(webp::WebpHeader),
    Gif(gif::GifHeader),
    Heif(Box<heif::HeifHeader<'a>>),
    Tiff(tiff::TiffHeader<'a>),
    Bmp(bmp::BmpHeader),
    Ico(ico::IcoHeader<'a>),
    Qoi,
    #[cfg(feature = "jxl")]
    Jxl(jxl::JxlHeader),
    #[cfg(feature = "svg")]
    Svg(svg::SvgHeader),
}

/// A picture whose header has been read and is within the limits.
pub struct Source<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// As stored, before orientation.
    pub stored: Size,
    /// What is still to be done to its pixels.
    pub orientation: Orientation,
    /// Number of frames; 1 for a still.
    pub frames: u32,
    /// The most that its samples need.
    pub depth: Depth,
    /// What it decodes to; [`Layout::Rgba`] where it may be transparent.
    pub layout: Layout,
    /// What its samples mean.
    pub colour: ColourSpace<'a>,
    /// A TIFF structure, without `Exif\0\0`.
    pub exif: Option<&'a [u8]>,
    /// An XMP packet.
    pub xmp: Option<Cow<'a, [u8]>>,
    pub(crate) kind: Kind<'a>,
}

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
            Format::Svg => svg::read(bytes, limits)?,
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

    /// Bytes of its colour profile, at most.
    pub fn profile(&self) -> u64 {
        match &self.colour {
            ColourSpace::Icc(profile) => profile.len() as u64,
            ColourSpace::InFile { most } => *most,
            // Made for prints that keep it.
            ColourSpace::Srgb | ColourSpace::Cicp { .. } | ColourSpace::Gamma { .. } => 4 << 10,
        }
    }

    /// Its markers, where it is a JPEG.
    #[inline]
    pub fn jpeg(&self) -> Option<&jpeg::Header<'a>> {
        match &self.kind {
            Kind::Jpeg(header) => Some(header),
            _ => None,
        }
    }

    /// The same picture, of which more bytes are coming behind those that are
    /// there. Only a JPEG is read so.
    #[must_use]
    pub fn arriving(mut self, picture: &'a dyn Arriving) -> Self {
        if let Kind::Jpeg(header) = &mut self.kind {
            header.rest = Some(Rest::new(picture, self.bytes.len()));
        }
        self
    }

    /// The size of the file in bytes, those counted that are still coming.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Jpeg(jpeg::Header { rest: Some(rest), .. }) => rest.size(),
            _ => self.bytes.len() as u64,
        }
    }

    /// Its format by content.
    pub fn format(&self) -> Format {
        match &self.kind {
            Kind::Jpeg(_) => Format::Jpeg,
            Kind::Png(_) => Format::Png,
            Kind::Webp(_) => Format::Webp,
            Kind::Gif(_) => Format::Gif,
            Kind::Heif(header) => header.format(),
            Kind::Tiff(_) => Format::Tiff,
            Kind::Bmp(_) => Format::Bmp,
            Kind::Ico(_) => Format::Ico,
            Kind::Qoi => Format::Qoi,
            #[cfg(feature = "jxl")]
            Kind::Jxl(_) => Format::Jxl,
            #[cfg(feature = "svg")]
            Kind::Svg(_) => Format::Svg,
        }
    }

    /// The size as a person sees it.
    pub fn seen(&self) -> Size {
        self.stored.turned(self.orientation)
    }

    /// What its header says, in plain words.
    pub fn header(&self) -> Header {
        let Size { width, height } = self.seen();
        let gain_map = matches!(&self.kind, Kind::Jpeg(header) if header.gain_map);
        Header { format: self.format(), width, height, frames: self.frames, gain_map }
    }
}

/// The largest colour profile that is read. Those of printers have 2 MB.
pub(crate) const LARGEST_PROFILE: usize = 4 << 20;

/// What is said of a picture in a format that is not [`Format::in_build`].
fn left_out(format: Format) -> Error {
    let feature = "this build of minilab leaves the format out".to_owned();
    Error::Unsupported { format: format.title(), feature }
}

/// The orientation that EXIF bytes ask for.
fn turned_by(exif: Option<&[u8]>) -> Orientation {
    exif.map_or(Orientation::UPRIGHT, |bytes| Exif::read(bytes).orientation)
}

/// What the tiles of a picture of `size` may have together where a picture may
/// have `limit` pixels: they stand out over it by a row and a column of them.
fn tiled_limit(limit: u64, size: Size, tile: Size) -> u64 {
    let margin = u64::from(size.width) * u64::from(tile.height)
        + u64::from(size.height) * u64::from(tile.width)
        + tile.pixels();
    // A tile far larger than the picture is no margin.
    limit.saturating_add(margin.min(limit))
}
