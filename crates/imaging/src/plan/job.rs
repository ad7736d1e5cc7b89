//! The job as it is planned: its prints, its route, and what follows from them
//! alone. Owns no decision; `plan` makes them.

use super::placement::Placement;
use crate::Limits;
use crate::recipe::{Colour, Effect, Fit, Output, Pixelate, Position, Quality};
use minilab_pixels::colour::Conversion;
use minilab_pixels::format::Format;
use minilab_pixels::geometry::{CropBox, Orientation, Scale, Size, Subsampling};
use minilab_pixels::jpeg;
use minilab_pixels::mosaic::Grid;
use minilab_pixels::picture::Depth;
use minilab_pixels::planes::Print;
use minilab_pixels::resample::rows_wanted;
use minilab_pixels::source::Source;
use std::sync::Arc;

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

/// How the source is turned into samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A JPEG of luma and chroma stays in planes as long as its prints let it.
    Planes(Scale),
    /// Everything else becomes pixels; a scale other than full is that of a
    /// source that [`decode::reduces`](minilab_pixels::decode::reduces).
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

impl Plan<'_> {
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
    pub(super) fn held(&self, stored: Size) -> (u32, Size) {
        match self.route {
            Route::Pixels(scale) => (scale.denominator(), scale.of_size(stored)),
            Route::Planes(_) => (1, stored),
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
