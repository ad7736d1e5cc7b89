//! The prediction of memory: an upper bound of what a job takes, from its plan.

use super::job::{Plan, PrintPlan, Route};
use super::placement::Placement;
use crate::recipe::{Metadata, Quality, Recipe};
use minilab_pixels::colour::ColourSpace;
use minilab_pixels::decode;
use minilab_pixels::encode;
use minilab_pixels::format::Format;
use minilab_pixels::geometry::{Orientation, Scale, Size};
use minilab_pixels::jpeg;
use minilab_pixels::mosaic::Grid;
use minilab_pixels::picture::Layout;
use minilab_pixels::planes::{self, Decoded, Window};
use minilab_pixels::quality;
use minilab_pixels::resample;
use minilab_pixels::source::Source;
use std::borrow::Cow;

/// The upper bound of what a job takes, in bytes. Its terms:
///
/// - the source bytes;
/// - six times an ICC profile, that of the picture and of its prints and as the
///   tables that a conversion is made of, and XMP that was put together of pieces;
/// - the decoder at its peak, the decoded picture included ([`decode`]);
/// - the decoded picture twice more where it is turned as a whole, and once
///   more where a trimmed part of it is copied;
/// - full chroma, RGB and planes again where cells are averaged of another
///   colour space;
/// - all scaled pictures at once, since they may all wait for an encoder, and
///   the rows that resampling has in work ([`resample::memory`]);
/// - for as many prints as there are threads, the most expensive ones: frame,
///   operations, flattening, encoder ([`encode::memory`]) and metadata;
/// - the encoded prints that are handed over, which are the caller's to keep
///   or drop and are counted within the encoder's term;
/// - 16 MiB for the codecs' code and tables, stacks, and what the allocator of
///   each thread keeps.
pub(super) fn memory(source: &Source<'_>, recipe: &Recipe, plan: &Plan<'_>, threads: usize) -> u64 {
    let Source { stored, layout, .. } = *source;
    let joined = match &source.xmp {
        Some(Cow::Owned(xmp)) => xmp.len() as u64,
        _ => 0,
    };
    let described = 6 * source.profile() + joined;
    let Plan { route, depth, prints, .. } = plan;
    let decoder = match (source.jpeg(), *route) {
        (Some(header), Route::Planes(scale)) if plan.flows => rows(source, header, plan, scale),
        (Some(header), Route::Planes(scale)) => {
            // The planes, and rows of MCUs on their way there.
            let rows = jpeg::Scan::read(source.bytes, header).map_or(0, |scan| scan.memory(scale, [0; 3]));
            header.planes_memory(scale) + rows
        }
        (_, Route::Pixels(scale)) if plan.flows => pixel_rows(source, plan, scale),
        // Drawn for each print, one after another, and once as large as it says.
        (_, Route::Pixels(scale)) if decode::is_drawing(source) => prints
            .iter()
            .map(|print| decode::drawn_memory(source, print.placement.crop, print.placement.unturned()))
            .chain([decode::memory(source, scale, *depth)])
            .max()
            .unwrap_or(0),
        (_, Route::Planes(scale) | Route::Pixels(scale)) => decode::memory(source, scale, *depth),
    };
    let channels = layout.channels() as u64 * source.depth.min(*depth).bytes();
    let seen = source.seen();
    let (_, held) = plan.held(stored);
    let whole = held.pixels() * channels;
    let turned = match route {
        Route::Pixels(_) if source.orientation != Orientation::UPRIGHT && !plan.flows => 2 * whole,
        _ => 0,
    };
    let trimmed = if prints.iter().any(|print| print.output.trim.is_some()) { 2 * whole } else { 0 };
    let kept = if prints.iter().any(PrintPlan::keeps_colour) && !plan.flows { whole } else { 0 };
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
        let whole_mosaic = print.is_whole_mosaic(seen);
        if !whole_mosaic {
            // Planes in 4:4:4 and pixels take the same.
            waiting += scaled.pixels() * channels;
            working.push(opened(source, plan, print));
        }
        let plain = !print.placement.has_bars() && !print.is_worked_on();
        if let (Some(grid), Format::Jpeg, true) = (print.grid(), print.format(), plain) {
            // Cells are written without their pixels, unless they are small.
            let longest = if whole_mosaic { seen } else { scaled };
            working.push(mosaic_memory(grid, longest) + attached(source, print));
            continue;
        }
        let wide = print.depth.bytes();
        let through_rgb = if matches!(route, Route::Planes(_)) { 2 * scaled.pixels() * 3 } else { 0 };
        let frame = if plain && print.grid().is_none() { 0 } else { canvas.pixels() * 4 * wide };
        let operations = if print.is_worked_on() { canvas.pixels() * (4 * wide + 24) } else { 0 };
        let watermark = print.output.watermark.as_ref().map_or(0, |watermark| {
            // Decoded, converted and scaled.
            recipe.asset(&watermark.image).map_or(0, |supplied| supplied.pixels * 16) + canvas.pixels() * 4
        });
        let frames = if print.is_animated() {
            // A canvas turned and converted, scaled, and its alpha premultiplied.
            decode::frames::memory(source)
                + encode::frames::memory(print.format(), canvas, print.frames)
                + 3 * 4 * stored.pixels()
                + 3 * 4 * canvas.pixels()
        } else {
            0
        };
        let layout = if print.output.rounded.is_some() || print.output.watermark.is_some() {
            Layout::Rgba
        } else {
            layout
        };
        let encoder = print
            .candidates
            .iter()
            .map(|(format, _)| encode::memory(*format, canvas, layout, &print.output.encoding()) * wide)
            .max()
            .unwrap_or(0);
        // Each try is decoded and compared; the comparison works in floating point.
        let search = match print.output.quality {
            Quality::Auto { .. } => canvas.pixels().min(quality::SCORED) * 120 + canvas.pixels() * 16,
            Quality::Fixed(_) => 0,
        };
        let attached = attached(source, print);
        working.push(through_rgb + frame + operations + watermark + frames + encoder + search + attached);
    }
    working.sort_unstable_by(|a, b| b.cmp(a));
    let busy: u64 = working.iter().take(threads).sum();
    source.size() + described + decoder + turned + trimmed + kept + converted + waiting + busy + (16 << 20)
}

