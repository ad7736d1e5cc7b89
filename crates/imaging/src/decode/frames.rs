//! The frames of an animation, whatever holds it, one after another as they are
//! seen: memory does not grow with their number.

use super::{gif, png, webp};
use crate::Error;
use crate::colour::ColourSpace;
use crate::picture::Picture;
use crate::source::{Kind, Source};

/// An animation being read.
#[expect(clippy::large_enum_variant, reason = "there is one for each print in hand")]
pub(crate) enum Frames<'a> {
    Gif(gif::Frames<'a>),
    Webp(webp::Frames),
    Png(png::Frames<'a>),
}

impl<'a> Frames<'a> {
    /// Begins to read; [`Source::frames`] frames follow.
    pub(crate) fn open(source: &Source<'a>) -> Result<Self, Error> {
        match &source.kind {
            Kind::Gif(header) => gif::Frames::open(source, header).map(Self::Gif),
            Kind::Webp(_) => webp::Frames::open(source).map(Self::Webp),
            Kind::Png(header) => png::Frames::open(source, header).map(Self::Png),
            _ => {
                Err(Error::Codec { format: source.format().title(), detail: "it holds no animation".into() })
            }
        }
    }

    /// How often the animation plays, 0 being for ever.
    pub(crate) fn plays(&self) -> u32 {
        match self {
            Self::Gif(frames) => frames.plays(),
            Self::Webp(frames) => frames.plays(),
            Self::Png(frames) => frames.plays(),
        }
    }

    /// What the samples mean.
    pub(crate) fn colour<'s>(&'s self, source: &'s Source<'_>) -> ColourSpace<'s> {
        match self {
            Self::Png(frames) => frames.colour(source),
            Self::Gif(_) | Self::Webp(_) => source.colour.clone(),
        }
    }

    /// The next frame on its canvas, RGBA, and how long it shows in
    /// milliseconds; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<(&Picture, u32)>, Error> {
        match self {
            Self::Gif(frames) => frames.next(),
            Self::Webp(frames) => frames.next(),
            Self::Png(frames) => frames.next(),
        }
    }
}

/// Bytes that reading takes at its peak, the source bytes not counted.
pub(crate) fn memory(source: &Source<'_>) -> u64 {
    match &source.kind {
        Kind::Gif(header) => gif::memory(source, header),
        Kind::Webp(header) => webp::memory(source, header),
        Kind::Png(header) => png::frames_memory(source, header),
        _ => 0,
    }
}
