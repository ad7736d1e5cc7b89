//! What the directory of a TIFF's page says: how samples are packed, and where
//! strips and tiles lie. Owns no reading and no bounds; `tiff` checks both.

use super::directory::Values;
use crate::geometry::Size;
use crate::picture::{Depth, Layout};

/// How the bytes of a strip or tile are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    Jpeg,
}

/// What the colour samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Photometric {
    /// 0 is white.
    WhiteIsZero,
    /// 0 is black.
    Grey,
    Rgb,
    Palette,
    /// 0 is no ink.
    Cmyk,
    /// Within JPEG only, where the decoder makes RGB of it.
    YCbCr,
}

impl Photometric {
    /// Colour samples of a pixel, alpha not counted.
    pub(crate) const fn channels(self) -> u16 {
        match self {
            Self::WhiteIsZero | Self::Grey | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

/// How the sample behind the colours covers a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    None,
    /// Colours are multiplied by it.
    Associated,
    Straight,
}

/// The page that is printed.
#[expect(clippy::struct_excessive_bools, reason = "fields of the directory that say yes or no")]
pub(crate) struct TiffHeader<'a> {
    /// Bits a sample, 1 to 16, the same for all.
    pub(crate) bits: u16,
    /// Samples a pixel as stored, unused ones included.
    pub(crate) samples: u16,
    pub(crate) photometric: Photometric,
    pub(crate) alpha: Alpha,
    pub(crate) compression: Compression,
    /// Samples are differences from their left neighbours.
    pub(crate) differenced: bool,
    /// Each channel in strips or tiles of its own.
    pub(crate) planar: bool,
    /// Bits fill a byte from its low end.
    pub(crate) reversed: bool,
    pub(crate) little: bool,
    /// Width and height of a tile; of a strip the picture's width.
    pub(crate) chunk: Size,
    pub(crate) tiled: bool,
    pub(crate) offsets: Values<'a>,
    /// `None` where one strip goes to the end of the file.
    pub(crate) counts: Option<Values<'a>>,
    /// Red, then green, then blue of each index.
    pub(crate) palette: Option<Values<'a>>,
    pub(crate) jpeg_tables: Option<&'a [u8]>,
}

impl TiffHeader<'_> {
    /// Strips or tiles across, and down.
    pub(crate) fn grid(&self, size: Size) -> (u64, u64) {
        (size.width.div_ceil(self.chunk.width).into(), size.height.div_ceil(self.chunk.height).into())
    }

    /// Samples of a pixel that lie together in a strip or tile.
    pub(crate) fn together(&self) -> u64 {
        if self.planar { 1 } else { self.samples.into() }
    }

    /// Bytes of one unpacked row of a strip or tile, rows beginning on a byte.
    pub(crate) fn row_bytes(&self) -> u64 {
        (u64::from(self.chunk.width) * self.together() * u64::from(self.bits)).div_ceil(8)
    }

    /// CMYK and palettes become 8 bits whatever they were.
    pub(super) fn depth(&self) -> Depth {
        let eight = self.bits <= 8 || matches!(self.photometric, Photometric::Cmyk | Photometric::Palette);
        if eight { Depth::Eight } else { Depth::Sixteen }
    }

    pub(super) fn layout(&self) -> Layout {
        match (self.photometric, self.alpha) {
            (_, Alpha::Associated | Alpha::Straight) => Layout::Rgba,
            (Photometric::Grey | Photometric::WhiteIsZero, Alpha::None) => Layout::Grey,
            _ => Layout::Rgb,
        }
    }

    /// Channels that are kept of a pixel: its colours and alpha.
    pub(crate) fn kept(&self) -> u16 {
        self.photometric.channels() + u16::from(self.alpha != Alpha::None)
    }

    /// Offset and bytes of a strip or tile.
    pub(crate) fn extent(&self, index: u64, file: u64) -> (u64, u64) {
        let start = self.offsets.get(index).unwrap_or(u64::MAX);
        let count = match self.counts {
            Some(counts) => counts.get(index).unwrap_or(u64::MAX),
            None => file.saturating_sub(start),
        };
        (start, count)
    }
}
