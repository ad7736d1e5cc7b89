//! The picture, macroblock by macroblock. Owns what lies beyond its edges: its
//! last column and row once more, as often as it takes.

use super::blocks::{Blocks, Lanes};
use crate::planes::WebpPlanes;

/// The samples of a macroblock, row by row.
#[derive(Debug, Clone)]
pub(super) struct Macroblock {
    pub(super) luma: [[u8; 16]; 16],
    /// Cb, then Cr.
    pub(super) chroma: [[[u8; 8]; 8]; 2],
}

impl Macroblock {
    pub(super) const fn new() -> Self {
        Self { luma: [[0; 16]; 16], chroma: [[[0; 8]; 8]; 2] }
    }

    /// Blocks of luma, a lane each, left to right and down.
    pub(super) fn luma_blocks(&self) -> Blocks {
        let mut blocks = [[0; 16]; 16];
        for (y, rows) in blocks.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            for down in 0..4 {
                let row = &self.luma[4 * down + y];
                for (across, four) in row.as_chunks::<4>().0.iter().enumerate() {
                    for (lanes, &sample) in rows.iter_mut().zip(four) {
                        lanes[4 * down + across] = sample.into();
                    }
                }
            }
        }
        blocks
    }

    /// Blocks of chroma: four of Cb, four of Cr, and both again.
    pub(super) fn chroma_blocks(&self) -> Blocks {
        std::array::from_fn(|at| -> Lanes {
            std::array::from_fn(|lane| {
                let (plane, down, across) = (lane / 4 % 2, lane / 2 % 2, lane % 2);
                self.chroma[plane][4 * down + at / 4][4 * across + at % 4].into()
            })
        })
    }

    /// Whether all of luma is one value.
    pub(super) fn is_flat(&self) -> bool {
        let first = self.luma[0][0];
        self.luma.as_flattened().iter().all(|&sample| sample == first)
    }
}

/// A picture as macroblocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    planes: &'a WebpPlanes,
    /// Macroblocks in a row.
    pub(super) columns: usize,
    /// Rows of macroblocks.
    pub(super) rows: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(planes: &'a WebpPlanes) -> Self {
        let [columns, rows] = [planes.width, planes.height].map(|side| side.div_ceil(16) as usize);
        Self { planes, columns, rows }
    }

    /// The macroblock in column `x` of row `y`.
    pub(super) fn read(&self, x: usize, y: usize, into: &mut Macroblock) {
        let WebpPlanes { width, height, .. } = *self.planes;
        let (width, height) = (width as usize, height as usize);
        copy(&self.planes.y, (width, height), (x, y), &mut into.luma);
        let half = (width.div_ceil(2), height.div_ceil(2));
        copy(&self.planes.u, half, (x, y), &mut into.chroma[0]);
        copy(&self.planes.v, half, (x, y), &mut into.chroma[1]);
    }
}

/// The block in column `x` of row `y` of a plane.
fn copy<const N: usize>(
    plane: &[u8],
    (width, height): (usize, usize),
    (x, y): (usize, usize),
    block: &mut [[u8; N]; N],
) {
    let (left, top) = (x * N, y * N);
    for (down, to) in block.iter_mut().enumerate() {
        let row = &plane[(top + down).min(height - 1) * width..][..width];
        if let Some(samples) = row[left..].first_chunk::<N>() {
            *to = *samples;
        } else {
            let inside = &row[left..];
            to[..inside.len()].copy_from_slice(inside);
            to[inside.len()..].fill(row[width - 1]);
        }
    }
}
