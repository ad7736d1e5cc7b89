//! Resampling in floating point: whatever is not 8 bits without alpha.
//!
//! Owns the order of the work: every row of the source is asked for once, and
//! is added to those output rows that it is a part of, so that no more is held
//! than the rows in work. Refuses: what samples mean; its caller turns them
//! into floats and back.

use super::axis::Axis;
use archmage::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;

/// Output rows whose columns are mixed at once.
const LANES: usize = 8;

/// The same column of those rows.
type Lanes = [f32; LANES];

/// Makes the output rows `which`.
///
/// `read` fills a row of interleaved samples, `channels` (1, 3 or 4) of a pixel, of the
/// columns that `columns` reads, from the row of the source that it is told.
/// `write` gets each output row once, in order, with its channels apart.
pub(crate) fn resample(
    columns: &Axis<f32>,
    rows: &Axis<f32>,
    which: Range<usize>,
    channels: usize,
    mut read: impl FnMut(usize, &mut [f32]),
    mut write: impl FnMut(usize, &[Vec<f32>]),
) {
    let width = columns.reads().len();
    let mut row = vec![0.0; width * channels];
    let mut turned = Turned {
        lanes: vec![[0.0; LANES]; (width + columns.taps()) * channels],
        outputs: vec![[0.0; LANES]; columns.len() * channels],
        rows: vec![vec![0.0; columns.len()]; channels],
        filled: 0,
        done: which.start,
    };
    // The short stretch at the end of an axis may start or end before its
    // neighbour does: rows are begun and ended in order all the same.
    let begins: Vec<usize> = {
        let mut first = usize::MAX;
        let mut begins: Vec<usize> = which
            .clone()
            .rev()
            .map(|y| {
                first = first.min(rows.start(y));
                first
            })
            .collect();
        begins.reverse();
        begins
    };
    let mut open: VecDeque<(usize, Vec<f32>)> = VecDeque::new();
    let mut idle: Vec<Vec<f32>> = Vec::new();
    let mut next = which.start;
    let Some(&first) = begins.first() else { return };
    for y in first..rows.reads().len() {
        while next < which.end && begins[next - which.start] <= y {
            let mut sums = idle.pop().unwrap_or_default();
            sums.clear();
            sums.resize(row.len(), 0.0);
            open.push_back((next, sums));
            next += 1;
        }
        if open.is_empty() {
            if next == which.end {
                break;
            }
            continue;
        }
        read(rows.reads().start + y, &mut row);
        for (output, sums) in &mut open {
            let weight = y.checked_sub(rows.start(*output)).and_then(|at| rows.weights(*output).get(at));
            if let Some(&weight) = weight {
                incant!(add(sums, &row, weight), [v3, scalar]);
            }
        }
        while let Some((output, sums)) = open.pop_front() {
            if rows.start(output) + rows.weights(output).len() > y + 1 {
                open.push_front((output, sums));
                break;
            }
            turned.push(&sums);
            if turned.filled == LANES || output + 1 == which.end {
                turned.flush(columns, &mut write);
            }
            idle.push(sums);
        }
    }
}

/// Adds `row` times `weight`.
#[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
#[inline(always)]
fn add(sums: &mut [f32], row: &[f32], weight: f32) {
    for (sum, &sample) in sums.iter_mut().zip(row) {
        *sum += sample * weight;
    }
}

fn add_scalar(_: ScalarToken, sums: &mut [f32], row: &[f32], weight: f32) {
    add(sums, row, weight);
}

#[cfg(target_arch = "x86_64")]
#[arcane]
fn add_v3(_: X64V3Token, sums: &mut [f32], row: &[f32], weight: f32) {
    add(sums, row, weight);
}

/// Rows that are done but for their columns, side by side.
struct Turned {
    /// The same sample of each row; zero weights read beyond the last.
    lanes: Vec<Lanes>,
    /// The same output of each row.
    outputs: Vec<Lanes>,
    /// One row of outputs, its channels apart.
    rows: Vec<Vec<f32>>,
    /// Rows in `lanes`.
    filled: usize,
    /// The output row that the first of them is.
    done: usize,
}

impl Turned {
    fn push(&mut self, row: &[f32]) {
        for (lanes, &sample) in self.lanes.iter_mut().zip(row) {
            lanes[self.filled] = sample;
        }
        self.filled += 1;
    }

    fn flush(&mut self, columns: &Axis<f32>, write: &mut impl FnMut(usize, &[Vec<f32>])) {
        let channels = self.rows.len();
        incant!(across(&self.lanes, columns, channels, &mut self.outputs), [v3, scalar]);
        for lane in 0..self.filled {
            for (channel, row) in self.rows.iter_mut().enumerate() {
                for (to, from) in row.iter_mut().zip(self.outputs[channel..].iter().step_by(channels)) {
                    *to = from[lane];
                }
            }
            write(self.done + lane, &self.rows);
        }
        self.done += self.filled;
        self.filled = 0;
    }
}

/// The outputs of [`LANES`] rows.
#[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
#[inline(always)]
fn across(lanes: &[Lanes], columns: &Axis<f32>, channels: usize, outputs: &mut [Lanes]) {
    match channels {
        1 => across_many::<1>(lanes, columns, outputs),
        3 => across_many::<3>(lanes, columns, outputs),
        _ => across_many::<4>(lanes, columns, outputs),
    }
}

#[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
#[inline(always)]
fn across_many<const CHANNELS: usize>(lanes: &[Lanes], columns: &Axis<f32>, outputs: &mut [Lanes]) {
    let (windows, weights) = columns.padded();
    let taps = columns.taps();
    let outputs = outputs.as_chunks_mut::<CHANNELS>().0;
    for ((output, window), weights) in outputs.iter_mut().zip(windows).zip(weights.chunks_exact(taps)) {
        let lanes = &lanes[window.0 as usize * CHANNELS..][..taps * CHANNELS];
        let mut sums = [[0.0; LANES]; CHANNELS];
        for (lanes, &weight) in lanes.as_chunks::<CHANNELS>().0.iter().zip(weights) {
            for (sums, lanes) in sums.iter_mut().zip(lanes) {
                for (sum, sample) in sums.iter_mut().zip(lanes) {
                    *sum += sample * weight;
                }
            }
        }
        *output = sums;
    }
}

fn across_scalar(
    _: ScalarToken,
    lanes: &[Lanes],
    columns: &Axis<f32>,
    channels: usize,
    outputs: &mut [Lanes],
) {
    across(lanes, columns, channels, outputs);
}

#[cfg(target_arch = "x86_64")]
#[arcane]
fn across_v3(_: X64V3Token, lanes: &[Lanes], columns: &Axis<f32>, channels: usize, outputs: &mut [Lanes]) {
    across(lanes, columns, channels, outputs);
}
