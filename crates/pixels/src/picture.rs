//! Pixels in memory: 8 or 16 bits a sample, interleaved, rows without padding. Owns turning, cutting, framing and flattening;
//! scaling is in `scale`.

use crate::geometry::{Orientation, Size};
use std::borrow::Cow;

/// What the samples of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One sample.
    Grey,
    /// Three samples.
    Rgb,
    /// Four samples, alpha not premultiplied.
    Rgba,
}

impl Layout {
    /// Samples of a pixel.
    #[inline]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// One sample of a pixel.
pub trait Sample: bytemuck::Pod + Default + Ord + Send + Sync + std::fmt::Debug + Into<u32> {
    /// Full light, or full cover.
    const MAX: u32;
    /// Its bits.
    const DEPTH: Depth;

    /// The nearest sample to `value`, which is at most [`Sample::MAX`].
    fn from_u32(value: u32) -> Self;

    /// The sample that means the same as `value` of 8 bits.
    #[inline]
    fn widened(value: u8) -> Self {
        Self::from_u32(u32::from(value) * (Self::MAX / 255))
    }

    /// The sample rounded to 8 bits.
    #[inline]
    fn narrowed(self) -> u8 {
        ((self.into() * 255 + Self::MAX / 2) / Self::MAX) as u8
    }

    /// The picture with 8 bits a sample.
    fn eight(picture: &Picture<Self>) -> Cow<'_, Picture<u8>>;
}

impl Sample for u8 {
    const MAX: u32 = 255;
    const DEPTH: Depth = Depth::Eight;

    #[inline]
    fn from_u32(value: u32) -> Self {
        value as Self
    }

    #[inline]
    fn eight(picture: &Picture<Self>) -> Cow<'_, Picture<u8>> {
        Cow::Borrowed(picture)
    }
}

impl Sample for u16 {
    const MAX: u32 = 65_535;
    const DEPTH: Depth = Depth::Sixteen;

    #[inline]
    fn from_u32(value: u32) -> Self {
        value as Self
    }

    #[inline]
    fn eight(picture: &Picture<Self>) -> Cow<'_, Picture<u8>> {
        Cow::Owned(picture.narrowed())
    }
}

/// Bits of a sample in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// 0 to 255.
    Eight,
    /// 0 to 65,535, whatever the bits of the source.
    Sixteen,
}

impl Depth {
    /// Bytes of one sample.
    #[inline]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture<S = u8> {
    /// Width and height.
    pub size: Size,
    /// What the samples of a pixel are.
    pub layout: Layout,
    /// All samples, row by row, those of a pixel side by side.
    pub pixels: Vec<S>,
}

impl Picture<u8> {
    /// The same with samples of another depth.
    #[inline]
    pub fn widened<S: Sample>(self) -> Picture<S> {
        let pixels = match bytemuck::try_cast_vec(self.pixels) {
            Ok(same) => same,
            Err((_, pixels)) => pixels.into_iter().map(S::widened).collect(),
        };
        Picture::new(self.size, self.layout, pixels)
    }
}

/// A picture of either depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyPicture {
    /// Of 8 bits a sample.
    Eight(Picture<u8>),
    /// Of 16 bits a sample.
    Sixteen(Picture<u16>),
}

impl AnyPicture {
    /// 8 bits a sample.
    pub fn into_eight(self) -> Picture<u8> {
        match self {
            Self::Eight(picture) => picture,
            Self::Sixteen(picture) => picture.narrowed(),
        }
    }
}

impl<S: Sample> Picture<S> {
    /// A picture of `pixels`, row by row.
    ///
    /// # Panics
    /// Where `pixels` has not exactly the samples of `size`.
    pub fn new(size: Size, layout: Layout, pixels: Vec<S>) -> Self {
        assert_eq!(pixels.len() as u64, size.pixels() * layout.channels() as u64, "samples of {size:?}");
        Self { size, layout, pixels }
    }

    /// The picture as it is seen.
    #[must_use]
    pub fn turned(self, orientation: Orientation) -> Self {
        if orientation == Orientation::UPRIGHT {
            return self;
        }
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let pixels = match self.layout {
            Layout::Grey => turn::<S, 1>(&self.pixels, orientation, width, height),
            Layout::Rgb => turn::<S, 3>(&self.pixels, orientation, width, height),
            Layout::Rgba => turn::<S, 4>(&self.pixels, orientation, width, height),
        };
        Self::new(self.size.turned(orientation), self.layout, pixels)
    }

    /// A copy of the rectangle at (`x`, `y`), which lies within the picture.
    #[must_use]
    pub fn cut(&self, x: u32, y: u32, size: Size) -> Self {
        let channels = self.layout.channels();
        let stride = self.size.width as usize * channels;
        let length = size.width as usize * channels;
        let mut pixels = Vec::with_capacity(length * size.height as usize);
        for row in self.pixels.chunks_exact(stride).skip(y as usize).take(size.height as usize) {
            let start = x as usize * channels;
            pixels.extend_from_slice(&row[start..start + length]);
        }
        Self::new(size, self.layout, pixels)
    }

