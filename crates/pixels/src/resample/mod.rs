//! Resampling: every output a weighted sum of the source's samples around it.
//!
//! Owns where the samples of an axis lie and what they weigh (`axis`), and the
//! arithmetic: whole numbers for 8 bits without alpha (`fixed`), floating point
//! for the rest (`float`). Columns are mixed before rows are, and nothing is cut
//! off between. Refuses: what a sample means; alpha and light are its callers'.

mod axis;
mod fixed;
pub(crate) mod float;
mod growing;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use axis::{Axis, Filter, Stretch};
pub use fixed::Rows;
pub use growing::{Growing, rows_wanted};

use crate::geometry::{CropBox, Size};
use crate::picture::Layout;
use std::ops::Range;

/// Both axes of a resampling of 8 bits without alpha, in the arithmetic that
/// suits them.
#[derive(Debug)]
pub struct Axes(Arithmetic);

#[derive(Debug)]
enum Arithmetic {
    Fixed { columns: Axis<i16>, rows: Axis<i16> },
    Float { columns: Axis<f32>, rows: Axis<f32> },
}

impl Axes {
    /// The axes of a source of `size`, whose columns and rows become those that
    /// the stretches say, one after another.
    pub(crate) fn new(filter: Filter, columns: &[Stretch], rows: &[Stretch], size: Size) -> Self {
        if columns.iter().chain(rows).all(|stretch| stretch.step() <= fixed::MOST_STEP) {
            Self(Arithmetic::Fixed {
                columns: Axis::new(filter, columns, size.width),
                rows: Axis::new(filter, rows, size.height),
            })
        } else {
            Self(Arithmetic::Float {
                columns: Axis::new(filter, columns, size.width),
                rows: Axis::new(filter, rows, size.height),
            })
        }
    }

    /// Output rows.
    fn rows(&self) -> usize {
        match &self.0 {
            Arithmetic::Fixed { rows, .. } => rows.len(),
            Arithmetic::Float { rows, .. } => rows.len(),
        }
    }

    /// Rows of the source that the output rows `which`, at least one, are made of.
    fn reach(&self, which: Range<usize>) -> Range<usize> {
        match &self.0 {
            Arithmetic::Fixed { rows, .. } => rows.reach(which),
            Arithmetic::Float { rows, .. } => rows.reach(which),
        }
    }

    /// Makes the output rows `which` of `source`, each at the start of `stride`
    /// samples of `target`.
    pub fn resample(&self, source: Rows<'_>, which: Range<usize>, target: &mut [u8], stride: usize) {
        self.work(source.channels).resample(source, which, target, stride);
    }

    /// What makes output rows of pixels of `channels` samples (1 or 3), as many
    /// at a time as are wanted; [`TILE`] at least are best.
    fn work(&self, channels: usize) -> Work<'_> {
        match &self.0 {
            Arithmetic::Fixed { columns, rows } => Work::Fixed(fixed::Work::new(columns, rows, channels)),
            Arithmetic::Float { columns, rows } => Work::Float { columns, rows },
        }
    }
}

/// Output rows that are made at once.
const TILE: usize = fixed::LANES;

/// [`Axes`] at work.
enum Work<'a> {
    Fixed(fixed::Work<'a>),
    Float { columns: &'a Axis<f32>, rows: &'a Axis<f32> },
}

impl Work<'_> {
    /// Makes the output rows `which` of `source`, each at the start of `stride`
    /// samples of `target`.
    fn resample(&mut self, source: Rows<'_>, which: Range<usize>, target: &mut [u8], stride: usize) {
        let (columns, rows) = match self {
            Self::Fixed(work) => return work.resample(source, which, target, stride),
            Self::Float { columns, rows } => (columns, rows),
        };
        let channels = source.channels;
        let skipped = columns.reads().start * channels;
        let first = which.start;
        float::resample(
            columns,
            rows,
            which,
            channels,
            |y, row| {
                let samples = &source.samples[(y - source.first) * source.stride + skipped..][..row.len()];
                row.iter_mut().zip(samples).for_each(|(to, &from)| *to = f32::from(from));
            },
            |y, outputs| {
                let target = &mut target[(y - first) * stride..];
                for (channel, output) in outputs.iter().enumerate() {
                    let target = target[channel..].iter_mut().step_by(channels);
                    target.zip(output).for_each(|(to, from)| *to = (from + 0.5) as u8);
                }
            },
        );
    }
}

/// The most bytes that a resampling of `crop` of a picture of `held` pixels
/// takes besides its source and its target: axes, and in floating point those
/// rows that are in work.
pub fn memory(crop: CropBox, held: Size, to: Size, layout: Layout) -> u64 {
    let grown = |length: f64, to: u32| (f64::from(to) / length).max(1.0);
    let reach = |length: f64, to: u32| 3.0 * (length / f64::from(to)).max(1.0) + 1.0;
    let read = (crop.width + 2.0 * reach(crop.width, to.width)).min(f64::from(held.width));
    let open = (6.0 * grown(crop.height, to.height) + 4.0).min(f64::from(to.height));
    let taps = |length: f64, to: u32| (2.0 * reach(length, to) + 16.0) * f64::from(to) * 16.0;
    let axes = taps(crop.width, to.width) + taps(crop.height, to.height);
    let row = 4.0 * layout.channels() as f64;
    ((open + 3.0) * read * row + f64::from(to.width) * row + axes).ceil() as u64
}
