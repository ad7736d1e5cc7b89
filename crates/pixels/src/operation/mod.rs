//! What a recipe asks for beyond scaling: one operation a file, each a pure
//! function from a picture in sRGB to a picture, at 8 or 16 bits a sample.
//!
//! Owns: the mathematics. Refuses: the recipe's fields and the order of
//! operations, which are the plan's. Colour that alpha hides never bleeds into
//! what is seen: filters run on samples multiplied by their alpha.

pub mod attention;
pub mod blur;
mod gaussian;
pub mod grayscale;
pub mod region;
pub mod rounded;
pub mod sharpen;
pub mod trim;
pub mod watermark;

use crate::picture::Sample;

/// A sample as a number from 0 to [`Sample::MAX`].
fn float<S: Sample>(sample: S) -> f32 {
    let value: u32 = sample.into();
    value as f32
}

/// The sample nearest to `value`, cut off at both ends.
fn nearest<S: Sample>(value: f32) -> S {
    S::from_u32((value + 0.5).clamp(0.0, S::MAX as f32) as u32)
}
