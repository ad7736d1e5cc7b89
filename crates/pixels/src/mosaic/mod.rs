//! Pixelation without the pixels: a grid of flat cells.
//!
//! Owns: which pixel belongs to which cell and what colour a cell has
//! (`reduce`), and writing the result with the knowledge that it is flat (`jpeg`
//! and, for other formats, rows that say how often they repeat). Refuses: ever
//! holding the expanded picture where an encoder does not demand it.

mod dct;
mod grid;
mod huffman;
mod jpeg;
mod reduce;
#[cfg(test)]
mod tests;

pub use grid::{Grid, scale_for};
pub(crate) use jpeg::write_jpeg;

use crate::geometry::Subsampling;
use crate::planes::{Planes, rgb_to_ycc, ycc_to_rgb};

/// What the samples of a cell are. Unused ones are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// `[luma, 0, 0, 0]`
    Gray,
    /// `[luma, Cb, Cr, 0]`, JFIF's full-range BT.601.
    YCbCr,
    /// `[r, g, b, 0]`
    Rgb,
    /// `[r, g, b, a]`, not premultiplied.
    Rgba,
}

impl Model {
    /// Samples in a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::YCbCr | Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// A picture of flat rectangular cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mosaic {
    /// What the samples of `cells` are.
    pub model: Model,
    /// Colours, row by row: (`columns.len()` − 1) × (`rows.len()` − 1).
    pub cells: Vec<[u8; 4]>,
    /// Left edges of the columns of cells in pixels, and the picture's width.
    /// Never falling; equal neighbours are a column without pixels.
    pub columns: Vec<u32>,
    /// Top edges of the rows of cells in pixels, and the picture's height.
    pub rows: Vec<u32>,
}

impl Mosaic {
    /// Width of the picture in pixels.
    pub fn width(&self) -> u32 {
        self.columns.last().copied().unwrap_or(0)
    }

    /// Height of the picture in pixels.
    pub fn height(&self) -> u32 {
        self.rows.last().copied().unwrap_or(0)
    }

    fn row(&self, row: usize) -> &[[u8; 4]] {
        let count = self.columns.len() - 1;
        &self.cells[row * count..(row + 1) * count]
    }

    /// The same picture in RGB, where it is YCbCr; else unchanged.
    #[must_use]
    pub fn into_rgb(mut self) -> Self {
        if self.model == Model::YCbCr {
            for cell in &mut self.cells {
                let [r, g, b] = ycc_to_rgb([cell[0], cell[1], cell[2]]);
                *cell = [r, g, b, 0];
            }
            self.model = Model::Rgb;
        }
        self
    }

    /// The picture on an opaque background, where it has alpha; else
    /// unchanged.
    #[must_use]
    pub fn flattened(mut self, background: [u8; 3]) -> Self {
        if self.model == Model::Rgba {
            for cell in &mut self.cells {
                let alpha = u32::from(cell[3]);
                for (sample, below) in cell.iter_mut().zip(background) {
                    let mixed = u32::from(*sample) * alpha + u32::from(below) * (255 - alpha);
                    *sample = ((mixed + 127) / 255) as u8;
                }
                cell[3] = 0;
            }
            self.model = Model::Rgb;
        }
        self
    }

    /// Every different row of pixels ([`Model::channels`] samples a pixel) from
    /// the top, with the number of times that it stands in the picture.
    pub fn pixel_rows(&self) -> impl Iterator<Item = (Vec<u8>, u32)> + '_ {
        let channels = self.model.channels();
        self.rows.windows(2).enumerate().filter(|(_, edges)| edges[1] > edges[0]).map(move |(row, edges)| {
            let mut pixels = Vec::with_capacity(self.width() as usize * channels);
            for (cell, sides) in self.row(row).iter().zip(self.columns.windows(2)) {
                for _ in sides[0]..sides[1] {
                    pixels.extend_from_slice(&cell[..channels]);
                }
            }
            (pixels, edges[1] - edges[0])
        })
    }

    /// All pixels, rows without padding.
    pub fn expand(&self) -> Vec<u8> {
        let length = self.width() as usize * self.height() as usize * self.model.channels();
        let mut pixels = Vec::with_capacity(length);
        for (row, count) in self.pixel_rows() {
            for _ in 0..count {
                pixels.extend_from_slice(&row);
            }
        }
        pixels
    }

    /// The picture as planes, alpha ignored. Where a chroma sample straddles
    /// cells it is their mean.
    pub(crate) fn to_planes(&self, subsampling: Subsampling) -> Planes {
        let subsampling = if self.model == Model::Gray { Subsampling::Gray } else { subsampling };
        let ycc = self.ycc_cells();
        let mut planes = Planes::uninitialised(self.width(), self.height(), subsampling, Vec::new());
        let sizes = [0, 1, 2].map(|index| planes.dimensions(index));
        for (index, target) in planes.split_mut().into_iter().enumerate().take(subsampling.planes()) {
            let (fx, fy) = if index == 0 { (1, 1) } else { subsampling.factors() };
            let (width, height, stride) = sizes[index];
            let columns = grid::taps(&self.columns, fx, width);
            let rows = grid::taps(&self.rows, fy, height);
            let count = self.columns.len() - 1;
            let mut previous = None;
            for (y, taps) in rows.iter().enumerate() {
                let start = y * stride as usize;
                if previous == Some(taps) {
                    target.copy_within(start - stride as usize..start, start);
                    continue;
                }
                previous = Some(taps);
                let (upper, lower) = (taps.0 as usize * count, taps.1 as usize * count);
                let samples = &mut target[start..start + width as usize];
                for (x, (sample, &(left, right))) in samples.iter_mut().zip(&columns).enumerate() {
                    let (left, right) = (left as usize, right as usize);
                    let corners = [upper + left, upper + right, lower + left, lower + right];
                    *sample = grid::mean(corners.map(|cell| ycc[cell][index]), x);
                }
            }
        }
        planes.pad();
        planes
    }

    fn ycc_cells(&self) -> Vec<[u8; 3]> {
        let convert = |cell: &[u8; 4]| match self.model {
            Model::Gray | Model::YCbCr => [cell[0], cell[1], cell[2]],
            Model::Rgb | Model::Rgba => rgb_to_ycc([cell[0], cell[1], cell[2]]),
        };
        self.cells.iter().map(convert).collect()
    }
}
