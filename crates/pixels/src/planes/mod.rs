//! Pictures as planes of luma and chroma, the way JPEG and WebP store them.
//!
//! Owns: the layout ([`Planes`]), resizing plane by plane (`resize`), many
//! prints of one picture (`prints`), orientation (`orient`) and the ways to and
//! from RGB and WebP's planes (`convert`). Refuses: colour management; samples
//! are full-range BT.601 as in JFIF, in whatever RGB space the source had.

mod convert;
mod orient;
mod prints;
mod resize;
#[cfg(test)]
pub(crate) mod tests;
mod window;

use crate::geometry::Subsampling;

pub(crate) use convert::{WebpPlanes, rgb_to_ycc, to_webp_yuv420, ycc_to_rgb};
pub use prints::{CASCADE, Decoded, Done, MARGIN, Print, first_hand, make_prints, scale_for};
pub(crate) use prints::{cascade, hand_out, of_picture};
pub(crate) use resize::Resizing;
pub use window::Window;

/// One plane of samples, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// Rows of `stride` samples, the first `width` of which count.
    pub samples: &'a [u8],
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Samples from one row to the next.
    pub stride: u32,
}

impl Plane<'_> {
    /// Row `y`, without its padding.
    #[inline]
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.stride as usize;
        &self.samples[start..start + self.width as usize]
    }
}

/// The size of a picture and of each of its planes.
///
/// A chroma plane of a picture w × h has ⌈w / x⌉ columns and ⌈h / y⌉ rows, its
/// first sample centred on the first x × y luma samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns of luma that count.
    pub width: u32,
    /// Rows of luma that count.
    pub height: u32,
    /// The sampling of chroma.
    pub subsampling: Subsampling,
}

impl Shape {
    /// The planes of a picture of `width` × `height` pixels.
    #[inline]
    pub const fn new(width: u32, height: u32, subsampling: Subsampling) -> Self {
        Self { width, height, subsampling }
    }

    /// Columns, rows and stride of plane `index` of [`Planes`].
    #[inline]
    pub fn dimensions(&self, index: usize) -> (u32, u32, u32) {
        let (x, y) = self.subsampling.factors();
        match (index, self.subsampling) {
            (0, _) => (self.width, self.height, self.width.next_multiple_of(x)),
            (_, Subsampling::Gray) => (0, 0, 0),
            _ => (self.width.div_ceil(x), self.height.div_ceil(y), self.width.div_ceil(x)),
        }
    }
}

/// A picture as luma, or luma and two planes of chroma, in one buffer.
///
/// The layout is `TurboJPEG`'s with an alignment of one: luma, Cb, Cr, each
/// row by row; luma rows and columns are padded to a multiple of the sampling
/// factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    shape: Shape,
    samples: Vec<u8>,
}

impl Planes {
    /// Planes with whatever samples `buffer` held.
    pub fn uninitialised(width: u32, height: u32, subsampling: Subsampling, buffer: Vec<u8>) -> Self {
        let mut planes = Self { shape: Shape::new(width, height, subsampling), samples: buffer };
        let length = planes.ranges()[2].1;
        planes.samples.resize(length, 0);
        planes
    }

    /// The sizes of its planes.
    #[inline]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Columns of luma that count.
    #[inline]
    pub const fn width(&self) -> u32 {
        self.shape.width
    }

    /// Rows of luma that count.
    #[inline]
    pub const fn height(&self) -> u32 {
        self.shape.height
    }

    /// The sampling of chroma.
    #[inline]
    pub const fn subsampling(&self) -> Subsampling {
        self.shape.subsampling
    }

    /// All samples, in the layout of the type.
    #[inline]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// All samples, in the layout of the type.
    #[inline]
    pub fn samples_mut(&mut self) -> &mut [u8] {
        &mut self.samples
    }

    /// The buffer, to be reused.
    #[inline]
    pub fn into_buffer(self) -> Vec<u8> {
        self.samples
    }

    /// Plane `index`: 0 luma, 1 Cb, 2 Cr.
    #[inline]
    pub fn plane(&self, index: usize) -> Plane<'_> {
        let (start, end) = self.ranges()[index];
        let (width, height, stride) = self.dimensions(index);
        Plane { samples: &self.samples[start..end], width, height, stride }
    }

    /// The planes apart, luma, Cb, Cr; chroma is empty for grey.
    #[inline]
    pub fn split_mut(&mut self) -> [&mut [u8]; 3] {
        let [luma, cb, _] = self.ranges();
        let (first, rest) = self.samples.split_at_mut(luma.1);
        let (second, third) = rest.split_at_mut(cb.1 - cb.0);
        [first, second, third]
    }

    /// Columns, rows and stride of plane `index`.
    #[inline]
    pub fn dimensions(&self, index: usize) -> (u32, u32, u32) {
        self.shape.dimensions(index)
    }

    #[inline]
    fn ranges(&self) -> [(usize, usize); 3] {
        let (_, y) = self.shape.subsampling.factors();
        let mut at = 0;
        [0, 1, 2].map(|index| {
            let (_, height, stride) = self.dimensions(index);
            let rows = if index == 0 { height.next_multiple_of(y) } else { height };
            let start = at;
            at += stride as usize * rows as usize;
            (start, at)
        })
    }
}
