//! Prints of pixels made while the picture is being decoded: each row as soon
//! as the rows that it is made of have come, on one thread while another
//! decodes. What is held of the picture does not grow with its height.
//!
//! Refuses alpha, 16 bits and light, whose arithmetic is another: the plan says
//! which pictures flow.

use super::counter::Counter;
use super::pixels::{self, Job};
use crate::Error;
use crate::plan::{Plan, PrintPlan};
use minilab_pixels::colour::{Conversion, Model};
use minilab_pixels::decode::{self, Coming, STRIP};
use minilab_pixels::geometry::{Scale, Size, Subsampling};
use minilab_pixels::parallel::guarded;
use minilab_pixels::picture::{Layout, Picture};
use minilab_pixels::planes::{Shape, Window};
use minilab_pixels::resample::{Axes, Growing, Rows};
use minilab_pixels::scale::axes;
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
                let conversion = Conversion::to_srgb(&colour, Model::of(source.layout));
                *(if keeps { &mut late } else { &mut flow.conversion }) = conversion;
            }
            Coming::Rows(samples) => {
                counter.in_time()?;
                flow.take(samples);
            }
        }
        Ok(())
    };
    if counter.threads() <= 1 {
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
        let picture = if let Some(parent) = parent {
            pixels::from_larger(&jobs[parent].picture, print)
        } else {
            let missing = || Error::Codec { format: "print", detail: "a print was not made".into() };
            finished.next().ok_or_else(missing)?.turned(source.orientation)
        };
        jobs.push(Job { print, picture: Arc::new(picture) });
    }
    pixels::finish_all(counter, jobs, late.as_ref())
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

