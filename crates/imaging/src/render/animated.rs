//! Animations: every frame scaled, framed, pixelated and written, one at a
//! time, so that memory does not grow with their number.

use super::pixels::expanded;
use crate::Error;
use crate::decode::gif::Frames;
use crate::encode::gif::Writer;
use crate::mosaic::{self, Mosaic};
use crate::picture::Picture;
use crate::plan::PrintPlan;
use crate::scale::scaled;
use crate::source::Source;
use crate::source::gif::GifHeader;

pub(super) fn encode(
    source: &Source<'_>,
    header: &GifHeader,
    print: &PrintPlan<'_>,
) -> Result<Vec<u8>, Error> {
    let placement = &print.placement;
    let mut frames = Frames::open(source, header)?;
    let mut writer = Writer::new(placement.canvas, Some(frames.repeat()))?;
    while let Some((canvas, delay)) = frames.next()? {
        let mut picture = scaled(canvas, placement.crop, placement.scaled)?;
        if placement.has_bars() {
            picture = picture.framed(placement.canvas, placement.offset, print.output.background.rgba);
        }
        if let Some(grid) = print.grid() {
            picture = pixelated(&picture, grid);
        }
        writer.add(picture, delay)?;
    }
    writer.finish()
}

fn pixelated(picture: &Picture, grid: mosaic::Grid) -> Picture {
    let size = (picture.size.width, picture.size.height);
    expanded(Mosaic::from_pixels(&picture.pixels, size, mosaic::Model::Rgba, grid))
}
