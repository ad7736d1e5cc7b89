//! The loops over samples of `fixed`: what they are to do, and how in portable
//! form. `avx2` does the same to the last bit.

use crate::resample::axis::Axis;

/// Output rows that are made at once.
pub(in crate::resample) const LANES: usize = 16;

/// Columns whose rows are widened at once: two lines of the cache.
pub(super) const BLOCK: usize = 128;

/// A row of a block of columns.
pub(super) type Line = [i16; BLOCK];

/// The same column of all rows that are made at once.
pub(super) type Lanes = [i16; LANES];

/// The columns, as the kernels want them.
pub(in crate::resample) struct Across<'a> {
    /// The first lanes of each output pixel, and how many of its weights count.
    pub(super) windows: &'a [(u32, u32)],
    /// Weights of a pixel, each twice, zeros to the same number.
    pub(super) weights: Vec<[i16; 2]>,
    /// Weights of one pixel.
    pub(super) taps: usize,
    /// Samples of a pixel.
    pub(super) channels: usize,
}

impl<'a> Across<'a> {
    pub(super) fn new(columns: &'a Axis<i16>, channels: usize) -> Self {
        let (windows, weights) = columns.padded();
        let weights = weights.iter().map(|&weight| [weight; 2]).collect();
        Self { windows, weights, taps: columns.taps(), channels }
    }
}

/// The loops over samples.
pub(in crate::resample) trait Kernels: Copy {
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
pub(in crate::resample) struct Portable;

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
pub(super) fn widen(samples: &[u8], stride: usize, count: usize, wide: &mut [Line]) {
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