/// A print of which some rows are made. That of a JPEG in `pixels` has planes
/// instead, of which each has its own rows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::plan::Route;
    use crate::recipe::Recipe;
    use crate::render::Rendition;
    use minilab_pixels::encode::{self, Encoding, Job};
    use minilab_pixels::format::Format;
    use minilab_pixels::metadata::Attached;
    use minilab_pixels::source::Source;
    use std::sync::Mutex;

    const RECIPE: &str = r#"
        [[output]]
        key = "whole-{key}"
        format = "png"
        [[output]]
        key = "half-{key}"
        format = "png"
        resize = { width = 60 }
        [[output]]
        key = "small-{key}"
        format = "png"
        resize = { width = 17 }
        [[output]]
        key = "square-{key}"
        format = "jpeg"
        resize = { width = 40, height = 40, fit = "cover" }
    "#;

    /// Noise with edges, the same every time.
    fn noise(samples: usize) -> Vec<u8> {
        let mut state = 7_u32;
        (0..samples)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let edge = if at / 9 % 2 == 0 { 20 } else { 190 };
                edge + (state >> 26) as u8
            })
            .collect()
    }

    fn jpeg(size: Size) -> Vec<u8> {
        let picture = Picture::new(size, Layout::Rgb, noise(size.pixels() as usize * 3));
        let attached = Attached::default();
        let job = Job { encoding: Encoding::default(), attached: &attached, threads: 1 };
        encode::sampled(&picture, (Format::Jpeg, Subsampling::S420), 50, &job).unwrap()
    }

    fn png(size: Size, colour: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size.width, size.height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        let wide = if depth == png::BitDepth::Sixteen { 2 } else { 1 };
        let samples = noise(size.pixels() as usize * colour.samples() * wide);
        encoder.write_header().unwrap().write_image_data(&samples).unwrap();
        bytes
    }

    /// Uncompressed, one strip of 7 rows after another.
    fn tiff(size: Size, inverted: bool, orientation: u16) -> Vec<u8> {
        let samples = noise(size.pixels() as usize);
        let strips = size.height.div_ceil(7);
        let mut bytes = b"II*\0\x08\0\0\0\x09\0".to_vec();
        let after = 8 + 2 + 9 * 12 + 4;
        let starts = after + 4 * strips;
        let data = after + 8 * strips;
        let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
            bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
        };
        entry(256, 4, 1, size.width);
        entry(257, 4, 1, size.height);
        entry(258, 3, 1, 8);
        entry(259, 3, 1, 1);
        entry(262, 3, 1, u32::from(!inverted));
        entry(273, 4, strips, starts);
        entry(274, 3, 1, u32::from(orientation));
        entry(278, 4, 1, 7);
        entry(279, 4, strips, after);
        bytes.extend([0; 4]);
        let rows = |strip: u32| 7.min(size.height - strip * 7);
        bytes.extend((0..strips).flat_map(|strip| (rows(strip) * size.width).to_le_bytes()));
        bytes.extend((0..strips).flat_map(|strip| (data + strip * 7 * size.width).to_le_bytes()));
        bytes.extend(samples);
        bytes
    }

    fn made(picture: &[u8], recipe: &Recipe, scale: Scale, threads: usize, flows: bool) -> Vec<Rendition> {
        let limits = Limits { threads, ..recipe.limits };
        let source = Source::read(picture, &limits).unwrap();
        let plan = Plan::new(&source, "a.png", recipe, &limits).unwrap();
        assert!(plan.flows && matches!(plan.route, Route::Pixels(_)));
        let made = Mutex::new(Vec::new());
        let sink = |rendition| made.lock().unwrap().push(rendition);
        let counter = Counter::new(&source, "a.png", (recipe, &limits), &plan, &sink, &|| false);
        if flows { run(&counter, &plan, scale) } else { pixels::run(&counter, &plan, scale) }.unwrap();
        let mut made = made.into_inner().unwrap();
        made.sort_by_key(|rendition| rendition.output);
        made
    }

    #[test]
    fn prints_made_while_rows_come_are_those_of_the_whole_picture() {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let size = Size::new(121, 230);
        let mut pictures = vec![
            png(size, png::ColorType::Rgb, png::BitDepth::Eight),
            png(size, png::ColorType::Grayscale, png::BitDepth::Eight),
        ];
        pictures.extend([1, 3, 6, 7].map(|orientation| tiff(size, orientation == 7, orientation)));
        for (at, picture) in pictures.iter().enumerate() {
            for (scale, threads) in [(Scale::Full, 1), (Scale::Full, 3), (Scale::Half, 2)] {
                let flowing = made(picture, &recipe, scale, threads, true);
                assert_eq!(flowing.len(), 4);
                assert_eq!(flowing, made(picture, &recipe, scale, threads, false), "{at} {scale:?}");
            }
        }
    }

    #[test]
    fn a_picture_that_is_cut_off_has_no_prints() {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let size = Size::new(121, 2300);
        let png = png(size, png::ColorType::Rgb, png::BitDepth::Eight);
        let tiff = tiff(size, false, 1);
        for cut in [&png[..png.len() * 9 / 10], &tiff[..tiff.len() - 121]] {
            for threads in [1, 2] {
                let limits = Limits { threads, ..recipe.limits };
                let result = crate::render(cut, "a.png", &recipe, &limits, &|_| panic!("handed over"));
                assert!(matches!(result, Err(Error::Malformed { .. })), "{result:?}");
            }
        }
    }

    #[test]
    fn memory_does_not_grow_with_height() {
        let recipe = "[[output]]\nkey = \"{key}\"\nformat = \"jpeg\"\nresize = { width = 50, height = 50, fit = \"cover\" }";
        let recipe = Recipe::parse(recipe).unwrap();
        let needed = |picture: Vec<u8>| {
            crate::predict(&picture, "a.png", &recipe, &recipe.limits).unwrap() - picture.len() as u64
        };
        let png = |height| needed(png(Size::new(700, height), png::ColorType::Rgb, png::BitDepth::Eight));
        assert!(png(2000) < png(1000) + 4096);
        let tiff = |height| needed(tiff(Size::new(700, height), false, 1));
        assert!(tiff(2000) < tiff(1000) + 4096);
        let photo = |height| needed(jpeg(Size::new(700, height)));
        assert!(photo(2000) < photo(1000) + 4096);
    }
}
