//! Animations, written frame by frame in any format that holds them.

use super::{apng, gif, webp};
use crate::Error;
use crate::format::Format;
use crate::geometry::Size;
use crate::picture::Picture;

/// An animation being written.
pub struct Writer(Open);

/// An animation of each format.
enum Open {
    Gif(gif::Writer),
    Webp(webp::AnimationWriter),
    Png(apng::Writer),
}

impl Writer {
    /// Of `frames` frames on a canvas of `size`, played `plays` times, 0 being
    /// for ever; `quality` is WebP's, 100 being without loss.
    pub fn new(format: Format, size: Size, frames: u32, plays: u32, quality: u8) -> Result<Self, Error> {
        match format {
            Format::Gif => gif::Writer::new(size, Some(plays)).map(Open::Gif).map(Self),
            Format::Webp => webp::AnimationWriter::new(size, plays, quality).map(Open::Webp).map(Self),
            Format::Png => apng::Writer::new(size, frames, plays).map(Open::Png).map(Self),
            other => Err(Error::Codec { format: other.title(), detail: "it holds no animation".into() }),
        }
    }

    /// Adds a frame of the size of the canvas, shown for `delay` milliseconds.
    pub fn add(&mut self, picture: Picture, delay: u32) -> Result<(), Error> {
        match &mut self.0 {
            Open::Gif(writer) => writer.add(picture, delay),
            Open::Webp(writer) => writer.add(picture, delay),
            Open::Png(writer) => writer.add(picture, delay),
        }
    }

    /// The file.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        match self.0 {
            Open::Gif(writer) => writer.finish(),
            Open::Webp(writer) => writer.finish(),
            Open::Png(writer) => writer.finish(),
        }
    }
}

/// Bytes that writing takes at its peak, the frame given to it not counted: the
/// file, at two bytes a pixel of every frame and copied once, and what a codec
/// holds of a frame: GIF three canvases, indices and the colours of one; WebP
/// the canvas, the frame before and libwebp's work on two candidates; PNG two
/// canvases, filtered rows and their compressed copy.
pub fn memory(format: Format, size: Size, frames: u32) -> u64 {
    let pixels = size.pixels();
    let held = match format {
        Format::Gif => 4 * 4 + 8,
        Format::Webp => 4 * 4 + 20,
        _ => 4 * 5,
    };
    pixels * held + u64::from(frames) * pixels * 2 * 2
}
