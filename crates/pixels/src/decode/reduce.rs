//! A picture made smaller while its rows are decoded, so that a large one is
//! never held as a whole: each pixel is the mean of a square of pixels.
//!
//! Owns: the means, colours weighted by alpha. Refuses: to decide how much
//! smaller, and to average what has no mean, such as indices into a palette.

use super::STRIP;
use crate::Error;
use crate::geometry::{Scale, Size};
use crate::picture::Sample;

/// Takes a picture's rows from top to bottom.
pub(crate) struct Reducer<S> {
    full: Size,
    channels: usize,
    /// Whether the last channel is an alpha by which the others are weighted.
    weighted: bool,
    scale: Scale,
    rows: u32,
    /// A row that has been put together, at a scale other than full.
    row: Vec<S>,
    /// Sums over the square in hand, one for each sample of the result's row.
    sums: Vec<u64>,
    samples: Vec<S>,
    /// Samples that have been handed on.
    handed: u64,
}

impl<S: Sample> Reducer<S> {
    /// For a picture of `full` pixels of 1 to 4 samples, `channels`; the last is
    /// the alpha of a `weighted` one, which has 2 or 4.
    pub(crate) fn new(full: Size, channels: usize, weighted: bool, scale: Scale) -> Self {
        let rows = scale.of(full.height) as usize;
        Self::holding(rows, full, channels, weighted, scale)
    }

    /// The same with room for `rows` rows, after which they are handed on.
    pub(crate) fn holding(rows: usize, full: Size, channels: usize, weighted: bool, scale: Scale) -> Self {
        let size = scale.of_size(full);
        let summed = if scale == Scale::Full { 0 } else { size.width as usize * channels };
        Self {
            full,
            channels,
            weighted,
            scale,
            rows: 0,
            row: Vec::new(),
            sums: vec![0; summed],
            samples: Vec::with_capacity(size.width as usize * rows * channels),
            handed: 0,
        }
    }

    /// Bytes that it takes beside the result, for samples of `sample` bytes.
    pub(crate) fn memory(full: Size, channels: u64, sample: u64, scale: Scale) -> u64 {
        match scale {
            Scale::Full => 0,
            scale => {
                u64::from(full.width) * channels * sample + u64::from(scale.of(full.width)) * channels * 8
            }
        }
    }

    /// The next row.
    pub(crate) fn push(&mut self, row: impl Iterator<Item = S>) {
        self.rows += 1;
        if self.scale == Scale::Full {
            self.samples.extend(row);
            return;
        }
        self.row.clear();
        self.row.extend(row);
        self.add();
        if self.rows.is_multiple_of(self.scale.denominator()) {
            self.emit(self.scale.denominator());
        }
    }

    fn add(&mut self) {
        match (self.channels, self.weighted) {
            (1, _) => self.add_plain::<1>(),
            (2, false) => self.add_plain::<2>(),
            (3, _) => self.add_plain::<3>(),
            (4, false) => self.add_plain::<4>(),
            (2, true) => self.add_weighted::<2>(),
            _ => self.add_weighted::<4>(),
        }
    }

    /// `C` is known to the compiler, which takes up to half the time off a loop
    /// over slices.
    fn add_plain<const C: usize>(&mut self) {
        let step = self.scale.denominator() as usize;
        let squares = self.row.as_chunks::<C>().0.chunks(step);
        for (sums, pixels) in self.sums.as_chunks_mut::<C>().0.iter_mut().zip(squares) {
            let mut across = [0_u32; C];
            for pixel in pixels {
                for (sum, &sample) in across.iter_mut().zip(pixel) {
                    *sum += sample.into();
                }
            }
            for (sum, across) in sums.iter_mut().zip(across) {
                *sum += u64::from(across);
            }
        }
    }

    fn add_weighted<const C: usize>(&mut self) {
        let step = self.scale.denominator() as usize;
        let squares = self.row.as_chunks::<C>().0.chunks(step);
        for (sums, pixels) in self.sums.as_chunks_mut::<C>().0.iter_mut().zip(squares) {
            for pixel in pixels {
                let alpha = u64::from(pixel[C - 1].into());
                for (sum, &colour) in sums[..C - 1].iter_mut().zip(pixel) {
                    *sum += u64::from(colour.into()) * alpha;
                }
                sums[C - 1] += alpha;
            }
        }
    }

