//! The quality that a print needs to look as asked: a search over an encoder's
//! scale for a score on SSIMULACRA2 (<https://github.com/cloudinary/ssimulacra2>),
//! where 100 is identical, 90 cannot be told apart at arm's length, 70 is high
//! and 50 is medium quality.
//!
//! Owns: what is scored and how the search goes on. Refuses: codecs; encoding
//! and decoding are the caller's. Same arguments, same answer: the score is the
//! same with and without SIMD, and nothing here looks at a clock.

use crate::Error;
use crate::geometry::{Rectangle, Size};
use crate::picture::{Layout, Picture};
use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Error, Ssimulacra2Reference};
use serde::Serialize;
use std::ops::RangeInclusive;

/// How good an encoded picture is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The encoder's own scale, 1–100.
    Fixed(u8),
    /// The smallest file whose score on SSIMULACRA2 is this, 30–100: 50 is
    /// medium, 70 high, 90 visually lossless.
    Auto {
        /// The score.
        target: f64,
    },
}

/// The most encodes of one search.
pub const ENCODES: u32 = 6;
/// A print may miss its target by so much: no eye sees one point.
const SLACK: f64 = 1.0;
/// A search ends early where a print comes this near: other implementations of
/// the score differ by a point, and both together should not make two.
const CLOSE: f64 = 0.5;

/// The most pixels that are scored, of a larger picture those in its middle.
///
/// Measured with twice as many on four photographs at 2048 and 3000 pixels and
/// three qualities against the score of the whole: the middle is off by +0.5 on average and 0.8
/// (root mean square); as many pixels in tiles of 512 by +1.2 and 1.8 laid side
/// by side, by +2.8 and 3.1 where tiles are scored one by one.
///
/// Scoring takes 110 bytes of memory a pixel (228 MB measured at 1920 × 1080), half
/// of it from the first encode to the last: twice as many pixels would not fit
/// two prints at once into a function of 512 MB.
pub const SCORED: u64 = 1 << 20;

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// On the encoder's scale.
    pub quality: u8,
    /// The print.
    pub bytes: Vec<u8>,
    /// Its score.
    pub score: f64,
    /// Whether the score is at least the target, less a point. Otherwise this is
    /// the best print that was found.
    pub reached: bool,
}

impl Found {
    /// Whether this is the better print of the same picture: one that looks as
    /// asked before one that does not, then the smaller, or the one that comes
    /// nearer.
    pub fn is_better_than(&self, other: &Self) -> bool {
        match (self.reached, other.reached) {
            (true, true) => self.bytes.len() < other.bytes.len(),
            (false, false) => self.score > other.score,
            (reached, _) => reached,
        }
    }
}

/// Looks for the smallest quality of `range` whose print scores `target` (up to
/// 100), and is content with any that scores within half a point of it.
///
/// `encode` makes a print of a quality, `decode` gives back its pixels in the
/// size of `reference`. At most [`ENCODES`] prints are made: whether the score
/// misses by more than a point is known then, but not always whether a quality
/// between two that were tried would do.
pub fn search(
    reference: &Picture,
    target: f64,
    range: RangeInclusive<u8>,
    mut encode: impl FnMut(u8) -> Result<Vec<u8>, Error>,
    decode: impl Fn(&[u8]) -> Result<Picture, Error>,
) -> Result<Found, Error> {
    let judge = Judge::new(reference)?;
    let mut bracket = Bracket::new(range, target);
    let mut best: Option<Found> = None;
    for _ in 0..ENCODES {
        let Some(quality) = bracket.next() else { break };
        let bytes = encode(quality)?;
        let score = judge.score(&decode(&bytes)?)?;
        bracket.learn(quality, score);
        let found = Found { quality, bytes, score, reached: score >= target - SLACK };
        let better = best.as_ref().is_none_or(|best| match (found.reached, best.reached) {
            (true, true) => found.quality < best.quality,
            (false, false) => found.score > best.score,
            (reached, _) => reached,
        });
        if better {
            best = Some(found);
        }
        if (score - target).abs() <= CLOSE {
            break;
        }
    }
    best.ok_or_else(|| Error::Codec { format: "quality", detail: "an empty range of qualities".into() })
}

/// What is known of the scores: they rise with the quality, by and large.
struct Bracket {
    target: f64,
    /// The first quality that may still do, and the last one.
    low: u8,
    high: u8,
    /// The closest scores seen below and above the target.
    below: Option<(u8, f64)>,
    above: Option<(u8, f64)>,
    /// What was the closest before, as long as all scores are on one side.
    before: Option<(u8, f64)>,
    /// Whether the bracket is to be halved next.
    halve: bool,
}

