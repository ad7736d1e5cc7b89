//! Resampling 8 bits in whole numbers of 16: the fast path.
//!
//! Owns the order of the work and the arithmetic, in portable form; `avx2` does
//! the same to the last bit. Refuses: alpha, more bits, light, and more than
//! [`MOST_STEP`] samples to one, all of which `float` does.
//!
//! [`LANES`] output rows are made at once. Of a block of columns, the rows that
//! they read are widened once; each output row is mixed from them while they
//! are near; and the result is turned over, so that the samples of one column
//! lie side by side. Across the rows is then the same multiplication as down
//! the columns, [`LANES`] at a time, and needs no sum within a register, which
//! took as long as all else together.
//!
//! A sample v is held as v − 128, so that it is signed; that a filter's weights
//! sum to 1 keeps it so. Both passes multiply by a weight in 16,384ths, halve
//! and round, which is one instruction for 16 samples: (v − 128) · 2⁸ becomes
//! · 2⁷, then · 2⁶.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod kernels;

use super::axis::Axis;
use kernels::{Across, BLOCK, Lanes, Line};
use std::ops::Range;

pub(super) use kernels::{Kernels, LANES, Portable};

/// The most samples that an output stands for. Lanczos reads six times as many,
/// and each adds a rounding error of up to 1/256 of a sample down the columns
/// and 1/128 across the rows, which cancel out but for a tenth of a sample.
pub(super) const MOST_STEP: f64 = 16.0;

/// Samples, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Rows of `stride` samples.
    pub samples: &'a [u8],
    /// The row of the source that is the first of them.
    pub first: usize,
    /// Samples from one row to the next.
    pub stride: usize,
    /// Samples of a pixel.
    pub channels: usize,
}

/// What one resampling after another of the same axes needs: made once.
pub(crate) struct Work<'a> {
    columns: &'a Axis<i16>,
    rows: &'a Axis<i16>,
    across: Across<'a>,
    wide: Vec<Line>,
    turned: Vec<Lanes>,
}

impl<'a> Work<'a> {
    pub(super) fn new(columns: &'a Axis<i16>, rows: &'a Axis<i16>, channels: usize) -> Self {
        let across = Across::new(columns, channels);
        // Zero weights read beyond the last sample.
        let read = columns.reads().len() * channels;
        let length = read.next_multiple_of(BLOCK) + columns.taps() * channels;
        Self { columns, rows, across, wide: Vec::new(), turned: vec![[0; LANES]; length] }
    }

    /// Makes the output rows `which`, each at the start of `stride` samples of
    /// `target`.
    pub(super) fn resample(
        &mut self,
        source: Rows<'_>,
        which: Range<usize>,
        target: &mut [u8],
        stride: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernels) = avx2::Avx2::summon() {
            return self.resample_by(kernels, source, which, target, stride);
        }
        self.resample_by(Portable, source, which, target, stride);
    }

    /// [`Work::resample`] by `kernels`.
    pub(super) fn resample_by(
        &mut self,
        kernels: impl Kernels,
        source: Rows<'_>,
        which: Range<usize>,
        target: &mut [u8],
        stride: usize,
    ) {
        let Self { columns, rows, across, wide, turned } = self;
        let channels = across.channels;
        let skipped = columns.reads().start * channels;
        let read = columns.reads().len() * channels;
        if columns.is_copy() && rows.is_copy() {
            let before = rows.reads().start + which.start - source.first;
            let from = source.samples.chunks(source.stride).skip(before);
            for (to, from) in target.chunks_mut(stride).zip(from).take(which.len()) {
                to[..read].copy_from_slice(&from[skipped..skipped + read]);
            }
            return;
        }
        let mut mixed = [[0; BLOCK]; LANES];
        for (first, target) in which.clone().step_by(LANES).zip(target.chunks_mut(LANES * stride)) {
            let made = first..which.end.min(first + LANES);
            let reads = rows.reach(made.clone());
            wide.resize(reads.len(), [0; BLOCK]);
            let from = (reads.start - source.first) * source.stride + skipped;
            let start = reads.start - rows.reads().start;
            for at in (0..read).step_by(BLOCK) {
                kernels.widen(&source.samples[from + at..], source.stride, (read - at).min(BLOCK), wide);
                for (y, mixed) in made.clone().zip(&mut mixed) {
                    kernels.mix(&wide[rows.start(y) - start..], rows.weights(y), mixed);
                }
                kernels.turn(&mixed, &mut turned[at..at + BLOCK]);
            }
            kernels.across(across, turned, target, stride, made.len());
        }
    }
}
