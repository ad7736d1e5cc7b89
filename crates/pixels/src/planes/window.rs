//! The rows of a picture that are there while it is being decoded: those that
//! have come and that are still to be read.
//!
//! Owns: where they lie, so that each plane is one run of rows to its readers.
//! Refuses: to hold the picture; what is forgotten is gone.

use super::{Planes, Shape};
use crate::resample::Rows;
use std::ops::Range;

/// The rows of one plane.
#[derive(Debug)]
struct Slab {
    samples: Vec<u8>,
    /// Samples from one row to the next.
    stride: usize,
    /// The rows of the plane that `samples` holds from its start.
    held: Range<usize>,
    /// Rows before this one are not read any more.
    wanted: usize,
    /// Rows of the plane, without what blocks have beyond.
    height: usize,
}

impl Slab {
    fn new(stride: usize, step: usize, wanted: usize, height: usize) -> Self {
        let capacity = Window::capacity(step, wanted, height);
        Self { samples: vec![0; stride * capacity], stride, held: 0..0, wanted: 0, height }
    }

    /// Room for `step` rows more. What is still wanted moves to the front when
    /// there is no room behind it.
    fn grow(&mut self, step: usize) -> &mut [u8] {
        if (self.held.len() + step) * self.stride > self.samples.len() {
            let gone = self.wanted.clamp(self.held.start, self.held.end) - self.held.start;
            self.samples.copy_within(gone * self.stride..self.held.len() * self.stride, 0);
            self.held.start += gone;
        }
        let filled = self.held.len() * self.stride;
        self.held.end += step;
        let end = filled + step * self.stride;
        // Only where less was said to be wanted than is.
        if end > self.samples.len() {
            self.samples.resize(end, 0);
        }
        &mut self.samples[filled..end]
    }
}

/// The rows of all planes that are there.
#[derive(Debug)]
pub struct Window {
    slabs: Vec<Slab>,
    /// Rows that come at once, of each plane.
    steps: [usize; 3],
}

impl Window {
    /// The window of a picture of `shape` whose planes come in `steps` of rows
    /// with `strides` of samples each; `wanted` rows of each are held at most
    /// besides a step.
    pub fn new(shape: Shape, strides: [usize; 3], steps: [usize; 3], wanted: [usize; 3]) -> Self {
        let slabs = (0..shape.subsampling.planes()).map(|index| {
            let height = shape.dimensions(index).1 as usize;
            Slab::new(strides[index], steps[index], wanted[index], height)
        });
        Self { slabs: slabs.collect(), steps }
    }

    /// Rows that a plane of `height`, these steps and `wanted` rows has room for:
    /// twice what is wanted, so that each row moves once at most, or all there are.
    pub fn capacity(step: usize, wanted: usize, height: usize) -> usize {
        (2 * wanted + 4 * step).min(height.next_multiple_of(step.max(1)))
    }

    /// Room for the next step of plane `index`: its samples and their stride.
    pub fn grow(&mut self, index: usize) -> (&mut [u8], usize) {
        let slab = &mut self.slabs[index];
        let stride = slab.stride;
        (slab.grow(self.steps[index]), stride)
    }

    /// The rows of plane `index` that have come.
    #[inline]
    pub fn came(&self, index: usize) -> usize {
        let slab = &self.slabs[index];
        slab.held.end.min(slab.height)
    }

    /// Says that no row of plane `index` before `row` will be read again.
    #[inline]
    pub fn forget(&mut self, index: usize, row: usize) {
        self.slabs[index].wanted = row;
    }

    /// The rows of plane `index` that are there.
    #[inline]
    pub fn rows(&self, index: usize) -> Rows<'_> {
        let slab = &self.slabs[index];
        Rows { samples: &slab.samples, first: slab.held.start, stride: slab.stride, channels: 1 }
    }

    /// Moves all that came to where it belongs in `planes`, padding included,
    /// and forgets it.
    pub(crate) fn settle(&mut self, planes: &mut Planes) {
        let shape = planes.shape();
        for (index, target) in planes.split_mut().into_iter().enumerate().take(self.slabs.len()) {
            let slab = &mut self.slabs[index];
            let stride = shape.dimensions(index).2 as usize;
            let from = slab.samples.chunks(slab.stride).skip(slab.wanted - slab.held.start);
            let fresh = slab.wanted..slab.held.end;
            for (to, from) in target.chunks_mut(stride).skip(fresh.start).zip(from).take(fresh.len()) {
                to.copy_from_slice(&from[..stride]);
            }
            slab.wanted = slab.held.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Subsampling;

    #[test]
    fn rows_are_there_until_they_are_forgotten() {
        let shape = Shape::new(5, 100, Subsampling::Gray);
        let mut window = Window::new(shape, [8, 0, 0], [8, 0, 0], [10, 0, 0]);
        for step in 0..13_usize {
            let (samples, stride) = window.grow(0);
            for (row, samples) in samples.chunks_mut(stride).enumerate() {
                samples.fill((step * 8 + row) as u8);
            }
            assert_eq!(window.came(0), (step * 8 + 8).min(100));
            let least = (step * 8 + 8_usize).saturating_sub(10);
            window.forget(0, least);
            let Rows { samples, first, stride, .. } = window.rows(0);
            for row in least.max(first)..window.came(0) {
                assert_eq!(samples[(row - first) * stride], row as u8);
            }
            assert!(first <= least && samples.len() <= 8 * Window::capacity(8, 10, 100));
        }
    }

    #[test]
    fn what_settles_is_the_picture_with_its_padding() {
        let shape = Shape::new(17, 9, Subsampling::S420);
        let mut planes = Planes::uninitialised(17, 9, Subsampling::S420, Vec::new());
        let mut window = Window::new(shape, [32, 16, 16], [4, 2, 2], [0; 3]);
        for step in 0..3_u8 {
            for index in 0..3 {
                window.grow(index).0.fill(100 * index as u8 + step);
            }
            window.settle(&mut planes);
        }
        let wanted = |index: u8, per: u8, rows: u8, stride: usize| {
            (0..rows).flat_map(move |row| vec![100 * index + row / per; stride])
        };
        let wanted: Vec<u8> =
            wanted(0, 4, 10, 18).chain(wanted(1, 2, 5, 9)).chain(wanted(2, 2, 5, 9)).collect();
        assert_eq!(planes.samples(), wanted);
    }
}