impl Bracket {
    fn new(range: RangeInclusive<u8>, target: f64) -> Self {
        Self {
            target,
            low: *range.start(),
            high: *range.end(),
            below: None,
            above: None,
            before: None,
            halve: false,
        }
    }

    /// The quality to try; `None` where none is left that could be better.
    fn next(&self) -> Option<u8> {
        if self.low > self.high {
            return None;
        }
        // Scores lose about as much on the way to 0 as qualities do; of even texture
        // a third of it, which two scores on one side tell. And then they fall off a
        // cliff, which must not carry the search away.
        let far = |quality: u8, score: f64| {
            let off = (self.target - score).abs();
            let rate = self.before.map_or(1.2, |(other, then)| {
                (f64::from(quality) - f64::from(other)).abs() / (score - then).abs().max(0.01)
            });
            (off * rate.clamp(1.2, 4.0)).clamp(2.0, 30.0)
        };
        let guess = match (self.below, self.above) {
            // Where photos reach the target with most encoders, roughly.
            (None, None) => self.target,
            (Some((quality, score)), None) => f64::from(quality) + far(quality, score),
            (None, Some((quality, score))) => f64::from(quality) - far(quality, score),
            // Interpolation creeps up on a target where scores are bent.
            (Some(_), Some(_)) if self.halve => f64::midpoint(f64::from(self.low), f64::from(self.high)),
            (Some((low, below)), Some((high, above))) => {
                let below = below.max(self.target - 40.0);
                let part = (self.target - below) / (above - below).max(0.01);
                f64::from(low) + part * (f64::from(high) - f64::from(low))
            }
        };
        Some(guess.round().clamp(f64::from(self.low), f64::from(self.high)) as u8)
    }

    fn learn(&mut self, quality: u8, score: f64) {
        // Interpolation and halving take turns once both sides are known.
        self.halve = self.below.is_some() && self.above.is_some() && !self.halve;
        self.before = if score < self.target { self.below } else { self.above };
        if score < self.target {
            self.below = Some((quality, score));
            self.low = quality.saturating_add(1);
        } else {
            self.above = Some((quality, score));
            self.high = quality.saturating_sub(1);
        }
    }
}

/// A reference to compare prints with.
struct Judge {
    whole: Size,
    alpha: bool,
    /// What is scored.
    part: Rectangle,
    reference: Ssimulacra2Reference,
}

impl Judge {
    fn new(reference: &Picture) -> Result<Self, Error> {
        let alpha = reference.layout == Layout::Rgba;
        let whole = reference.size;
        let part = middle(whole);
        let seen = as_compared(reference.cut(part.x, part.y, part.size), alpha);
        let reference = Ssimulacra2Reference::new(&slice(&seen)?).map_err(|e| failed(&e))?;
        Ok(Self { whole, alpha, part, reference })
    }

    fn score(&self, print: &Picture) -> Result<f64, Error> {
        if print.size != self.whole {
            let detail = format!("a print of {:?} for {:?}", print.size, self.whole);
            return Err(Error::Codec { format: "quality", detail });
        }
        let Rectangle { x, y, size } = self.part;
        let seen = as_compared(print.cut(x, y, size), self.alpha);
        self.reference.compare(&slice(&seen)?).map_err(|e| failed(&e))
    }
}

/// The whole picture, or of one of more than [`SCORED`] pixels the middle, in
/// its aspect ratio.
fn middle(size: Size) -> Rectangle {
    let factor = (SCORED as f64 / size.pixels() as f64).sqrt().min(1.0);
    let side = |length: u32| ((f64::from(length) * factor) as u32).max(1);
    let width = side(size.width);
    // A side that is 1 at the least leaves less to the other.
    let part = Size::new(width, side(size.height).min(SCORED as u32 / width));
    Rectangle { x: (size.width - part.width) / 2, y: (size.height - part.height) / 2, size: part }
}

fn as_compared(picture: Picture, alpha: bool) -> Picture {
    if alpha { picture.into_rgba() } else { picture.into_rgb() }
}

fn slice(picture: &Picture) -> Result<PixelSlice<'_>, Error> {
    let descriptor = match picture.layout {
        Layout::Rgba => PixelDescriptor::RGBA8_SRGB,
        Layout::Rgb => PixelDescriptor::RGB8_SRGB,
        Layout::Grey => PixelDescriptor::GRAY8_SRGB,
    };
    let stride = picture.size.width as usize * picture.layout.channels();
    let slice = PixelSlice::new(&picture.pixels, picture.size.width, picture.size.height, stride, descriptor);
    slice.map_err(|error| Error::Codec { format: "SSIMULACRA2", detail: error.to_string() })
}

fn failed(error: &Ssimulacra2Error) -> Error {
    Error::Codec { format: "SSIMULACRA2", detail: error.to_string() }
}

#[cfg(test)]
mod tests;
