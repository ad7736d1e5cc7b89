//! Decoding the JPEG that cameras write, baseline in one scan, row by row:
//! entropy-coded data on one thread, inverse DCT and whatever its caller does
//! with the rows on another.
//!
//! Written here because libjpeg-turbo's planes come all at once: nothing can be
//! done meanwhile, and the picture must be held. Owns the tables (`tables`), the
//! codes (`huffman`), the coefficients (`entropy`) and the samples (`idct`),
//! which are libjpeg's to the last bit. Refuses, and leaves to libjpeg, all that
//! is not plain or not sound: it says which damage is harmless.

mod entropy;
mod huffman;
mod idct;
mod tables;
#[cfg(test)]
mod tests;

pub use tables::Scan;

use crate::Error;
use crate::geometry::Scale;
use crate::planes::Window;
use entropy::{Blocks, Reader};
use std::sync::mpsc::{channel, sync_channel};

/// Rows of MCUs between the threads: enough that neither waits for the other
/// at every row.
const UNDERWAY: usize = 4;

/// What is done with the rows as they come.
pub(crate) type Came<'a> = &'a mut dyn FnMut(&mut Window) -> Result<(), Error>;

/// A row of MCUs: the blocks of each component.
type Row = [Blocks; 3];

impl Scan<'_> {
    /// A window for decoding at `scale` of which `wanted` rows of each plane are
    /// held.
    pub fn window(&self, scale: Scale, wanted: [usize; 3]) -> Window {
        Window::new(self.shape(scale), self.strides(scale), self.steps(scale), wanted)
    }

    /// Decodes at `scale` into `window` and says so to `came` after each row of
    /// MCUs. `false` where the picture is not sound: what came is worth nothing
    /// then, and libjpeg is to be asked.
    pub fn decode(
        &self,
        scale: Scale,
        threads: usize,
        window: &mut Window,
        came: Came<'_>,
    ) -> Result<bool, Error> {
        let mut reader = Reader::new(self, scale);
        if threads <= 1 || self.rows < UNDERWAY {
            let mut row = Row::default();
            for _ in 0..self.rows {
                if reader.row(&mut row).is_none() {
                    return Ok(false);
                }
                self.reconstruct(scale, &row, window);
                came(window)?;
            }
            return Ok(true);
        }
        let (full, filled) = sync_channel::<Row>(UNDERWAY);
        let (empty, emptied) = channel::<Row>();
        for _ in 0..UNDERWAY {
            // Fails where nothing receives: the thread that does is yet to start.
            let _ = empty.send(Row::default());
        }
        std::thread::scope(|scope| {
            // Ends where the other ends of its channels do, and they where it does.
            scope.spawn(move || {
                while let Ok(mut row) = emptied.recv() {
                    if reader.row(&mut row).is_none() || full.send(row).is_err() || reader.is_done() {
                        return;
                    }
                }
            });
            // Ours, so that an error drops them: the other waits for what they bring.
            let (filled, empty) = (filled, empty);
            let mut rows = 0;
            for row in filled {
                self.reconstruct(scale, &row, window);
                came(window)?;
                rows += 1;
                // Nobody may be left to fill it.
                let _ = empty.send(row);
            }
            Ok(rows == self.rows)
        })
    }

    fn reconstruct(&self, scale: Scale, row: &Row, window: &mut Window) {
        for (index, (component, blocks)) in self.components.iter().zip(row).enumerate() {
            let (out, stride) = window.grow(index);
            idct::reconstruct(scale, component, blocks, out, stride);
        }
    }

    /// Bytes that decoding at `scale` takes, the source not counted, where
    /// `wanted` rows of each plane are held.
    pub fn memory(&self, scale: Scale, wanted: [usize; 3]) -> u64 {
        let (strides, steps, shape) = (self.strides(scale), self.steps(scale), self.shape(scale));
        let rows =
            |index: usize| Window::capacity(steps[index], wanted[index], shape.dimensions(index).1 as usize);
        let window: usize = (0..self.components.len()).map(|index| strides[index] * rows(index)).sum();
        let blocks: usize = self.components.iter().map(|c| c.across * c.down * self.columns).sum();
        // Coefficients, the last of each block, and the tables.
        (window + (UNDERWAY + 1) * blocks * (128 + 1) + (64 << 10)) as u64
    }

    /// Samples of a row of each plane, to the end of its last block.
    fn strides(&self, scale: Scale) -> [usize; 3] {
        self.of_components(|component| self.columns * component.across * side(scale))
    }

    /// Rows of each plane in a row of MCUs.
    fn steps(&self, scale: Scale) -> [usize; 3] {
        self.of_components(|component| component.down * side(scale))
    }

    fn of_components(&self, what: impl Fn(&tables::Component) -> usize) -> [usize; 3] {
        [0, 1, 2].map(|index| self.components.get(index).map_or(0, &what))
    }
}

/// Samples of a side of a block.
const fn side(scale: Scale) -> usize {
    8 / scale.denominator() as usize
}
