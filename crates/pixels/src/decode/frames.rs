//! The frames of an animation, whatever holds it, one after another as they are
//! seen: memory does not grow with their number.

use super::{gif, png, webp};
use crate::Error;
use crate::colour::ColourSpace;
use crate::picture::Picture;
use crate::source::{Kind, Source};

/// An animation being read.
pub struct Frames<'a>(Open<'a>);

/// An animation of each format.
#[expect(clippy::large_enum_variant, reason = "there is one for each print in hand")]
enum Open<'a> {
    Gif(gif::Frames<'a>),
    Webp(webp::Frames),
    Png(png::Frames<'a>),
}

impl<'a> Frames<'a> {
    /// Begins to read; [`Source::frames`] frames follow.
    pub fn open(source: &Source<'a>) -> Result<Self, Error> {
        match &source.kind {
            Kind::Gif(header) => gif::Frames::open(source, header).map(Open::Gif).map(Self),
            Kind::Webp(_) => webp::Frames::open(source).map(Open::Webp).map(Self),
            Kind::Png(header) => png::Frames::open(source, header).map(Open::Png).map(Self),
            _ => {
                Err(Error::Codec { format: source.format().title(), detail: "it holds no animation".into() })
            }
        }
    }

    /// How often the animation plays, 0 being for ever.
    pub fn plays(&self) -> u32 {
        match &self.0 {
            Open::Gif(frames) => frames.plays(),
            Open::Webp(frames) => frames.plays(),
            Open::Png(frames) => frames.plays(),
        }
    }

    /// What the samples mean.
    pub fn colour<'s>(&'s self, source: &'s Source<'_>) -> ColourSpace<'s> {
        match &self.0 {
            Open::Png(frames) => frames.colour(source),
            Open::Gif(_) | Open::Webp(_) => source.colour.clone(),
        }
    }

    /// The next frame on its canvas, RGBA, and how long it shows in
    /// milliseconds; `None` behind the last.
    pub fn next_frame(&mut self) -> Result<Option<(&Picture, u32)>, Error> {
        match &mut self.0 {
            Open::Gif(frames) => frames.next(),
            Open::Webp(frames) => frames.next(),
            Open::Png(frames) => frames.next(),
        }
    }
}

/// Bytes that reading takes at its peak, the source bytes not counted.
pub fn memory(source: &Source<'_>) -> u64 {
    match &source.kind {
        Kind::Gif(header) => gif::memory(source, header),
        Kind::Webp(header) => webp::memory(source, header),
        Kind::Png(header) => png::frames_memory(source, header),
        _ => 0,
    }
}
