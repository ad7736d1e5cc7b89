//! What will be done with a picture, decided from its header and the recipe
//! alone: each print's key, format and placement, how the source is decoded,
//! and how much memory the whole takes at most. Nothing is allocated for pixels
//! before the plan is within the limits.

mod memory;
pub(crate) mod placement;

use crate::recipe::{
    Colour, Effect, Fit, FormatChoice, Output, Pixelate, Position, PrintName, Quality, Recipe,
};
use crate::{Error, Limits};
use memory::memory;
use minilab_pixels::colour::Conversion;
use minilab_pixels::decode;
use minilab_pixels::encode;
use minilab_pixels::error::{Limit, at_most};
use minilab_pixels::format::Format;
use minilab_pixels::geometry::{CropBox, Orientation, Rectangle, Scale, Size, Subsampling};
use minilab_pixels::jpeg;
use minilab_pixels::mosaic::{self, Grid};
use minilab_pixels::picture::{Depth, Layout};
use minilab_pixels::planes::{self, Print};
use minilab_pixels::resample::rows_wanted;
use minilab_pixels::source::Source;
use placement::{Focus, Placement, lay_out};
use std::sync::Arc;

/// The longest side of the small picture that a document is made from.
const DOCUMENT: u32 = 100;

/// One print to be made.
pub(crate) struct PrintPlan<'r> {
    /// Index into the recipe's outputs.
    pub(crate) index: usize,
    pub(crate) output: &'r Output,
    /// The formats that it may come out in, each with its key: one, unless the
    /// smallest is to be found.
    pub(crate) candidates: Vec<(Format, String)>,
    pub(crate) placement: Placement,
    /// 1, or those frames of the source that are kept.
    pub(crate) frames: u32,
    /// Bits that its samples keep.
    pub(crate) depth: Depth,
}

impl PrintPlan<'_> {
    /// The print's format, where there is no choice; else the first to be tried.
    pub(crate) fn format(&self) -> Format {
        self.candidates.first().map_or(Format::Json, |(format, _)| *format)
    }

    /// The grid of a pixelation of the whole print.
    pub(crate) fn grid(&self) -> Option<Grid> {
        if self.output.region.is_some() { None } else { self.any_grid() }
    }

    /// The grid of a pixelation.
    pub(crate) fn any_grid(&self) -> Option<Grid> {
        self.output.pixelate.map(|pixelate| match pixelate {
            Pixelate::Cells(count) => Grid::Cells(count),
            Pixelate::Block(side) => Grid::Block(side),
        })
    }

    /// A pixelation of the whole picture at its own size, and nothing else: its
    /// cells need no more of the source than a coarse decode.
    pub(crate) fn is_whole_mosaic(&self, seen: Size) -> bool {
        self.grid().is_some()
            && !self.is_worked_on()
            && !self.output.has(Effect::Cuts)
            && self.placement.turn == Orientation::UPRIGHT
            && self.placement.canvas == seen
            && self.output.resize.is_none_or(|resize| resize.fit != Fit::Contain)
            && self.placement.scaled == seen
            && matches!(self.output.quality, Quality::Fixed(_))
            && !self.keeps_colour()
    }

    /// Whether it stays in the source's colour space: a still in a format that
    /// holds profiles. A lossy JPEG XL is made of sRGB's light.
    pub(crate) fn keeps_colour(&self) -> bool {
        let holds = |format: Format| match format {
            Format::Jpeg | Format::Png | Format::Webp | Format::Avif => true,
            Format::Jxl => self.output.lossless,
            _ => false,
        };
        self.output.colour == Colour::Keep
            && !self.is_animated()
            && self.candidates.iter().all(|(format, _)| holds(*format))
    }

    /// Whether its pixels are changed after they are scaled, framed and pixelated.
    pub(crate) fn is_worked_on(&self) -> bool {
        self.output.has(Effect::Late)
    }

    /// Whether its pixels must be RGB after they are scaled.
    fn needs_pixels(&self) -> bool {
        self.is_worked_on()
            || self.placement.has_bars()
            || self.output.format.is_document()
            || self.output.lossless
            || matches!(self.output.quality, Quality::Auto { .. })
    }

    /// Whether it shows the whole of the `seen` picture, and all that is in it.
    pub(crate) fn shows_all(&self, seen: Size) -> bool {
        self.placement.crop == CropBox::of(seen)
            && !self.placement.has_bars()
            && !self.output.has(Effect::Conceals)
    }

    pub(crate) fn is_animated(&self) -> bool {
        self.frames > 1
    }

    /// Whether light is averaged while it is scaled.
    pub(crate) fn is_linear(&self) -> bool {
        self.output.resize.is_some_and(|resize| resize.linear)
    }

    /// Whether the pixels decide what part of the picture it shows.
    pub(crate) fn is_attentive(&self) -> bool {
        self.output.resize.is_some_and(|resize| resize.position == Position::Attention)
    }
}

