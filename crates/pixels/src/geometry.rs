//! Sizes, parts and turns of pictures, as plain values.
//!
//! Owns what every other module says of where pixels lie and how many there are.
//! Refuses codecs, recipes and pictures themselves; the one thing done with
//! samples here is to put them in another order.

use serde::Serialize;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// `width` × `height` pixels.
    #[inline]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// How many pixels that is.
    #[inline]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The size with the same shape whose longer side is at most `longest`; each
    /// side is rounded and at least 1.
    #[must_use]
    pub fn within(self, longest: u32) -> Self {
        let scale = (f64::from(longest) / f64::from(self.width.max(self.height))).min(1.0);
        let side = |side: u32| (f64::from(side) * scale).round().max(1.0) as u32;
        Self::new(side(self.width), side(self.height))
    }

    /// The size once turned; the size before turning of one turned.
    #[must_use]
    #[inline]
    pub const fn turned(self, orientation: Orientation) -> Self {
        let (width, height) = orientation.size(self.width, self.height);
        Self { width, height }
    }
}

/// A rectangle of whole pixels within a picture, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width and height.
    pub size: Size,
}

impl Rectangle {
    /// The whole of a picture.
    #[inline]
    pub const fn of(size: Size) -> Self {
        Self { x: 0, y: 0, size }
    }
}

/// A part of a picture, in pixels of luma; edges may lie within a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CropBox {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl CropBox {
    /// The whole of a `width` × `height` picture.
    #[inline]
    pub fn whole(width: u32, height: u32) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// The same part of the picture at `factor` times its size.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            left: self.left * factor,
            top: self.top * factor,
            width: self.width * factor,
            height: self.height * factor,
        }
    }

    /// The whole of a picture.
    #[inline]
    pub fn of(size: Size) -> Self {
        Self::whole(size.width, size.height)
    }

    /// The same part of the picture when it is held in `held` pixels, each of
    /// which stands for `step` × `step`. Those at the far edges may stand for
    /// fewer: `held` was rounded up.
    #[must_use]
    pub fn held(self, step: u32, held: Size) -> Self {
        let scale = 1.0 / f64::from(step);
        // Rounding may put the far edge a hair outside.
        let left = (self.left * scale).min(f64::from(held.width));
        let top = (self.top * scale).min(f64::from(held.height));
        Self {
            left,
            top,
            width: (self.width * scale).min(f64::from(held.width) - left),
            height: (self.height * scale).min(f64::from(held.height) - top),
        }
    }

    /// The stored rectangle that is seen as `self` once a picture of `stored`
    /// pixels has been turned by `orientation`.
    #[must_use]
    pub fn before(mut self, orientation: Orientation, stored: Size) -> Self {
        let (width, height) = orientation.size(stored.width, stored.height);
        if orientation.flip_x {
            self.left = (f64::from(width) - self.left - self.width).max(0.0);
        }
        if orientation.flip_y {
            self.top = (f64::from(height) - self.top - self.height).max(0.0);
        }
        if orientation.transpose {
            self = Self { left: self.top, top: self.left, width: self.height, height: self.width };
        }
        self
    }
}

/// Side of the tiles in which planes are transposed, so that the lines of both
/// stay in the cache.
const TILE: usize = 32;

/// What must be done to stored pixels so that they stand upright: transpose
/// first, then mirror. The eight orientations of EXIF (tag 0x0112).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Columns become rows.
    pub transpose: bool,
    /// Mirror left to right, after transposing.
    pub flip_x: bool,
    /// Mirror top to bottom, after transposing.
    pub flip_y: bool,
}

impl Orientation {
    /// Nothing to do.
    pub const UPRIGHT: Self = Self { transpose: false, flip_x: false, flip_y: false };

    /// EXIF's value 1–8; anything else is taken as upright, as viewers do.
    pub const fn from_exif(value: u16) -> Self {
        let (transpose, flip_x, flip_y) = match value {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transpose, flip_x, flip_y }
    }

    /// The size of a stored `width` × `height` picture once upright.
    #[inline]
    pub const fn size(self, width: u32, height: u32) -> (u32, u32) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Which stored axes (x, y) run backwards in the upright picture.
    #[inline]
    pub const fn stored_flips(self) -> (bool, bool) {
        if self.transpose { (self.flip_y, self.flip_x) } else { (self.flip_x, self.flip_y) }
    }

