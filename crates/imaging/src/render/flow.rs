//! Prints of pixels made while the picture is being decoded: each row as soon
//! as the rows that it is made of have come, on one thread while another
//! decodes. What is held of the picture does not grow with its height.
//!
//! Refuses alpha, 16 bits and light, whose arithmetic is another: the plan says
//! which pictures flow.

use super::counter::Counter;
use super::pixels::{self, Job};
use crate::Error;
use crate::colour::{ColourSpace, Conversion, Model};
use crate::decode::{self, Coming, STRIP};
use crate::jpeg::Scale;
use crate::parallel::guarded;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::plan::{Plan, PrintPlan};
use crate::planes::{Shape, Subsampling, Window};
use crate::resample::{Axes, Growing, Rows};
use crate::scale::axes;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Strips between the threads.
const UNDERWAY: usize = 4;

pub(super) fn run(counter: &Counter<'_>, plan: &Plan<'_>, scale: Scale) -> Result<(), Error> {
    let source = counter.source;
    let held = scale.of_size(source.stored);
    let order = pixels::in_order(plan);
    let parents = pixels::cascade(&order);
    // The size of each print that is made of the picture itself, as stored, and its axes.
    let stored_size = |print: &PrintPlan<'_>| print.placement.unturned().turned(source.orientation);
    let first_hand: Vec<(Size, Axes)> = order
        .iter()
        .zip(&parents)
        .filter(|(_, parent)| parent.is_none())
        .map(|(print, _)| {
            let crop = pixels::held(print.placement.crop, source.orientation, source.stored, scale);
            (stored_size(print), axes(crop, stored_size(print), held))
        })
        .collect();
    let channels = source.layout.channels();
    let row = held.width as usize * channels;
    let shape = Shape::new(held.width, held.height, Subsampling::Gray);
    let wanted = [plan.rows_wanted(source, scale), 0, 0];
    let mut flow = Flow {
        layout: source.layout,
        width: held.width,
        window: Window::new(shape, [row, 0, 0], [STRIP, 0, 0], wanted),
        conversion: None,
        prints: first_hand.iter().map(|(size, axes)| Unfinished::new(*size, axes, channels)).collect(),
    };
    let keeps = plan.prints.iter().any(PrintPlan::keeps_colour);
    // Where no print keeps the source's colours, all are converted before they are scaled.
    let mut late = None;
    let mut take = |coming: Coming<'_>| {
        match coming {
            Coming::Colour(colour) => {
                counter.set_colour(&colour);
                let conversion = conversion(&colour, source.layout);
                *(if keeps { &mut late } else { &mut flow.conversion }) = conversion;
            }
            Coming::Rows(samples) => flow.take(samples),
        }
        Ok(())
    };
    if counter.threads <= 1 {
        decode::rows(source, scale, &mut take)?;
    } else {
        let (full, filled) = sync_channel(UNDERWAY);
        std::thread::scope(|scope| {
            let decoding = scope.spawn(move || {
                let stopped = || Error::Codec { format: "picture", detail: "nobody takes its rows".into() };
                let send = &mut |coming| full.send(coming).map_err(|_| stopped());
                guarded("picture", || decode::rows(source, scale, send))
            });
            let taken = filled.into_iter().try_for_each(take);
            let panicked = || Err(Error::Codec { format: "picture", detail: "a thread panicked".into() });
            taken.and(decoding.join().unwrap_or_else(|_| panicked()))
        })?;
    }
    let mut finished = flow.prints.into_iter().map(|print| print.finished(source.layout));
    let mut jobs: Vec<Job<'_, '_, u8>> = Vec::with_capacity(order.len());
    for (print, parent) in order.iter().zip(parents) {
        let picture = match parent {
            Some(parent) => pixels::from_larger(&jobs[parent].picture, print),
            None => {
                let missing = || Error::Codec { format: "print", detail: "a print was not made".into() };
                finished.next().ok_or_else(missing)?.turned(source.orientation)
            }
        };
        jobs.push(Job { print, picture: Arc::new(picture) });
    }
    pixels::finish_all(counter, jobs, late.as_ref())
}

fn conversion(colour: &ColourSpace<'_>, layout: Layout) -> Option<Conversion<u8>> {
    Conversion::to_srgb(colour, if layout == Layout::Grey { Model::Grey } else { Model::Rgb })
}

/// What becomes of rows.
struct Flow<'a> {
    layout: Layout,
    /// Pixels of a row.
    width: u32,
    window: Window,
    conversion: Option<Conversion<u8>>,
    prints: Vec<Unfinished<'a>>,
}

impl Flow<'_> {
    /// Takes the next [`STRIP`] rows, or the last.
    fn take(&mut self, samples: Vec<u8>) {
        let channels = self.layout.channels();
        let rows = samples.len() / (self.width as usize * channels);
        let mut strip = Picture::new(Size::new(self.width, rows as u32), self.layout, samples);
        if let Some(conversion) = &self.conversion {
            conversion.apply(&mut strip);
        }
        let (room, _) = self.window.grow(0);
        room.iter_mut().zip(&strip.pixels).for_each(|(to, &from)| *to = from);
        let source = Rows { channels, ..self.window.rows(0) };
        let came = self.window.came(0);
        let least = self.prints.iter_mut().map(|print| print.grow(source, came)).min();
        self.window.forget(0, least.unwrap_or(usize::MAX));
    }
}

/// A print of which some rows are made.
struct Unfinished<'a> {
    size: Size,
    growing: Growing<'a>,
    pixels: Vec<u8>,
    /// Samples of a row.
    stride: usize,
}

impl<'a> Unfinished<'a> {
    fn new(size: Size, axes: &'a Axes, channels: usize) -> Self {
        let stride = size.width as usize * channels;
        let pixels = vec![0; stride * size.height as usize];
        Self { size, growing: Growing::new(axes, channels), pixels, stride }
    }

    /// Makes what can be made, and returns the first row of the source that is
    /// still needed.
    fn grow(&mut self, source: Rows<'_>, came: usize) -> usize {
        self.growing.grow(source, came, &mut self.pixels, self.stride)
    }

    fn finished(self, layout: Layout) -> Picture<u8> {
        Picture::new(self.size, layout, self.pixels)
    }
}