/// Prints made from the picture itself, up to which its rows are not held: one
/// thread makes all of them while another decodes, where for more of them all
/// threads are faster at a picture that has been decoded.
const FLOWING: usize = 2;

/// How the source is turned into samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A JPEG of luma and chroma stays in planes as long as its prints let it.
    Planes(Scale),
    /// Everything else becomes pixels; a scale other than full is that of a
    /// source that [`decode::reduces`].
    Pixels(Scale),
}

/// The whole job.
pub(crate) struct Plan<'r> {
    pub(crate) prints: Vec<PrintPlan<'r>>,
    pub(crate) route: Route,
    /// Whether rows become prints while the picture is decoded, and are not held.
    pub(crate) flows: bool,
    /// What makes sRGB of planes that are not; made once, for a profile is long to read.
    pub(crate) conversion: Option<Arc<Conversion<u8>>>,
    /// Bits that the decoder gives at most.
    pub(crate) depth: Depth,
    /// How many threads work: as many as may, and as the memory suffices for. What
    /// is made and what is refused is decided for one.
    pub(crate) threads: usize,
    /// Upper bound of the peak of memory with one thread, in bytes, the source included.
    pub(crate) least: u64,
    /// The same with `threads`.
    pub(crate) memory: u64,
}

impl<'r> Plan<'r> {
    pub(crate) fn new(
        source: &Source<'_>,
        source_key: &str,
        recipe: &'r Recipe,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let seen = Rectangle::of(source.seen());
        let prints = recipe
            .outputs_for(source_key, source.format())
            .map(|(index, output)| {
                print(source, source_key, (index, output), lay_out(seen, output, None), limits)
            })
            .collect::<Result<Vec<_>, _>>()?;
        distinct_keys(&prints)?;
        let route = route(source, &prints);
        let conversion = match (source.jpeg(), route) {
            (Some(header), Route::Planes(_)) => {
                Conversion::to_srgb(&source.colour, decode::model(header)).map(Arc::new)
            }
            _ => None,
        };
        let depth = prints.iter().map(|print| print.depth).max().unwrap_or(Depth::Eight);
        let mut plan =
            Self { prints, route, flows: false, conversion, depth, threads: 1, least: 0, memory: 0 };
        let can_flow = plan.can_flow(source);
        plan.flows = can_flow && planes::first_hand(&plan.planar_prints()).len() <= FLOWING;
        plan.least = memory(source, recipe, &plan, 1);
        if plan.least > limits.memory && can_flow {
            // A picture that is hardly larger than its prints may take less as a whole.
            plan.flows = !plan.flows;
            let other = memory(source, recipe, &plan, 1);
            plan.flows ^= other > plan.least;
            plan.least = other.min(plan.least);
        }
        if plan.least > limits.memory {
            plan.economise(source, recipe, limits);
        }
        plan.affordable(source, recipe, limits)
    }