    /// Turns `pixels` of `N` samples each, `width` × `height`, upright.
    pub fn apply<S: Copy + Default, const N: usize>(
        self,
        pixels: &[[S; N]],
        width: usize,
        height: usize,
    ) -> Vec<[S; N]> {
        let mut upright = vec![[S::default(); N]; width * height];
        self.apply_into(
            pixels,
            width,
            height,
            width,
            &mut upright,
            self.size(width as u32, height as u32).0 as usize,
        );
        upright
    }

    /// The same between rows with strides, in pixels.
    pub fn apply_into<T: Copy>(
        self,
        from: &[T],
        width: usize,
        height: usize,
        from_stride: usize,
        to: &mut [T],
        to_stride: usize,
    ) {
        let (to_width, to_height) = if self.transpose { (height, width) } else { (width, height) };
        if !self.transpose {
            for (y, row) in to.chunks_mut(to_stride).take(to_height).enumerate() {
                let y = if self.flip_y { height - 1 - y } else { y };
                let source = &from[y * from_stride..y * from_stride + width];
                row[..width].copy_from_slice(source);
                if self.flip_x {
                    row[..width].reverse();
                }
            }
            return;
        }
        for top in (0..to_height).step_by(TILE) {
            for left in (0..to_width).step_by(TILE) {
                for y in top..(top + TILE).min(to_height) {
                    let from_x = if self.flip_y { to_height - 1 - y } else { y };
                    let right = (left + TILE).min(to_width);
                    for (x, pixel) in (left..right).zip(&mut to[y * to_stride + left..y * to_stride + right])
                    {
                        let from_y = if self.flip_x { to_width - 1 - x } else { x };
                        *pixel = from[from_y * from_stride + from_x];
                    }
                }
            }
        }
    }
}

/// How many luma samples one chroma sample stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subsampling {
    /// No chroma.
    Gray,
    /// 1 × 1.
    S444,
    /// 2 × 1.
    S422,
    /// 2 × 2.
    S420,
    /// 1 × 2.
    S440,
    /// 4 × 1.
    S411,
    /// 1 × 4.
    S441,
}

impl Subsampling {
    /// Luma columns and rows for each chroma sample.
    #[inline]
    pub const fn factors(self) -> (u32, u32) {
        match self {
            Self::Gray | Self::S444 => (1, 1),
            Self::S422 => (2, 1),
            Self::S420 => (2, 2),
            Self::S440 => (1, 2),
            Self::S411 => (4, 1),
            Self::S441 => (1, 4),
        }
    }

    /// 1 or 3.
    #[inline]
    pub const fn planes(self) -> usize {
        if matches!(self, Self::Gray) { 1 } else { 3 }
    }
}

/// How far the inverse DCT shrinks the picture.
///
/// Only powers of two: there a block's reduced inverse DCT is close to the mean
/// of the pixels. 5/8 in planes measured 2 dB less than a full decode for a
/// print of half the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scale {
    /// 1:1.
    Full,
    /// 1:2.
    Half,
    /// 1:4.
    Quarter,
    /// 1:8, the DC coefficients alone.
    Eighth,
}

impl Scale {
    /// From smallest result to largest.
    pub const ALL: [Self; 4] = [Self::Eighth, Self::Quarter, Self::Half, Self::Full];

    /// 1, 2, 4 or 8.
    #[inline]
    pub const fn denominator(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// The decoded length of a side of `full` pixels: rounded up, so that the
    /// last pixel may stand for less than a whole one. `full / denominator` as
    /// a fraction is where the picture really ends.
    #[inline]
    pub const fn of(self, full: u32) -> u32 {
        full.div_ceil(self.denominator())
    }

    /// [`Scale::of`] both sides.
    #[inline]
    pub const fn of_size(self, full: Size) -> Size {
        Size { width: self.of(full.width), height: self.of(full.height) }
    }
}

/// A place on one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Left or top.
    Start,
    /// Middle.
    Center,
    /// Right or bottom.
    End,
}
