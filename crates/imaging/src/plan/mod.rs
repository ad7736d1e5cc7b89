//! What will be done with a picture, decided from its header and the recipe
//! alone: each print's key, format and placement, how the source is decoded,
//! and how much memory the whole takes at most. Nothing is allocated for pixels
//! before the plan is within the limits.

pub(crate) mod geometry;

use crate::colour::{ColourSpace, Conversion};
use crate::decode;
use crate::encode;
use crate::error::Limit;
use crate::jpeg::{self, Scale};
use crate::mosaic::{self, Grid};
use crate::picture::Layout;
use crate::planes::{self, Print, Subsampling};
use crate::recipe::{Fit, Format, FormatChoice, Output, Pixelate, PrintName, Recipe};
use crate::source::{Kind, Source, at_most};
use crate::{Error, Limits};
use geometry::{Placement, Size, place};

/// One print to be made.
pub(crate) struct PrintPlan<'r> {
    /// Index into the recipe's outputs.
    pub(crate) index: usize,
    pub(crate) output: &'r Output,
    pub(crate) format: Format,
    pub(crate) key: String,
    pub(crate) placement: Placement,
    /// 1, or all frames of the source.
    pub(crate) frames: u32,
}

impl PrintPlan<'_> {
    /// The grid of a pixelation.
    pub(crate) fn grid(&self) -> Option<Grid> {
        self.output.pixelate.map(|pixelate| match pixelate {
            Pixelate::Cells(count) => Grid::Cells(count),
            Pixelate::Block(side) => Grid::Block(side),
        })
    }

    /// A pixelation of the whole picture at its own size: its cells need no
    /// more of the source than a coarse decode.
    pub(crate) fn is_whole_mosaic(&self, seen: Size) -> bool {
        self.grid().is_some()
            && self.placement.canvas == seen
            && self.output.resize.is_none_or(|resize| resize.fit != Fit::Contain)
            && self.placement.scaled == seen
    }

    pub(crate) fn is_animated(&self) -> bool {
        self.frames > 1
    }
}

/// How the source is turned into samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A JPEG of luma and chroma stays in planes as long as its prints let it.
    Planes(Scale),
    /// Everything else becomes sRGB pixels; a scale other than full is a JPEG's.
    Pixels(Scale),
}

/// The whole job.
pub(crate) struct Plan<'r> {
    pub(crate) prints: Vec<PrintPlan<'r>>,
    pub(crate) route: Route,
    /// Upper bound of the peak of memory, in bytes, the source included.
    pub(crate) memory: u64,
}

impl<'r> Plan<'r> {
    pub(crate) fn new(
        source: &Source<'_>,
        source_key: &str,
        recipe: &'r Recipe,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let prints = recipe
            .outputs
            .iter()
            .enumerate()
            .map(|(index, output)| print(source, source_key, index, output, limits))
            .collect::<Result<Vec<_>, _>>()?;
        distinct_keys(&prints)?;
        let route = route(source, &prints);
        let memory = memory(source, &prints, route, limits.threads);
        at_most(Limit::Memory, "the memory that its prints need", memory, limits.memory, "bytes")?;
        Ok(Self { prints, route, memory })
    }
}

fn print<'r>(
    source: &Source<'_>,
    source_key: &str,
    index: usize,
    output: &'r Output,
    limits: &Limits,
) -> Result<PrintPlan<'r>, Error> {
    let format = match output.format {
        FormatChoice::Source => source.format(),
        FormatChoice::Fixed(format) => format,
    };
    let placement = place(source.seen(), output.resize.as_ref());
    let Size { width, height } = placement.canvas;
    at_most(
        Limit::Side,
        "the longer side of a print",
        u64::from(width.max(height)),
        limits.side.into(),
        "pixels",
    )?;
    encode::fits(format, placement.canvas)?;
    let name = PrintName { source_key, format, width, height };
    let key = output
        .key
        .expand(&name)
        .map_err(|e| Error::Key { output: output.key.as_str().to_owned(), detail: e.to_string() })?;
    let animated = format == Format::Gif && source.format() == Format::Gif;
    Ok(PrintPlan { index, output, format, key, placement, frames: if animated { source.frames } else { 1 } })
}

