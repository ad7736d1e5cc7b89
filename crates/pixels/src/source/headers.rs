//! What the headers of single formats say, each beyond what all formats have.
//! Owns no reading; a TIFF's is in `tiff`.

use crate::format::Format;
use crate::heif::cicp::Cicp;
use crate::heif::{Coded, Still};
use crate::picture::Layout;
#[cfg(feature = "svg")]
use resvg::usvg::Tree;

/// What IHDR and its neighbours say of a PNG.
pub(crate) struct PngHeader {
    /// Bits a sample: 1, 2, 4, 8 or 16.
    pub(crate) depth: u8,
    /// 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
    pub(crate) colour_type: u8,
    pub(crate) interlaced: bool,
}

impl PngHeader {
    /// Bytes of one pixel after palettes, low bit depths and tRNS are expanded,
    /// at the depth of the file.
    pub(crate) fn expanded_bytes(&self, layout: Layout) -> u64 {
        let samples = match (self.colour_type, layout) {
            (0 | 4, Layout::Rgba) => 2,
            (_, layout) => layout.channels() as u64,
        };
        samples * if self.depth == 16 { 2 } else { 1 }
    }
}

/// What the chunks of a WebP say.
pub(crate) struct WebpHeader {
    /// Coded without loss (`VP8L`), first frame.
    pub(crate) lossless: bool,
    pub(crate) animated: bool,
}

/// What the blocks of a GIF say.
pub(crate) struct GifHeader {
    /// Pixels of the largest frame, which may be larger than the canvas.
    pub(crate) largest_frame: u64,
}

/// What only AVIF and HEIC have.
pub(crate) struct HeifHeader<'a> {
    pub(crate) still: Still<'a>,
    /// How the samples of the picture are to be read.
    pub(crate) cicp: Cicp,
    /// Whether alpha uses the full range of its samples.
    pub(crate) alpha_full_range: bool,
}

impl HeifHeader<'_> {
    pub(crate) fn format(&self) -> Format {
        match self.still.coded {
            Coded::Av1 => Format::Avif,
            Coded::Hevc => Format::Heic,
        }
    }
}

/// How the pixels of a BMP are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Indices of 1, 2, 4 or 8 bits.
    Indices(u16),
    /// Blue, green, red.
    Bgr,
    /// 16 or 32 bits, little-endian: masks of red, green, blue and alpha.
    Fields { bits: u16, masks: [u32; 4] },
    /// Runs of 8-bit indices.
    Rle8,
    /// Runs of 4-bit indices.
    Rle4,
}

/// Where everything in a BMP lies.
pub(crate) struct BmpHeader {
    pub(crate) packing: Packing,
    pub(crate) top_down: bool,
    /// Offset, number and bytes of the palette's entries: blue, green, red.
    pub(crate) palette: (usize, usize, usize),
    /// Offset of the pixels.
    pub(crate) pixels: usize,
    /// Of an icon: a mask of transparent pixels follows, and the fourth byte of
    /// 32 bits is alpha.
    pub(crate) icon: bool,
}

impl BmpHeader {
    /// Bytes of a stored row, `bits` a pixel, padded to four.
    pub(crate) const fn stride(width: u32, bits: u16) -> u64 {
        (width as u64 * bits as u64).div_ceil(32) * 4
    }

    pub(crate) const fn bits(&self) -> u16 {
        match self.packing {
            Packing::Indices(bits) | Packing::Fields { bits, .. } => bits,
            Packing::Bgr => 24,
            Packing::Rle8 => 8,
            Packing::Rle4 => 4,
        }
    }

    pub(crate) const fn is_run_length(&self) -> bool {
        matches!(self.packing, Packing::Rle8 | Packing::Rle4)
    }

    /// Whether pixels may be transparent.
    pub(super) const fn alpha(&self) -> bool {
        self.icon || matches!(self.packing, Packing::Fields { masks: [_, _, _, 1..=u32::MAX], .. })
    }
}

/// What the header of a JPEG XL codestream says.
#[cfg(feature = "jxl")]
pub(crate) struct JxlHeader {
    /// Channels beside the colours, alpha included.
    pub(crate) extra: usize,
    /// The first frame is made of others, which the decoder must hold.
    pub(crate) composed: bool,
}

/// A drawing that has been interpreted.
#[cfg(feature = "svg")]
pub(crate) struct SvgHeader {
    pub(crate) tree: Box<Tree>,
    /// Bytes of the pictures inside, which the tree holds.
    pub(crate) embedded: u64,
}
