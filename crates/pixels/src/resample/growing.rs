//! A resampling whose source comes row by row.

use super::{Axes, Rows, TILE, Work};

/// Output rows of which some are made.
pub struct Growing<'a> {
    axes: &'a Axes,
    work: Work<'a>,
    made: usize,
}

impl<'a> Growing<'a> {
    /// Of pixels of `channels` samples, 1 or 3.
    pub fn new(axes: &'a Axes, channels: usize) -> Self {
        Self { axes, work: axes.work(channels), made: 0 }
    }

    /// Makes the rows of `target`, of `stride` samples each, that can be made
    /// of the first `came` rows of the source. Returns the first row of the
    /// source that those to come are made of, `usize::MAX` for none.
    pub fn grow(&mut self, source: Rows<'_>, came: usize, target: &mut [u8], stride: usize) -> usize {
        loop {
            let next = self.made..self.axes.rows().min(self.made + TILE);
            if next.is_empty() {
                return usize::MAX;
            }
            let reach = self.axes.reach(next.clone());
            if reach.end > came {
                // None of the tiles to come reaches further back: the narrower
                // stretch of an axis is its last row, or its first and in this tile.
                return reach.start;
            }
            self.work.resample(source, next.clone(), &mut target[next.start * stride..], stride);
            self.made = next.end;
        }
    }
}

/// The most rows that must be held of a source `step` times as high as its
/// output, while the next rows of the output are being made.
pub fn rows_wanted(step: f64) -> usize {
    // Three lobes to each side, and a row at each that is cut off or shared.
    (TILE as f64 * step + 6.0 * step.max(1.0)).ceil() as usize + 4
}