    /// The picture at `offset` on a canvas of `size`, which holds it, filled
    /// with `colour`. The layout widens where it could not show the colour.
    #[must_use]
    pub fn framed(self, size: Size, offset: (u32, u32), colour: [u8; 4]) -> Self {
        let [r, g, b, a] = colour;
        let inner = if a < 255 {
            self.into_rgba()
        } else if self.layout == Layout::Grey && !(r == g && g == b) {
            self.into_rgb()
        } else {
            self
        };
        let channels = inner.layout.channels();
        let colour = colour.map(S::widened);
        let mut pixels = Vec::with_capacity(size.pixels() as usize * channels);
        for _ in 0..size.pixels() {
            pixels.extend_from_slice(&colour[..channels]);
        }
        let stride = size.width as usize * channels;
        let length = inner.size.width as usize * channels;
        let start = offset.0 as usize * channels;
        for (row, from) in
            pixels.chunks_exact_mut(stride).skip(offset.1 as usize).zip(inner.pixels.chunks_exact(length))
        {
            row[start..start + length].copy_from_slice(from);
        }
        Self::new(size, inner.layout, pixels)
    }

    /// Without alpha, as if lying on `background`, whose own alpha is not asked.
    pub fn flattened(&self, background: [u8; 4]) -> Cow<'_, Self> {
        if self.layout != Layout::Rgba {
            return Cow::Borrowed(self);
        }
        let background = background.map(S::widened);
        let mut pixels = Vec::with_capacity(self.size.pixels() as usize * 3);
        let (source, _) = self.pixels.as_chunks::<4>();
        for &[r, g, b, a] in source {
            let a: u32 = a.into();
            let over = |top: S, below: S| {
                // Two products of 16 bits may not fit into 32 together.
                let sum = u64::from(top.into()) * u64::from(a)
                    + u64::from(below.into()) * u64::from(S::MAX - a)
                    + u64::from(S::MAX / 2);
                S::from_u32((sum / u64::from(S::MAX)) as u32)
            };
            pixels.extend([over(r, background[0]), over(g, background[1]), over(b, background[2])]);
        }
        Cow::Owned(Self::new(self.size, Layout::Rgb, pixels))
    }

    /// Drops an alpha channel that hides nothing: fewer samples to scale and to store.
    pub(crate) fn without_idle_alpha(self) -> Self {
        if self.layout == Layout::Rgba && self.pixels.chunks_exact(4).all(|p| p[3].into() == S::MAX) {
            self.flattened([0; 4]).into_owned()
        } else {
            self
        }
    }

    /// Three samples a pixel; alpha is laid on white.
    #[must_use]
    pub fn into_rgb(self) -> Self {
        match self.layout {
            Layout::Grey => {
                let pixels = self.pixels.iter().flat_map(|&v| [v; 3]).collect();
                Self::new(self.size, Layout::Rgb, pixels)
            }
            Layout::Rgb => self,
            Layout::Rgba => self.flattened([255; 4]).into_owned(),
        }
    }

    /// Four samples a pixel, opaque where there was no alpha.
    pub(crate) fn into_rgba(self) -> Self {
        let opaque = S::from_u32(S::MAX);
        let pixels = match self.layout {
            Layout::Grey => self.pixels.iter().flat_map(|&v| [v, v, v, opaque]).collect(),
            Layout::Rgb => {
                let (source, _) = self.pixels.as_chunks::<3>();
                source.iter().flat_map(|&[r, g, b]| [r, g, b, opaque]).collect()
            }
            Layout::Rgba => self.pixels,
        };
        Self::new(self.size, Layout::Rgba, pixels)
    }

    /// 8 bits a sample, rounded.
    #[inline]
    pub fn narrowed(&self) -> Picture<u8> {
        let pixels = self.pixels.iter().map(|sample| sample.narrowed()).collect();
        Picture::new(self.size, self.layout, pixels)
    }
}

fn turn<S: Sample, const N: usize>(
    pixels: &[S],
    orientation: Orientation,
    width: usize,
    height: usize,
) -> Vec<S> {
    orientation.apply::<S, N>(pixels.as_chunks().0, width, height).into_flattened()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_surrounds_and_widens_only_when_it_must() {
        let grey = || Picture::new(Size::new(1, 1), Layout::Grey, vec![9_u8]);
        let framed = grey().framed(Size::new(3, 2), (1, 1), [5, 5, 5, 255]);
        assert_eq!((framed.layout, framed.pixels), (Layout::Grey, vec![5, 5, 5, 5, 9, 5]));
        let framed = grey().framed(Size::new(2, 1), (1, 0), [1, 2, 3, 255]);
        assert_eq!((framed.layout, framed.pixels), (Layout::Rgb, vec![1, 2, 3, 9, 9, 9]));
        let framed = grey().framed(Size::new(2, 1), (0, 0), [1, 2, 3, 0]);
        assert_eq!((framed.layout, framed.pixels), (Layout::Rgba, vec![9, 9, 9, 255, 1, 2, 3, 0]));
    }

    #[test]
    fn flattening_mixes_by_alpha() {
        let picture = |a| Picture::new(Size::new(1, 1), Layout::Rgba, vec![200_u8, 100, 0, a]);
        assert_eq!(picture(0).flattened([10, 20, 30, 255]).pixels, [10, 20, 30]);
        assert_eq!(picture(255).flattened([10, 20, 30, 255]).pixels, [200, 100, 0]);
        assert_eq!(picture(128).flattened([0, 0, 255, 255]).pixels, [100, 50, 127]);
        assert_eq!(picture(255).without_idle_alpha().layout, Layout::Rgb);
        assert_eq!(picture(254).without_idle_alpha().layout, Layout::Rgba);
    }

    #[test]
    fn a_cut_keeps_its_rows() {
        let picture = Picture::new(Size::new(3, 2), Layout::Grey, vec![0_u8, 1, 2, 3, 4, 5]);
        assert_eq!(picture.cut(1, 0, Size::new(2, 2)).pixels, [1, 2, 4, 5]);
    }
}
