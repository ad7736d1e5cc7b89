//! Prints by way of sRGB pixels: PNG, WebP and GIF sources, and JPEGs that have
//! no planes of luma and chroma.

use super::{Counter, animated};
use crate::Error;
use crate::decode;
use crate::encode;
use crate::jpeg::{self, Scale};
use crate::mosaic::{self, Mosaic};
use crate::parallel::for_each;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::plan::{Plan, PrintPlan};
use crate::planes::{CropBox, Orientation};
use crate::recipe::Format;
use crate::scale::scaled;
use crate::source::{Kind, Source};
use std::sync::Arc;

/// Least ratio between two prints that are made from one another: below it the
/// second filter would soften what the first has kept.
const CASCADE: f64 = 1.5;

/// A print whose pixels wait for their encoder; an animation has none, it is
/// decoded again, frame by frame.
struct Job<'p, 'r> {
    print: &'p PrintPlan<'r>,
    picture: Option<Arc<Picture>>,
}

pub(super) fn run(counter: &Counter<'_>, plan: &Plan<'_>, scale: Scale) -> Result<(), Error> {
    let stills: Vec<&PrintPlan<'_>> = plan.prints.iter().filter(|print| !print.is_animated()).collect();
    let mut jobs: Vec<Job<'_, '_>> = plan
        .prints
        .iter()
        .filter(|print| print.is_animated())
        .map(|print| Job { print, picture: None })
        .collect();
    if !stills.is_empty() {
        let decoded = decode(counter.source, scale)?;
        jobs.extend(scale_all(counter.source, decoded, &stills)?);
    }
    for_each(counter.threads, jobs, |job| {
        let bytes = match (job.picture, &counter.source.kind) {
            (None, Kind::Gif(header)) => animated::encode(counter.source, header, job.print)?,
            (None, _) => return Ok(()),
            (Some(picture), _) => finish(counter, job.print, picture)?,
        };
        counter.hand_over(job.print, bytes);
        Ok(())
    })
}

fn decode(source: &Source<'_>, scale: Scale) -> Result<Picture, Error> {
    match &source.kind {
        Kind::Jpeg(header) => decode::jpeg::decode(source, header, scale),
        Kind::Png(header) => decode::png::decode(source, header),
        Kind::Webp(header) => decode::webp::decode(source, header),
        Kind::Gif(header) => decode::gif::decode(source, header),
    }
}

/// Every print at its size, upright, from largest to smallest: each from the
/// smallest earlier one that shows the same part and is enough larger.
fn scale_all<'p, 'r>(
    source: &Source<'_>,
    decoded: Picture,
    prints: &[&'p PrintPlan<'r>],
) -> Result<Vec<Job<'p, 'r>>, Error> {
    let mut order: Vec<&'p PrintPlan<'r>> = prints.to_vec();
    order.sort_by_key(|print| std::cmp::Reverse(print.placement.scaled.pixels()));
    let base = Base { stored: source.stored, orientation: source.orientation, decoded: Arc::new(decoded) };
    let mut upright: Option<Arc<Picture>> = None;
    let mut made: Vec<(CropBox, Arc<Picture>)> = Vec::new();
    let mut jobs = Vec::new();
    for print in order {
        let placement = &print.placement;
        // Never from an enlarged one, which has nothing that the picture has not.
        let larger = made.iter().rev().find(|(crop, picture)| {
            *crop == placement.crop
                && f64::from(picture.size.width) <= crop.width
                && f64::from(picture.size.height) <= crop.height
                && f64::from(picture.size.width) >= CASCADE * f64::from(placement.scaled.width)
                && f64::from(picture.size.height) >= CASCADE * f64::from(placement.scaled.height)
        });
        let picture = if base.is_untouched(placement.crop, placement.scaled) {
            // Shared, not copied: pixelations of a large picture are many.
            let shared = upright.take().unwrap_or_else(|| base.upright());
            upright = Some(Arc::clone(&shared));
            shared
        } else if let Some((_, larger)) = larger {
            Arc::new(scaled(larger, CropBox::of(larger.size), placement.scaled)?)
        } else {
            Arc::new(base.print(placement.crop, placement.scaled)?)
        };
        made.push((placement.crop, Arc::clone(&picture)));
        jobs.push(Job { print, picture: Some(picture) });
    }
    Ok(jobs)
}

/// The decoded picture, still as stored.
struct Base {
    stored: Size,
    orientation: Orientation,
    decoded: Arc<Picture>,
}

impl Base {
    /// Whether a print shows the decoded picture pixel for pixel.
    fn is_untouched(&self, crop: CropBox, size: Size) -> bool {
        self.decoded.size == self.stored
            && size == self.stored.turned(self.orientation)
            && crop == CropBox::of(size)
    }

    fn upright(&self) -> Arc<Picture> {
        if self.orientation == Orientation::UPRIGHT {
            return Arc::clone(&self.decoded);
        }
        Arc::new(Picture::clone(&self.decoded).turned(self.orientation))
    }

    /// `crop` of the seen picture at `size`, upright.
    fn print(&self, crop: CropBox, size: Size) -> Result<Picture, Error> {
        let crop = crop.before(self.orientation, self.stored).rescaled(self.stored, self.decoded.size);
        let stored_size = size.turned(self.orientation);
        Ok(scaled(&self.decoded, crop, stored_size)?.turned(self.orientation))
    }
}

/// Frames, pixelates and encodes one print, scaled and in sRGB.
pub(super) fn finish(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    picture: Arc<Picture>,
) -> Result<Vec<u8>, Error> {
    let placement = &print.placement;
    let picture = if placement.has_bars() {
        let owned = Arc::unwrap_or_clone(picture);
        Arc::new(owned.framed(placement.canvas, placement.offset, print.output.background.rgba))
    } else {
        picture
    };
    match print.grid() {
        Some(grid) => {
            let model = match picture.layout {
                Layout::Grey => mosaic::Model::Gray,
                Layout::Rgb => mosaic::Model::Rgb,
                Layout::Rgba => mosaic::Model::Rgba,
            };
            let size = (picture.size.width, picture.size.height);
            let mosaic = Mosaic::from_pixels(&picture.pixels, size, model, grid);
            drop(picture);
            finish_mosaic(counter, print, mosaic)
        }
        None => encode::still(&picture, print.format, print.output, counter.attached(print)),
    }
}

/// Encodes a mosaic in sRGB.
pub(super) fn finish_mosaic(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    mosaic: Mosaic,
) -> Result<Vec<u8>, Error> {
    let attached = counter.attached(print);
    let quality = print.output.quality;
    if print.format == Format::Jpeg {
        let [r, g, b, _] = print.output.background.rgba;
        let mosaic = mosaic.flattened([r, g, b]);
        let subsampling = jpeg::subsampling_for(quality);
        return mosaic::write_jpeg(&mosaic, quality, subsampling, encode::segments(attached));
    }
    encode::still(&expanded(mosaic), print.format, print.output, attached)
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
