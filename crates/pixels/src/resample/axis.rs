//! What each sample of an axis is mixed from: the first sample of the source
//! and the weights of it and those after it.
//!
//! Refuses: samples; an axis is the same for every row that it is used on.

use std::f64::consts::PI;
use std::ops::Range;

/// How samples are weighed by their distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Lanczos with three lobes.
    Lanczos3,
    /// Linear interpolation.
    Triangle,
}

/// A run of output samples and the part of the source that they show evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stretch {
    /// Output samples.
    pub(crate) length: u32,
    /// Left edge in the source, in its samples; may lie within one.
    pub(crate) from: f64,
    /// Length in the source, in its samples; above 0.
    pub(crate) from_length: f64,
}

impl Stretch {
    /// Samples of the source for one output.
    pub(crate) fn step(&self) -> f64 {
        self.from_length / f64::from(self.length)
    }
}

/// A weight in the arithmetic of a kernel.
pub(crate) trait Weight: Copy + Default + PartialEq {
    /// Appends `weights`, whose sum is 1.
    fn append(weights: &[f64], to: &mut Vec<Self>);
}

impl Weight for f32 {
    fn append(weights: &[f64], to: &mut Vec<Self>) {
        to.extend(weights.iter().map(|&weight| weight as Self));
    }
}

/// 16,384ths. The running sum is rounded rather than each weight, so that their
/// sum is exact whatever their number is, and what is flat stays so.
impl Weight for i16 {
    fn append(weights: &[f64], to: &mut Vec<Self>) {
        let (mut sum, mut whole) = (0.0, 0);
        to.extend(weights.iter().map(|weight| {
            sum += weight * 16_384.0;
            // Rounds: truncated from above, for `round` is a call without SSE 4.1.
            let before = std::mem::replace(&mut whole, (sum + 65_536.5) as i32 - 65_536);
            (whole - before) as Self
        }));
    }
}

/// One axis of a resampling.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis<W> {
    /// Samples of the source that any output reads.
    reads: Range<usize>,
    /// First sample that each output reads, from `reads.start`, and how many.
    windows: Vec<(u32, u32)>,
    /// Weights of one output in `weights`, with zeros after its own.
    taps: usize,
    weights: Vec<W>,
}

impl<W: Weight> Axis<W> {
    /// The axis of `stretches`, one after another, over a source of `length`
    /// samples.
    ///
    /// As Pillow does: the filter is widened by the scale where there are fewer
    /// outputs than samples, reads beyond its stretch where the source goes on,
    /// and is cut off and made whole again at the ends of the source.
    ///
    /// # Panics
    /// Where `length` is 0.
    pub(crate) fn new(filter: Filter, stretches: &[Stretch], length: u32) -> Self {
        assert!(length > 0, "an axis without samples");
        let mut windows = Vec::new();
        let mut found = Vec::new();
        let mut own = Vec::new();
        for stretch in stretches {
            let step = stretch.step();
            let wide = step.max(1.0);
            for output in 0..stretch.length {
                let centre = stretch.from + (f64::from(output) + 0.5) * step;
                let first = filter.window(centre, wide, length, &mut own);
                windows.push((first, own.len() as u32));
                W::append(&own, &mut found);
            }
        }
        let start = windows.iter().map(|&(first, _)| first).min().unwrap_or(0);
        let end = windows.iter().map(|&(first, count)| first + count).max().unwrap_or(0);
        let taps = windows.iter().map(|&(_, count)| count as usize).max().unwrap_or(0);
        let mut weights = vec![W::default(); taps * windows.len()];
        let mut rest = found.as_slice();
        for (slot, window) in weights.chunks_exact_mut(taps.max(1)).zip(&mut windows) {
            let (own, after) = rest.split_at(window.1 as usize);
            slot[..own.len()].copy_from_slice(own);
            rest = after;
            window.0 -= start;
        }
        Self { reads: start as usize..end as usize, windows, taps, weights }
    }

    /// Samples of the source that any output reads.
    pub(crate) fn reads(&self) -> Range<usize> {
        self.reads.clone()
    }

