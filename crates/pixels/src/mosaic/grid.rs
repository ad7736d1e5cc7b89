//! Where cells begin and end.

use crate::geometry::Scale;
use std::num::NonZeroU32;

/// How a picture is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// Cells per side; not more than the side has pixels.
    Cells(NonZeroU32),
    /// Pixels per side of a cell, from the top left corner.
    Block(NonZeroU32),
}

/// Decoded samples that a cell must have per side, so that its colour is that
/// of the full picture. Measured against Pillow on a 12 MP photo decoded at 1:8:
/// 8 to 64 cells a side have a mean absolute difference of 0.07 to 0.15 of 255,
/// 125 cells (3 samples down) 0.26.
const SAMPLES: u32 = 4;

/// The smallest scale at which a JPEG of `full` (width, height) pixels may be
/// decoded for `grid`.
pub fn scale_for(grid: Grid, full: (u32, u32)) -> Scale {
    let side = full.0.min(full.1);
    let enough = |scale: &Scale| match grid {
        Grid::Cells(count) => {
            u64::from(side / scale.denominator()) >= u64::from(count.get()) * u64::from(SAMPLES)
        }
        Grid::Block(size) => size.get() / scale.denominator() >= SAMPLES,
    };
    Scale::ALL.into_iter().find(enough).unwrap_or(Scale::Full)
}

impl Grid {
    /// Number of cells along a side of `length` pixels.
    pub(super) fn count(self, length: u32) -> u32 {
        match self {
            Self::Cells(count) => count.get().min(length),
            Self::Block(size) => length.div_ceil(size.get()),
        }
    }

    /// First pixel of every cell along a side of `length` pixels, and `length`.
    ///
    /// Pixel x belongs to cell ⌊(x + ½) · n / length⌋. The position is summed
    /// up rather than multiplied because Pillow does: on a tie (a pixel's
    /// centre on an edge) the error of the sum decides.
    pub(super) fn edges(self, length: u32) -> Vec<u32> {
        let count = self.count(length);
        match self {
            Self::Block(size) => {
                (0..=count).map(|cell| cell.saturating_mul(size.get()).min(length)).collect()
            }
            Self::Cells(_) => {
                let step = f64::from(count) / f64::from(length);
                let mut edges = vec![0];
                let mut position = step * 0.5;
                for x in 0..length {
                    let cell = (position as u32).min(count - 1);
                    while edges.len() <= cell as usize {
                        edges.push(x);
                    }
                    position += step;
                }
                edges.resize(count as usize + 1, length);
                edges
            }
        }
    }
}

/// For each of `length` samples along an axis the cells of the two pixels that
/// it covers: the same one twice unless `factor` is 2 and an edge lies between.
/// Beyond the last pixel, the last pixel counts again. Factors above 2 take the
/// outermost two pixels.
pub(super) fn taps(edges: &[u32], factor: u32, length: u32) -> Vec<(u32, u32)> {
    let cells = cell_of_pixels(edges);
    let last = cells.len() - 1;
    let at = |pixel: usize| cells[pixel.min(last)];
    (0..length as usize)
        .map(|sample| {
            let first = sample * factor as usize;
            (at(first), at(first + factor as usize - 1))
        })
        .collect()
}

/// The cell of every pixel.
fn cell_of_pixels(edges: &[u32]) -> Vec<u32> {
    edges.windows(2).zip(0..).flat_map(|(pair, cell)| (pair[0]..pair[1]).map(move |_| cell)).collect()
}

/// The mean of a chroma sample's pixels as libjpeg's downsampling rounds it:
/// down on even, up on odd columns, so that no bias builds up.
pub(super) fn mean(corners: [u8; 4], column: usize) -> u8 {
    let sum: u16 = corners.into_iter().map(u16::from).sum();
    ((sum + 1 + (column & 1) as u16) >> 2) as u8
}
