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

use super::axis::Axis;
use std::ops::Range;

/// The most samples that an output stands for. Lanczos reads six times as many,
/// and each adds a rounding error of up to 1/256 of a sample down the columns
/// and 1/128 across the rows, which cancel out but for a tenth of a sample.
pub(super) const MOST_STEP: f64 = 16.0;

/// Output rows that are made at once.
pub(super) const LANES: usize = 16;

/// Columns whose rows are widened at once: two lines of the cache.
const BLOCK: usize = 128;

/// A row of a block of columns.
type Line = [i16; BLOCK];

/// The same column of all rows that are made at once.
type Lanes = [i16; LANES];

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

/// The columns, as the kernels want them.
pub(super) struct Across<'a> {
    /// The first lanes of each output pixel, and how many of its weights count.
    windows: &'a [(u32, u32)],
    /// Weights of a pixel, each twice, zeros to the same number.
    weights: Vec<[i16; 2]>,
    /// Weights of one pixel.
    taps: usize,
    /// Samples of a pixel.
    channels: usize,
}

impl<'a> Across<'a> {
    fn new(columns: &'a Axis<i16>, channels: usize) -> Self {
        let (windows, weights) = columns.padded();
        let weights = weights.iter().map(|&weight| [weight; 2]).collect();
        Self { windows, weights, taps: columns.taps(), channels }
    }
}

/// The loops over samples.
pub(super) trait Kernels: Copy {
    /// Widens the first `count` samples of each `stride`, at most a block.
    fn widen(self, samples: &[u8], stride: usize, count: usize, wide: &mut [Line]);

    /// Mixes the first lines by `weights`.
    fn mix(self, wide: &[Line], weights: &[i16], mixed: &mut Line);

    /// Turns a block over.
    fn turn(self, mixed: &[Line; LANES], turned: &mut [Lanes]);

    /// Makes the output samples of `count` rows.
    fn across(self, across: &Across<'_>, turned: &[Lanes], target: &mut [u8], stride: usize, count: usize);
}

/// For every processor. Its loops over lanes are those that compilers vectorise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernels for Portable {
    fn widen(self, samples: &[u8], stride: usize, count: usize, wide: &mut [Line]) {
        widen(samples, stride, count, wide);
    }

    fn mix(self, wide: &[Line], weights: &[i16], mixed: &mut Line) {
        mixed.fill(0);
        for (line, &weight) in wide.iter().zip(weights) {
            for (sum, &sample) in mixed.iter_mut().zip(line) {
                *sum = sum.saturating_add(part(sample, weight));
            }
        }
    }

    fn turn(self, mixed: &[Line; LANES], turned: &mut [Lanes]) {
        for (at, lanes) in turned.iter_mut().enumerate() {
            for (lane, line) in lanes.iter_mut().zip(mixed) {
                *lane = line[at];
            }
        }
    }

    fn across(self, across: &Across<'_>, turned: &[Lanes], target: &mut [u8], stride: usize, count: usize) {
        let channels = across.channels;
        let pixels = across.windows.iter().zip(across.weights.chunks_exact(across.taps));
        for (pixel, (&(start, _), weights)) in pixels.enumerate() {
            for channel in 0..channels {
                let mut sums = [0_i16; LANES];
                let lanes = turned[start as usize * channels + channel..].iter().step_by(channels);
                for (lanes, &[weight, _]) in lanes.zip(weights) {
                    for (sum, &sample) in sums.iter_mut().zip(lanes) {
                        *sum = sum.saturating_add(part(sample, weight));
                    }
                }
                for (row, sum) in target.chunks_mut(stride).zip(sums).take(count) {
                    let whole = (sum.saturating_add(1 << 5) >> 6).clamp(-128, 127);
                    row[pixel * channels + channel] = (whole + 128) as u8;
                }
            }
        }
    }
}

/// The product of both passes, rounded: a signed multiplication that keeps the
/// upper half, doubled.
fn part(sample: i16, weight: i16) -> i16 {
    ((i32::from(sample) * i32::from(weight) + (1 << 14)) >> 15) as i16
}

#[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
#[inline(always)]
fn widen(samples: &[u8], stride: usize, count: usize, wide: &mut [Line]) {
    let widened = |sample: u8| (i16::from(sample) - 128) << 8;
    for (row, line) in samples.chunks(stride).zip(wide) {
        // A whole block has a length that the compiler knows.
        if let Some(row) = row.first_chunk::<BLOCK>() {
            line.iter_mut().zip(row).for_each(|(to, &from)| *to = widened(from));
        } else {
            line.iter_mut().zip(&row[..count]).for_each(|(to, &from)| *to = widened(from));
        }
    }
}