/// The recipe's templates differ; what they give for one picture may not.
fn distinct_keys(prints: &[PrintPlan<'_>]) -> Result<(), Error> {
    for (i, print) in prints.iter().enumerate() {
        if let Some(first) = prints[..i].iter().find(|earlier| earlier.key == print.key) {
            return Err(Error::Key {
                output: print.output.key.as_str().to_owned(),
                detail: format!(
                    "for this picture it gives the key {:?}, which {:?} gives too; tell the two apart in their templates",
                    print.key,
                    first.output.key.as_str()
                ),
            });
        }
    }
    Ok(())
}

fn route(source: &Source<'_>, prints: &[PrintPlan<'_>]) -> Route {
    let Kind::Jpeg(header) = &source.kind else {
        return Route::Pixels(Scale::Full);
    };
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
    let for_prints = (!resized.is_empty()).then(|| planes::scale_for(&resized));
    if header.is_planar() {
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
pub(crate) fn planar_print(print: &PrintPlan<'_>, through_rgb: bool) -> Print {
    let direct = !through_rgb && !print.placement.has_bars();
    let subsampling = match print.format {
        _ if direct && print.output.pixelate.is_some() => Subsampling::S420,
        Format::Jpeg if direct => jpeg::subsampling_for(print.output.quality),
        Format::Webp if direct => Subsampling::S420,
        _ => Subsampling::S444,
    };
    Print {
        crop: print.placement.crop,
        width: print.placement.scaled.width,
        height: print.placement.scaled.height,
        subsampling,
    }
}

/// The conversion that prints made from planes need.
pub(crate) fn planar_conversion(source: &Source<'_>, header: &jpeg::Header<'_>) -> Option<Conversion> {
    Conversion::to_srgb(&source.colour, decode::jpeg::model(header))
}

/// The upper bound of what a job takes, in bytes. Its terms:
///
/// - the source bytes, and an ICC profile out of them;
/// - the decoder at its peak, the decoded picture included ([`decode`]);
/// - the decoded picture twice more where it is turned as a whole;
/// - full chroma, RGB and planes again where cells are averaged of another
///   colour space;
/// - all scaled pictures at once, since they may all wait for an encoder, and
///   the resizer's intermediate rows;
/// - for as many prints as there are threads, the most expensive ones: frame,
///   flattening and encoder ([`encode::memory`]);
/// - the encoded prints that are handed over, which are the caller's to keep
///   or drop and are counted within the encoder's term;
/// - 16 MiB for the codecs' code and tables, stacks, and what the allocator of
///   each thread keeps.
fn memory(source: &Source<'_>, prints: &[PrintPlan<'_>], route: Route, threads: usize) -> u64 {
    let stored = source.stored;
    let (decoder, layout) = match &source.kind {
        Kind::Jpeg(header) => match route {
            Route::Planes(scale) => (header.planes_memory(scale), jpeg_layout(header)),
            Route::Pixels(scale) => (decode::jpeg::memory(header, scale), jpeg_layout(header)),
        },
        Kind::Png(header) => {
            (decode::png::memory(source, header), if header.alpha { Layout::Rgba } else { Layout::Rgb })
        }
        Kind::Webp(header) => {
            (decode::webp::memory(source, header), if header.alpha { Layout::Rgba } else { Layout::Rgb })
        }
        Kind::Gif(header) => (decode::gif::memory(source, header), Layout::Rgba),
    };
    let channels = layout.channels() as u64;
    let seen = source.seen();
    let turned = match route {
        Route::Pixels(_) if source.orientation != planes::Orientation::UPRIGHT => {
            2 * stored.pixels() * channels
        }
        _ => 0,
    };
    let converted = match (route, &source.colour) {
        (Route::Planes(scale), ColourSpace::Icc(_)) if prints.iter().any(|print| print.grid().is_some()) => {
            let decoded = Size::new(scale.of(stored.width), scale.of(stored.height));
            9 * decoded.pixels()
        }
        _ => 0,
    };
    let mut waiting = 0;
    let mut working: Vec<u64> = Vec::new();
    for print in prints {
        let Placement { scaled, canvas, .. } = print.placement;
        let whole = print.is_whole_mosaic(seen);
        if !whole {
            // Planes in 4:4:4 and pixels take the same; alpha is premultiplied in a copy.
            let premultiplied = if layout == Layout::Rgba { stored.pixels() * 4 } else { 0 };
            let rows = u64::from(scaled.width) * u64::from(stored.height) * channels;
            waiting += scaled.pixels() * channels;
            working.push(premultiplied + rows);
        }
        if let (Some(grid), Format::Jpeg, false) = (print.grid(), print.format, print.placement.has_bars()) {
            // Cells are written without their pixels, unless they are small.
            let longest = if whole { seen } else { scaled };
            working.push(mosaic_memory(grid, longest));
            continue;
        }
        let through_rgb = if matches!(route, Route::Planes(_)) { 2 * scaled.pixels() * 3 } else { 0 };
        let frame =
            if print.placement.has_bars() || print.grid().is_some() { canvas.pixels() * 4 } else { 0 };
        let frames = if print.is_animated() {
            decode::gif::memory(
                source,
                match &source.kind {
                    Kind::Gif(header) => header,
                    _ => continue,
                },
            ) + u64::from(print.frames) * canvas.pixels() * 2
        } else {
            0
        };
        let encoder = encode::memory(print.format, canvas, layout, print.output.quality);
        working.push(through_rgb + frame + frames + encoder);
    }
    working.sort_unstable_by(|a, b| b.cmp(a));
    let busy: u64 = working.iter().take(threads.max(1)).sum();
    source.bytes.len() as u64 + decoder + turned + converted + waiting + busy + (16 << 20)
}

/// Bytes that a mosaic of `size` takes as a JPEG: planes of small cells, and a
/// file of at most two bits a pixel, or as large as a photo's.
fn mosaic_memory(grid: Grid, size: Size) -> u64 {
    let side = size.width.min(size.height);
    let cell = match grid {
        Grid::Cells(count) => side / count.get(),
        Grid::Block(pixels) => pixels.get(),
    };
    let bytes = if cell < 16 { size.pixels() * 6 } else { size.pixels() / 4 };
    bytes + (2 << 20)
}

fn jpeg_layout(header: &jpeg::Header<'_>) -> Layout {
    if header.components == 1 { Layout::Grey } else { Layout::Rgb }
}