    /// Outputs.
    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// The most weights that an output has.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// First sample that `output` reads, from the start of [`Axis::reads`].
    pub(crate) fn start(&self, output: usize) -> usize {
        self.windows[output].0 as usize
    }

    /// Samples of the source that the outputs `which`, at least one, read.
    pub(crate) fn reach(&self, which: Range<usize>) -> Range<usize> {
        // A short stretch at the end of an axis may reach less far than its neighbour.
        let windows = self.windows.get(which).unwrap_or(&[]);
        let start = windows.iter().map(|&(start, _)| start).min().unwrap_or(0);
        let end = windows.iter().map(|&(start, count)| start + count).max().unwrap_or(0);
        self.reads.start + start as usize..self.reads.start + end as usize
    }

    /// The weights of `output`, without zeros after them.
    pub(crate) fn weights(&self, output: usize) -> &[W] {
        &self.weights[output * self.taps..][..self.windows[output].1 as usize]
    }

    /// First samples and numbers of weights of all outputs, and their weights,
    /// [`Axis::taps`] of each with zeros at the end.
    pub(crate) fn padded(&self) -> (&[(u32, u32)], &[W]) {
        (&self.windows, &self.weights)
    }

    /// Whether every output is one sample of the source, each the next.
    pub(crate) fn is_copy(&self) -> bool {
        self.windows.iter().enumerate().all(|(at, &window)| window == (at as u32, 1))
    }
}

impl Filter {
    /// Puts the weights of the samples around `centre` into `weights`, with sum
    /// 1 and nothing but zero beyond, and returns the first of the samples.
    fn window(self, centre: f64, wide: f64, length: u32, weights: &mut Vec<f64>) -> u32 {
        let support = wide * if self == Self::Lanczos3 { 3.0 } else { 1.0 };
        let first = ((centre - support + 0.5).max(0.0) as u32).min(length - 1);
        let end = ((centre + support + 0.5).max(0.0) as u32).clamp(first + 1, length);
        let nearest = (f64::from(first) + 0.5 - centre) / wide;
        weights.clear();
        match self {
            Self::Lanczos3 => lanczos(nearest, 1.0 / wide, (end - first) as usize, weights),
            Self::Triangle => weights
                .extend((0..end - first).map(|at| (1.0 - (nearest + f64::from(at) / wide).abs()).max(0.0))),
        }
        let sum: f64 = weights.iter().sum();
        // The box of a crop may lie a hair outside; the nearest sample is meant.
        if sum.abs() < 1e-6 {
            weights.clear();
            weights.push(1.0);
            return first;
        }
        let share = sum.recip();
        for weight in weights.iter_mut() {
            *weight *= share;
        }
        let seen = |weight: &f64| weight.abs() > 1e-7;
        let before = weights.iter().position(seen).unwrap_or(0);
        let after = weights.iter().rposition(seen).unwrap_or(0);
        weights.truncate(after + 1);
        weights.drain(..before);
        first + before as u32
    }
}

/// Appends sinc(x) · sinc(x / 3) of `count` values of x from `x`, `step` apart,
/// and 0 beyond three.
///
/// The sine of πx is that of θ = πx / 3 by sin 3θ = 3 sin θ − 4 sin³ θ, and
/// the sines of equal steps of θ follow from one by rotation: sines were
/// 1.4 ms for a picture of 12 megapixels, as much as a third of its resizing.
fn lanczos(x: f64, step: f64, count: usize, weights: &mut Vec<f64>) {
    let turn = PI / 3.0;
    let (mut sin, mut cos) = (x * turn).sin_cos();
    let (step_sin, step_cos) = (step * turn).sin_cos();
    weights.extend((0..count).map(|at| {
        let x = x + step * at as f64;
        let squares = (sin * sin, 3.0 * (turn * x) * (turn * x));
        (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
        match x.abs() {
            ..1e-6 => 1.0,
            3.0.. => 0.0,
            _ => squares.0 * (3.0 - 4.0 * squares.0) / squares.1,
        }
    }));
}