/// Bytes that a print's metadata take: copied for the encoder, by it, and with a
/// file that grows.
fn attached(source: &Source<'_>, print: &PrintPlan<'_>) -> u64 {
    let exif = source.exif.map_or(0, <[u8]>::len);
    let kept = match print.output.metadata {
        Metadata::None => 0,
        Metadata::Copyright => exif,
        Metadata::All => exif + source.xmp.as_ref().map_or(0, |xmp| xmp.len()),
    };
    let profile = if print.keeps_colour() { source.profile() } else { 0 };
    5 * (kept as u64 + profile)
}

/// Bytes that decoding takes where only those rows are held that prints are
/// being made of.
fn rows(source: &Source<'_>, header: &jpeg::Header<'_>, plan: &Plan<'_>, scale: Scale) -> u64 {
    let Some(scan) = jpeg::Scan::read(source.bytes, header) else { return header.planes_memory(scale) };
    let decoded = Decoded { full: source.stored, scale, orientation: source.orientation };
    let prints = plan.planar_prints();
    let first_hand = planes::first_hand(&prints);
    let wanted = first_hand.iter().map(|&index| &prints[index]);
    // Columns of the rows that are being mixed, 16 at once of two bytes, of all planes.
    let mixed = first_hand.len() as u64 * u64::from(scale.of(source.stored.width)) * 3 * 32;
    let open = first_hand.iter().map(|&index| opened(source, plan, &plan.prints[index])).sum::<u64>();
    scan.memory(scale, jpeg::rows_wanted(scan.shape(scale), decoded, wanted)) + mixed + open
}

/// The same for pixels.
fn pixel_rows(source: &Source<'_>, plan: &Plan<'_>, scale: Scale) -> u64 {
    let held = scale.of_size(source.stored);
    let row = u64::from(held.width) * source.layout.channels() as u64;
    let mixed = plan.prints.len() as u64 * row * 32;
    let rows = Window::capacity(decode::STRIP, plan.rows_wanted(source, scale), held.height as usize);
    let open = plan.prints.iter().map(|print| opened(source, plan, print)).sum::<u64>();
    decode::rows_memory(source, scale) + rows as u64 * row + mixed + open
}

/// What the resampling of a print takes from the first row to the last: while
/// rows flow, those of all prints are under way, whatever the threads.
fn opened(source: &Source<'_>, plan: &Plan<'_>, print: &PrintPlan<'_>) -> u64 {
    let Source { stored, orientation, layout, .. } = *source;
    let (step, held) = plan.held(stored);
    let crop = print.placement.crop.before(orientation, stored).held(step, held);
    resample::memory(crop, held, print.placement.unturned().turned(orientation), layout)
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