    /// The plan with its threads, if there is memory for one of them.
    fn affordable(mut self, source: &Source<'_>, recipe: &Recipe, limits: &Limits) -> Result<Self, Error> {
        at_most(Limit::Memory, "the memory that its prints need", self.least, limits.memory, "bytes")?;
        (self.threads, self.memory) = (2..=limits.threads)
            .rev()
            .map(|threads| (threads, memory(source, recipe, &self, threads)))
            .find(|&(_, memory)| memory <= limits.memory)
            .unwrap_or((1, self.least));
        Ok(self)
    }

    /// The prints as planes see them.
    pub(crate) fn planar_prints(&self) -> Vec<Print> {
        let converts = |print: &PrintPlan<'_>| self.conversion.is_some() && !print.keeps_colour();
        self.prints.iter().map(|print| planar_print(print, converts(print))).collect()
    }

    /// What may be taken at the most: [`Plan::memory`], and where rows flow, the
    /// planes of a JPEG that turns out to be damaged, which libjpeg judges as a
    /// whole. Where they are over the limit, nothing is allocated for them.
    pub(crate) fn reserve(&self, source: &Source<'_>, limits: &Limits) -> u64 {
        let planes = match (source.jpeg(), self.route) {
            (Some(header), Route::Planes(scale)) if self.flows => header.planes_memory(scale),
            _ => 0,
        };
        if self.least.saturating_add(planes) > limits.memory {
            return self.memory;
        }
        // With fewer threads where these would take more than there may be.
        self.memory.saturating_add(planes).min(limits.memory)
    }

    /// The picture that resampling reads: how many of the source's pixels are one of
    /// its, in each direction, and its size.
    fn held(&self, stored: Size) -> (u32, Size) {
        match self.route {
            Route::Pixels(scale) => (scale.denominator(), scale.of_size(stored)),
            Route::Planes(_) => (1, stored),
        }
    }

    /// Whether prints can be made while the picture is decoded: all of its rows
    /// once, in order, are all that they need.
    fn can_flow(&self, source: &Source<'_>) -> bool {
        let seen = source.seen();
        let looks_twice = |print: &PrintPlan<'_>| {
            print.is_attentive()
                || print.is_animated()
                || print.output.trim.is_some()
                || print.is_whole_mosaic(seen)
        };
        if self.prints.iter().any(looks_twice) {
            return false;
        }
        match (source.jpeg(), self.route) {
            (Some(header), Route::Planes(_)) => jpeg::Scan::read(source.bytes, header).is_some(),
            (_, Route::Pixels(_)) => {
                decode::flows(source)
                    && source.depth.min(self.depth) == Depth::Eight
                    && source.layout != Layout::Rgba
                    && !self.prints.iter().any(PrintPlan::is_linear)
            }
            _ => false,
        }
    }

    /// The most rows of a picture of pixels that must be held while it flows.
    pub(crate) fn rows_wanted(&self, source: &Source<'_>, scale: Scale) -> usize {
        let steps = self.prints.iter().map(|print| {
            let crop = print.placement.crop.before(source.orientation, source.stored);
            let rows = print.placement.unturned().turned(source.orientation).height;
            crop.height / f64::from(scale.denominator()) / f64::from(rows)
        });
        rows_wanted(steps.fold(0.0, f64::max)).min(scale.of(source.stored.height) as usize)
    }

    /// Takes a smaller decode than is best for the prints, as long as none is
    /// enlarged by it, until the memory suffices.
    fn economise(&mut self, source: &Source<'_>, recipe: &Recipe, limits: &Limits) {
        if !decode::reduces(source)
            || self.prints.iter().any(|print| print.output.trim.is_some() || print.grid().is_some())
            || (averages(source) && self.prints.iter().any(PrintPlan::is_linear))
        {
            return;
        }
        let least =
            self.prints.iter().map(|print| planar_print(print, false).ratio()).fold(f64::INFINITY, f64::min);
        let best = self.route;
        for scale in Scale::ALL.into_iter().rev() {
            // From full to an eighth: the first that suffices is the finest.
            if f64::from(scale.denominator()) > least {
                break;
            }
            self.route = match best {
                Route::Planes(_) => Route::Planes(scale),
                Route::Pixels(_) => Route::Pixels(scale),
            };
            self.least = memory(source, recipe, self, 1);
            if self.least <= limits.memory {
                return;
            }
        }
    }

    /// The same plan with each print that `sees` another part of the picture
    /// than was thought laid out anew. Keys, limits and memory are checked again.
    pub(crate) fn settled(
        &self,
        source: &Source<'_>,
        source_key: &str,
        (recipe, limits): (&Recipe, &Limits),
        view: &dyn Fn(&PrintPlan<'_>) -> Rectangle,
        focus: &Focus<'_>,
    ) -> Result<Self, Error> {
        let prints = self
            .prints
            .iter()
            .map(|old| {
                let placement = lay_out(view(old), old.output, Some(focus));
                print(source, source_key, (old.index, old.output), placement, limits)
            })
            .collect::<Result<Vec<_>, _>>()?;
        distinct_keys(&prints)?;
        let mut plan = Self { prints, conversion: self.conversion.clone(), ..*self };
        plan.least = memory(source, recipe, &plan, 1);
        plan.affordable(source, recipe, limits)
    }
}

