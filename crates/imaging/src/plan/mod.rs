//! What will be done with a picture, decided from its header and the recipe
//! alone: each print's key, format and placement, how the source is decoded,
//! and how much memory the whole takes at most. Nothing is allocated for pixels
//! before the plan is within the limits.

mod job;
mod memory;
pub(crate) mod placement;

pub(crate) use job::{Plan, PrintPlan, Route, is_direct};

use crate::recipe::{FormatChoice, Output, PrintName, Recipe};
use crate::{Error, Limits};
use job::planar_print;
use memory::memory;
use minilab_pixels::colour::Conversion;
use minilab_pixels::decode;
use minilab_pixels::encode;
use minilab_pixels::error::{Limit, at_most};
use minilab_pixels::format::Format;
use minilab_pixels::geometry::{CropBox, Orientation, Rectangle, Scale, Size};
use minilab_pixels::jpeg;
use minilab_pixels::mosaic;
use minilab_pixels::picture::{Depth, Layout};
use minilab_pixels::planes::{self, Print};
use minilab_pixels::source::Source;
use placement::{Focus, Placement, lay_out};
use std::sync::Arc;

/// The longest side of the small picture that a document is made from.
const DOCUMENT: u32 = 100;

/// Prints made from the picture itself, up to which its rows are not held: one
/// thread makes all of them while another decodes, where for more of them all
/// threads are faster at a picture that has been decoded.
const FLOWING: usize = 2;

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
