//! A source picture, and what is asked of its header. Owns the parts that only
//! one format has as one [`Kind`]; refuses to read any.

#[cfg(feature = "jxl")]
use super::headers::JxlHeader;
#[cfg(feature = "svg")]
use super::headers::SvgHeader;
use super::headers::{BmpHeader, GifHeader, HeifHeader, PngHeader, WebpHeader};
use super::tiff::header::TiffHeader;
use crate::arriving::{Arriving, Rest};
use crate::colour::ColourSpace;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::jpeg;
use crate::picture::{Depth, Layout};
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
    Png(PngHeader),
    Webp(WebpHeader),
    Gif(GifHeader),
    Heif(Box<HeifHeader<'a>>),
    Tiff(TiffHeader<'a>),
    Bmp(BmpHeader),
    Ico(IcoHeader<'a>),
    Qoi,
    #[cfg(feature = "jxl")]
    Jxl(JxlHeader),
    #[cfg(feature = "svg")]
    Svg(SvgHeader),
}

/// The picture of an icon that is printed.
pub(crate) struct IcoHeader<'a> {
    /// Of [`Kind::Png`] or [`Kind::Bmp`].
    pub(crate) entry: Box<Source<'a>>,
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