fn print<'r>(
    source: &Source<'_>,
    source_key: &str,
    (index, output): (usize, &'r Output),
    placement: Placement,
    limits: &Limits,
) -> Result<PrintPlan<'r>, Error> {
    let formats = match &output.format {
        FormatChoice::Source => vec![source.format().kept()],
        FormatChoice::Fixed(format) => vec![*format],
        FormatChoice::Auto(formats) => formats.clone(),
        FormatChoice::Manifest | FormatChoice::Placeholder => vec![Format::Json],
    };
    let document = output.format.is_document();
    // A document speaks of the whole picture.
    let Size { width, height } = if document { source.seen() } else { placement.canvas };
    let placement = if document { document_placement(source.seen()) } else { placement };
    let longer = u64::from(placement.canvas.width.max(placement.canvas.height));
    at_most(Limit::Side, "the longer side of a print", longer, limits.side.into(), "pixels")?;
    let mut candidates = Vec::new();
    for format in formats {
        encode::fits(format, placement.canvas)?;
        let name = PrintName { source_key, format, width, height };
        let key = output.key.expand(&name).map_err(|error| bad_key(output, &error.to_string()))?;
        candidates.push((format, key));
    }
    let kept = source.frames.min(output.frames.get());
    let moving = kept > 1 && candidates.iter().any(|(format, _)| format.has_frames());
    if moving {
        candidates.retain(|(format, _)| format.has_frames());
    }
    let deep = candidates.iter().all(|(format, _)| format.is_deep()) && output.colours.is_none();
    Ok(PrintPlan {
        index,
        output,
        placement,
        frames: if moving { kept } else { 1 },
        depth: if deep && !document { source.depth } else { Depth::Eight },
        candidates,
    })
}

/// The whole picture, small.
fn document_placement(seen: Size) -> Placement {
    let scaled = seen.within(DOCUMENT);
    Placement { crop: CropBox::of(seen), turn: Orientation::UPRIGHT, scaled, canvas: scaled, offset: (0, 0) }
}

/// The key of a print cannot be an object key.
fn bad_key(output: &Output, detail: &str) -> Error {
    let output = output.key.as_str();
    Error::Caller { code: "bad-key", detail: format!("output {output} cannot be stored: {detail}") }
}

