//! The eight orientations of EXIF (tag 0x0112), on planes.

use super::{Planes, Subsampling};

/// Side of the tiles in which planes are transposed, so that the lines of both
/// stay in the cache.
const TILE: usize = 32;

/// What must be done to stored pixels so that they stand upright: transpose
/// first, then mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orientation {
    /// Columns become rows.
    pub(crate) transpose: bool,
    /// Mirror left to right, after transposing.
    pub(crate) flip_x: bool,
    /// Mirror top to bottom, after transposing.
    pub(crate) flip_y: bool,
}

impl Orientation {
    /// Nothing to do.
    pub(crate) const UPRIGHT: Self = Self { transpose: false, flip_x: false, flip_y: false };

    /// EXIF's value 1–8; anything else is taken as upright, as viewers do.
    pub(crate) const fn from_exif(value: u16) -> Self {
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
    pub(crate) const fn size(self, width: u32, height: u32) -> (u32, u32) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Which stored axes (x, y) run backwards in the upright picture.
    pub(crate) const fn stored_flips(self) -> (bool, bool) {
        if self.transpose { (self.flip_y, self.flip_x) } else { (self.flip_x, self.flip_y) }
    }

    /// Turns `pixels` of `N` samples each, `width` × `height`, upright.
    pub(crate) fn apply<S: Copy + Default, const N: usize>(
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
    fn apply_into<T: Copy>(
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

impl Planes {
    /// The picture turned upright.
    ///
    /// Where an axis of subsampled chroma has an odd length and is mirrored,
    /// the half chroma sample must already be its first one
    /// ([`Planes::resized`] sees to that); else chroma shifts by one luma
    /// sample.
    pub(crate) fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::UPRIGHT {
            return self;
        }
        let (width, height) = orientation.size(self.width(), self.height());
        let subsampling = match (orientation.transpose, self.subsampling()) {
            (true, Subsampling::S422) => Subsampling::S440,
            (true, Subsampling::S440) => Subsampling::S422,
            (true, Subsampling::S411) => Subsampling::S441,
            (true, Subsampling::S441) => Subsampling::S411,
            (_, same) => same,
        };
        let mut upright = Self::uninitialised(width, height, subsampling, Vec::new());
        for index in 0..subsampling.planes() {
            let stride = upright.dimensions(index).2 as usize;
            let plane = self.plane(index);
            let (w, h) = (plane.width as usize, plane.height as usize);
            let to = &mut upright.split_mut()[index][..];
            orientation.apply_into(plane.samples, w, h, plane.stride as usize, to, stride);
        }
        upright.pad();
        upright
    }
}