    /// The means of squares of `rows` rows; those at the right edge may be narrower.
    fn emit(&mut self, rows: u32) {
        let step = self.scale.denominator();
        let mean = |sum: u64, count: u64| {
            // Of what is wholly hidden there is no colour.
            let mean = (sum + count / 2).checked_div(count).unwrap_or(0);
            S::from_u32(mean as u32)
        };
        for (at, sums) in (0..).zip(self.sums.chunks_exact_mut(self.channels)) {
            let count = u64::from(rows * step.min(self.full.width - at * step));
            match sums.split_last() {
                Some((&alpha, colours)) if self.weighted => {
                    self.samples.extend(colours.iter().map(|&sum| mean(sum, alpha)));
                    self.samples.push(mean(alpha, count));
                }
                _ => self.samples.extend(sums.iter().map(|&sum| mean(sum, count))),
            }
            sums.fill(0);
        }
    }

    /// Hands on what is there, once it is [`STRIP`] rows.
    pub(crate) fn hand_on(&mut self, to: &mut dyn FnMut(Vec<S>) -> Result<(), Error>) -> Result<(), Error> {
        let strip = self.scale.of(self.full.width) as usize * self.channels * STRIP;
        if self.samples.len() != strip {
            return Ok(());
        }
        self.handed += strip as u64;
        to(std::mem::replace(&mut self.samples, Vec::with_capacity(strip)))
    }

    /// Ends a picture whose rows are handed on: `None` as [`Reducer::finish`].
    pub(crate) fn finish_rows(
        mut self,
        to: &mut dyn FnMut(Vec<S>) -> Result<(), Error>,
    ) -> Option<Result<(), Error>> {
        let whole = self.is_whole();
        whole.then(|| if self.samples.is_empty() { Ok(()) } else { to(self.samples) })
    }

    /// Ends the last square, and says whether there were as many rows and
    /// samples as there should have been.
    fn is_whole(&mut self) -> bool {
        let rest = self.rows % self.scale.denominator();
        if self.scale != Scale::Full && rest > 0 {
            self.emit(rest);
        }
        let samples = self.scale.of_size(self.full).pixels() * self.channels as u64;
        self.rows == self.full.height && self.handed + self.samples.len() as u64 == samples
    }

    /// The samples of the smaller picture; `None` when rows or samples are
    /// missing, or too many.
    pub(crate) fn finish(mut self) -> Option<(Size, Vec<S>)> {
        self.is_whole().then_some((self.scale.of_size(self.full), self.samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced<S: Sample>(full: Size, channels: usize, weighted: bool, scale: Scale, all: &[S]) -> Vec<S> {
        let mut reducer = Reducer::new(full, channels, weighted, scale);
        for row in all.chunks_exact(full.width as usize * channels) {
            reducer.push(row.iter().copied());
        }
        let (size, samples) = reducer.finish().unwrap();
        assert_eq!(size, scale.of_size(full));
        samples
    }

    #[test]
    fn squares_become_means_and_those_at_the_edges_of_what_there_is() {
        let pixels = [[0_u8, 4, 10, 11, 200], [4, 8, 11, 11, 100], [1, 2, 3, 4, 5]];
        let all = pixels.concat();
        assert_eq!(reduced(Size::new(5, 3), 1, false, Scale::Half, &all), [4, 11, 150, 2, 4, 5]);
        assert_eq!(reduced(Size::new(5, 3), 1, false, Scale::Full, &all), all);
        // A single square: the mean of all fifteen.
        assert_eq!(reduced(Size::new(5, 3), 1, false, Scale::Eighth, &all), [25]);
    }

    #[test]
    fn hidden_colour_counts_for_nothing() {
        let all = [[255_u8, 0, 0, 0], [0, 0, 200, 100], [9, 9, 9, 0], [0, 0, 100, 100]].concat();
        assert_eq!(reduced(Size::new(2, 2), 4, true, Scale::Half, &all), [0, 0, 150, 50]);
        assert_eq!(reduced(Size::new(1, 1), 4, true, Scale::Half, &all[..4]), [0, 0, 0, 0]);
    }

    #[test]
    fn the_lightest_squares_do_not_overflow() {
        let all = vec![u16::MAX; 64 * 4];
        assert_eq!(reduced(Size::new(8, 8), 4, true, Scale::Eighth, &all), [u16::MAX; 4]);
    }

    #[test]
    fn a_picture_that_is_cut_off_is_none() {
        let mut reducer = Reducer::<u8>::new(Size::new(2, 3), 1, false, Scale::Half);
        reducer.push([1, 2].into_iter());
        reducer.push([1, 2].into_iter());
        assert!(reducer.finish().is_none());
        let mut reducer = Reducer::<u8>::new(Size::new(2, 1), 1, false, Scale::Full);
        reducer.push([1].into_iter());
        assert!(reducer.finish().is_none());
    }
}
