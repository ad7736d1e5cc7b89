//! Prints made while the picture is being decoded: each row of a print as soon
//! as the rows that it is made of have come.
//!
//! Owns how many rows must be held for that. Refuses to hand out a print before
//! the whole picture has proved sound.

use super::Scan;
use crate::Error;
use crate::geometry::Subsampling;
use crate::planes::{Decoded, Done, Planes, Print, Resizing, Shape, Window, cascade, hand_out, of_picture};
use crate::resample::{Growing, rows_wanted as rows_of_source};

/// Whether there is time left.
type InTime<'a> = &'a dyn Fn() -> Result<(), Error>;

/// Makes every print of the picture that `scan` is read from, which need not
/// fit in memory. `false` where it is not sound; nothing was handed out then.
///
/// `in_time` is asked at each row of MCUs; `done` is that of [`crate::planes::make_prints`].
pub fn stream_prints(
    scan: &Scan<'_>,
    decoded: Decoded,
    prints: &[Print],
    threads: usize,
    (in_time, done): (InTime<'_>, Done<'_>),
) -> Result<bool, Error> {
    let shape = scan.shape(decoded.scale);
    let order = cascade(prints);
    let first_hand = of_picture(&order);
    let resizings: Vec<Resizing> =
        first_hand.iter().map(|&index| decoded.resizing(shape, &prints[index])).collect();
    let mut growing: Vec<Unfinished<'_>> = resizings.iter().map(Unfinished::new).collect();
    let wanted = rows_wanted(shape, decoded, first_hand.iter().map(|&index| &prints[index]));
    let mut window = scan.window(decoded.scale, wanted);
    let sound = scan.decode(decoded.scale, threads, &mut window, &mut |window| {
        in_time()?;
        for index in 0..shape.subsampling.planes() {
            let least = growing.iter_mut().map(|print| print.grow(index, window)).min();
            window.forget(index, least.unwrap_or(usize::MAX));
        }
        Ok(())
    })?;
    if !sound {
        return Ok(false);
    }
    // In the order in which they are asked for.
    let mut made = growing.into_iter().map(|print| print.finished().oriented(decoded.orientation));
    let missing = || Error::Codec { format: "print", detail: "a print was not made".into() };
    hand_out(prints, &order, threads, &mut |_| made.next().ok_or_else(missing), done)?;
    Ok(true)
}

/// The most rows of each plane of a picture of `source` that must be held for
/// `prints` besides those that are coming.
pub fn rows_wanted<'p>(
    source: Shape,
    decoded: Decoded,
    prints: impl Iterator<Item = &'p Print>,
) -> [usize; 3] {
    let mut wanted = [0; 3];
    for print in prints {
        let subsampling = match source.subsampling {
            Subsampling::Gray => Subsampling::Gray,
            _ => print.subsampling,
        };
        let (_, height) = decoded.orientation.size(print.width, print.height);
        let step = decoded.held(print).height / f64::from(height);
        let (below, above) = (subsampling.factors().1, source.subsampling.factors().1);
        for (index, wanted) in wanted.iter_mut().enumerate().take(source.subsampling.planes()) {
            let step = if index == 0 { step } else { step * f64::from(below) / f64::from(above) };
            *wanted = rows_of_source(step).min(source.dimensions(index).1 as usize).max(*wanted);
        }
    }
    wanted
}

/// A print of which some rows are made.
struct Unfinished<'a> {
    shape: Shape,
    growing: Vec<Growing<'a>>,
    planes: Planes,
}

impl<'a> Unfinished<'a> {
    fn new(resizing: &'a Resizing) -> Self {
        let Shape { width, height, subsampling } = resizing.shape;
        let growing = (0..subsampling.planes()).map(|index| Growing::new(resizing.axes(index), 1));
        let planes = Planes::uninitialised(width, height, subsampling, Vec::new());
        Self { shape: resizing.shape, growing: growing.collect(), planes }
    }

    /// Makes what can be made of plane `index`, and returns the first row of the
    /// source that is still needed.
    fn grow(&mut self, index: usize, window: &Window) -> usize {
        let Some(growing) = self.growing.get_mut(index) else { return usize::MAX };
        let stride = self.shape.dimensions(index).2 as usize;
        let target = &mut *self.planes.split_mut()[index];
        growing.grow(window.rows(index), window.came(index), target, stride)
    }

    fn finished(mut self) -> Planes {
        self.planes.pad();
        self.planes
    }
}

#[cfg(test)]
mod tests;
