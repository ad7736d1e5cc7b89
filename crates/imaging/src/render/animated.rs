//! Animations: every frame scaled, turned, framed, worked on and written, one at
//! a time, so that memory does not grow with their number.

use super::counter::Counter;
use super::finish::stepped;
use crate::Error;
use crate::plan::PrintPlan;
use crate::recipe::Quality;
use minilab_pixels::colour::{Conversion, Model};
use minilab_pixels::decode::frames::Frames;
use minilab_pixels::encode::frames::Writer;
use minilab_pixels::geometry::Orientation;
use minilab_pixels::scale::scaled_as;
use std::sync::Arc;

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
        let picture = if source.orientation == Orientation::UPRIGHT && conversion.is_none() {
            scaled_as(canvas, crop, size, print.is_linear())
        } else {
            let mut canvas = canvas.clone();
            if let Some(conversion) = &conversion {
                conversion.apply(&mut canvas);
            }
            scaled_as(&canvas.turned(source.orientation), crop, size, print.is_linear())
        }
        .turned(placement.turn);
        let picture = stepped(counter, print, Arc::new(picture))?;
        writer.add(Arc::unwrap_or_clone(picture), delay)?;
    }
    counter.hand_over(print, format, writer.finish()?)
}
