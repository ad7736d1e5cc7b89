//! Animations: every frame scaled, turned, framed, worked on and written, one at
//! a time, so that memory does not grow with their number.

use super::counter::Counter;
use super::finish::worked_on;
use crate::Error;
use crate::plan::PrintPlan;
use crate::recipe::Quality;
use minilab_pixels::colour::{Conversion, Model};
use minilab_pixels::decode::frames::Frames;
use minilab_pixels::encode::frames::Writer;
use minilab_pixels::geometry::{Orientation, Rectangle};
use minilab_pixels::operation::region;
use minilab_pixels::scale::scaled_as;

/// The quality of a print whose quality is to be found: no search is made for
/// every frame.
const QUALITY: u8 = 80;

pub(super) fn print(counter: &Counter<'_>, print: &PrintPlan<'_>) -> Result<(), Error> {
    let (source, placement, format) = (counter.source, &print.placement, print.format());
    let mut frames = Frames::open(source)?;
    let conversion = Conversion::<u8>::to_srgb(&frames.colour(source), Model::Rgb);
    let quality = match print.output.quality {
        _ if print.output.lossless => 100,
        Quality::Fixed(quality) => quality,
        Quality::Auto { .. } => QUALITY,
    };
    let mut writer = Writer::new(format, placement.canvas, print.frames, frames.plays(), quality)?;
    for _ in 0..print.frames {
        let Some((canvas, delay)) = frames.next_frame()? else { break };
        counter.in_time()?;
        let (crop, size) = (placement.crop, placement.unturned());
        let mut picture = if source.orientation == Orientation::UPRIGHT && conversion.is_none() {
            scaled_as(canvas, crop, size, print.is_linear())
        } else {
            let mut canvas = canvas.clone();
            if let Some(conversion) = &conversion {
                conversion.apply(&mut canvas);
            }
            scaled_as(&canvas.turned(source.orientation), crop, size, print.is_linear())
        }
        .turned(placement.turn);
        if placement.has_bars() {
            picture = picture.framed(placement.canvas, placement.offset, print.output.background.rgba);
        }
        if print.is_worked_on() {
            picture = worked_on(counter, print, picture)?;
        } else if let Some(grid) = print.grid() {
            let whole = Rectangle::of(picture.size);
            picture = region::pixelated(picture, whole, grid);
        }
        writer.add(picture, delay)?;
    }
    counter.hand_over(print, format, writer.finish()?)
}