/// The recipe's templates differ; what they give for one picture may not.
fn distinct_keys(prints: &[PrintPlan<'_>]) -> Result<(), Error> {
    for (i, print) in prints.iter().enumerate() {
        for (_, key) in &print.candidates {
            let same = |earlier: &&PrintPlan<'_>| earlier.candidates.iter().any(|(_, other)| other == key);
            if let Some(first) = prints[..i].iter().find(same) {
                let detail = format!(
                    "for this picture it gives the key {key:?}, which {:?} gives too; tell the two apart in their templates",
                    first.output.key.as_str()
                );
                return Err(bad_key(print.output, &detail));
            }
        }
    }
    Ok(())
}

/// Whether a scale other than full means averages of codes, which are none of
/// light: not for a JPEG, whose codec scales.
fn averages(source: &Source<'_>) -> bool {
    source.jpeg().is_none()
}

/// Least ratio between a picture that was averaged while it was decoded and its
/// prints, unless the memory is short.
const AVERAGED: f64 = 3.0;

/// The smallest scale at which a source that is no JPEG is decoded for `prints`.
fn averaged(source: &Source<'_>, prints: &[PrintPlan<'_>]) -> Scale {
    let whole =
        |print: &PrintPlan<'_>| print.output.trim.is_some() || print.grid().is_some() || print.is_linear();
    if !decode::reduces(source) || prints.iter().any(whole) {
        return Scale::Full;
    }
    let prints: Vec<Print> = prints.iter().map(|print| planar_print(print, false)).collect();
    planes::scale_for(&prints, AVERAGED)
}

fn route(source: &Source<'_>, prints: &[PrintPlan<'_>]) -> Route {
    let Some(header) = source.jpeg() else {
        return Route::Pixels(averaged(source, prints));
    };
    if prints.iter().any(|print| print.output.trim.is_some()) {
        return Route::Pixels(Scale::Full);
    }
    let seen = source.seen();
    let resized: Vec<Print> = prints
        .iter()
        .filter(|print| !print.is_whole_mosaic(seen))
        .map(|print| planar_print(print, false))
        .collect();
    let stored = (source.stored.width, source.stored.height);
    let mosaics = prints
        .iter()
        .filter(|print| print.is_whole_mosaic(seen))
        .filter_map(|print| Some(mosaic::scale_for(print.grid()?, stored)));
    let for_prints = (!resized.is_empty()).then(|| planes::scale_for(&resized, planes::MARGIN));
    if header.is_planar() && !prints.iter().any(PrintPlan::is_linear) {
        // `Scale` is ordered from full to an eighth: the least is the finest.
        let scale = mosaics.chain(for_prints).min().unwrap_or(Scale::Full);
        Route::Planes(scale)
    } else {
        // The cells of a mosaic are cut out of a picture of the print's own size.
        let whole = prints.iter().any(|print| print.is_whole_mosaic(seen));
        Route::Pixels(if whole { Scale::Full } else { for_prints.unwrap_or(Scale::Full) })
    }
}

/// A print as the planes see it. Chroma is sampled as the encoder will want it,
/// fully where the print passes through RGB.
pub(crate) fn planar_print(print: &PrintPlan<'_>, converted: bool) -> Print {
    let direct = !converted && !print.needs_pixels();
    let subsampling = match (print.format(), print.output.quality) {
        _ if direct && print.grid().is_some() => Subsampling::S420,
        (Format::Jpeg | Format::Avif, Quality::Fixed(quality)) if direct => jpeg::subsampling_for(quality),
        (Format::Webp, _) if direct => Subsampling::S420,
        _ => Subsampling::S444,
    };
    let Size { width, height } = print.placement.unturned();
    Print { crop: print.placement.crop, width, height, subsampling }
}

/// Whether a print is encoded from planes as they are, given that none of its
/// colours need converting.
pub(crate) fn is_direct(print: &PrintPlan<'_>) -> bool {
    !print.needs_pixels() && print.candidates.len() == 1
}
