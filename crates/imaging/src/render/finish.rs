//! The last steps of a print that has its size: bars, mosaic, operations, file.

use super::counter::Counter;
use crate::Error;
use crate::plan::PrintPlan;
use crate::plan::placement::{places, region_of};
use crate::recipe::{Length, Quality, Watermark};
use minilab_pixels::encode;
use minilab_pixels::format::Format;
use minilab_pixels::geometry::{Rectangle, Size};
use minilab_pixels::mosaic::{self, Mosaic};
use minilab_pixels::operation::{self, region, rounded::Radius, sharpen::Sharpening, watermark::Spot};
use minilab_pixels::picture::{Layout, Picture, Sample};
use minilab_pixels::quality;
use minilab_pixels::whole::{searched, trusted};
use std::sync::Arc;

/// Frames, pixelates, works on and encodes one print, scaled, turned and in the
/// colour space that it will have.
pub(super) fn finish<S: Sample>(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    picture: Arc<Picture<S>>,
) -> Result<(), Error> {
    counter.in_time()?;
    if print.output.format.is_document() {
        counter.keep_small(print, S::eight(&picture).into_owned());
        return Ok(());
    }
    match print.grid() {
        Some(grid) if !print.is_worked_on() => {
            let picture = framed(print, picture);
            let model = match picture.layout {
                Layout::Grey => mosaic::Model::Gray,
                Layout::Rgb => mosaic::Model::Rgb,
                Layout::Rgba => mosaic::Model::Rgba,
            };
            let size = (picture.size.width, picture.size.height);
            let mosaic = Mosaic::from_pixels(&S::eight(&picture).pixels, size, model, grid);
            drop(picture);
            finish_mosaic(counter, print, mosaic)
        }
        _ => {
            let picture = stepped(counter, print, picture)?;
            encode(counter, print, &picture)
        }
    }
}

/// The steps of a print, or of one of its frames, that has its size: bars,
/// cells, operations. Whatever the recipe does not ask for is passed over, and
/// what is shared is copied only where it is changed.
pub(super) fn stepped<S: Sample>(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    picture: Arc<Picture<S>>,
) -> Result<Arc<Picture<S>>, Error> {
    let picture = framed(print, picture);
    let picture = pixelated(print, picture);
    worked_on(counter, print, picture)
}

fn framed<S: Sample>(print: &PrintPlan<'_>, picture: Arc<Picture<S>>) -> Arc<Picture<S>> {
    let placement = &print.placement;
    if !placement.has_bars() {
        return picture;
    }
    let owned = Arc::unwrap_or_clone(picture);
    Arc::new(owned.framed(placement.canvas, placement.offset, print.output.background.rgba))
}

fn pixelated<S: Sample>(print: &PrintPlan<'_>, picture: Arc<Picture<S>>) -> Arc<Picture<S>> {
    let Some(grid) = print.any_grid() else { return picture };
    let whole = Rectangle::of(picture.size);
    let part = print.output.region.as_ref().map_or(whole, |part| region_of(whole, part));
    Arc::new(region::pixelated(Arc::unwrap_or_clone(picture), part, grid))
}

/// What a recipe asks for once the print has its size, in the order of its
/// reference.
fn worked_on<S: Sample>(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    picture: Arc<Picture<S>>,
) -> Result<Arc<Picture<S>>, Error> {
    if !print.is_worked_on() {
        return Ok(picture);
    }
    let mut picture = Arc::unwrap_or_clone(picture);
    let output = print.output;
    if let Some(sigma) = output.blur {
        picture = operation::blur::blurred(&picture, sigma);
    }
    if let Some(sharpen) = output.sharpen {
        let how = Sharpening {
            sigma: sharpen.sigma,
            amount: sharpen.amount,
            threshold: f64::from(sharpen.threshold),
        };
        picture = operation::sharpen::sharpened(picture, how);
    }
    if output.grayscale {
        picture = operation::grayscale::grey(picture);
    }
    if let Some(radius) = output.rounded {
        let radius = match radius {
            Length::Pixels(pixels) => Radius::Pixels(f64::from(pixels)),
            Length::Percent(percent) => Radius::Percent(percent),
        };
        picture = operation::rounded::rounded(picture, radius);
    }
    if let Some(watermark) = &output.watermark {
        picture = watermarked(counter, watermark, picture)?;
    }
    Ok(Arc::new(picture))
}

fn watermarked<S: Sample>(
    counter: &Counter<'_>,
    watermark: &Watermark,
    picture: Picture<S>,
) -> Result<Picture<S>, Error> {
    // Supplied with the recipe, and counted in the plan.
    let overlay = trusted(counter.asset(&watermark.image)?, counter.limits)?;
    let spot = if watermark.tile {
        Spot::Tiled { gap: watermark.margin }
    } else {
        let (x, y) = places(watermark.position);
        Spot::At { x, y, margin: watermark.margin }
    };
    let size = operation::watermark::overlay_size(picture.size, overlay.size, watermark.scale, spot);
    let overlay = operation::watermark::fitted(&overlay, size);
    Ok(operation::watermark::watermarked(picture, &overlay, spot, watermark.opacity))
}

/// Encodes a mosaic in sRGB.
pub(super) fn finish_mosaic(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    mosaic: Mosaic,
) -> Result<(), Error> {
    if let ([(Format::Jpeg, _)], Quality::Fixed(quality)) = (&*print.candidates, print.output.quality) {
        counter.in_time()?;
        let [r, g, b, _] = print.output.background.rgba;
        let mosaic = mosaic.flattened([r, g, b]);
        let bytes = encode::mosaic(&mosaic, quality, &counter.attached(print))?;
        return counter.hand_over(print, Format::Jpeg, bytes);
    }
    encode::<u8>(counter, print, &expanded(mosaic))
}

/// All pixels of a mosaic.
pub(super) fn expanded(mosaic: Mosaic) -> Picture {
    let mosaic = mosaic.into_rgb();
    let layout = match mosaic.model {
        mosaic::Model::Gray => Layout::Grey,
        mosaic::Model::Rgb | mosaic::Model::YCbCr => Layout::Rgb,
        mosaic::Model::Rgba => Layout::Rgba,
    };
    Picture::new(Size::new(mosaic.width(), mosaic.height()), layout, mosaic.expand())
}

/// Encodes the pixels in the print's format, or in the best of its formats, and
/// hands them over.
pub(super) fn encode<S: Sample>(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    picture: &Picture<S>,
) -> Result<(), Error> {
    let attached = counter.attached(print);
    let target = match print.output.quality {
        Quality::Fixed(quality) => {
            let format = print.format();
            let bytes = encode::still(picture, format, quality, &counter.job(print, &attached))?;
            return counter.hand_over(print, format, bytes);
        }
        Quality::Auto { target } => target,
    };
    let transparent = picture.layout == Layout::Rgba;
    let choice = print.candidates.len() > 1;
    let mut best: Option<(Format, quality::Found)> = None;
    for (format, _) in &print.candidates {
        // A format that cannot show the picture is no choice where there is one.
        if choice && transparent && !format.has_alpha() {
            continue;
        }
        counter.in_time()?;
        let found = searched(picture, *format, target, &counter.job(print, &attached), counter.limits)?;
        if best.as_ref().is_none_or(|(_, best)| found.is_better_than(best)) {
            best = Some((*format, found));
        }
    }
    let Some((format, found)) = best else {
        let detail = "none of its formats holds transparency; add \"png\" or \"webp\" to formats".to_owned();
        return Err(Error::Unsupported { format: print.format().title(), feature: detail });
    };
    counter.hand_over(print, format, found.bytes)
}
