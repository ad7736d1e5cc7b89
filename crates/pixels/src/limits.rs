//! What one picture may cost. Every limit is finite; none has a way to say
//! "unlimited".

use serde::Serialize;

/// Bounds on one source picture and on the work it causes.
///
/// Checked against the picture's *header*, before anything is allocated for
/// its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Largest source object, in bytes.
    pub input_bytes: u64,
    /// Largest source picture, in pixels (width × height of one frame).
    pub pixels: u64,
    /// Largest width or height, in pixels, of a source or a print.
    pub side: u32,
    /// Largest number of frames of an animation that are decoded. An animation
    /// with more is rejected, never cut silently.
    pub frames: u32,
    /// Largest predicted peak of memory for one picture, in bytes, the source
    /// bytes included.
    pub memory: u64,
    /// Largest print, in bytes.
    pub output_bytes: u64,
    /// Longest work on one picture, in seconds. Nothing here has a clock: whoever
    /// calls measures.
    pub seconds: u32,
    /// Threads that work on one picture, the caller's included; 0 counts as 1.
    /// Prints are the same bytes whatever it is, so it is no part of a recipe.
    #[serde(skip)]
    pub threads: usize,
}

impl Default for Limits {
    /// imgproxy's 50 megapixels, and what fits a 1,024 MB function with room
    /// for the runtime.
    fn default() -> Self {
        Self {
            input_bytes: 100 << 20,
            pixels: 50_000_000,
            side: 30_000,
            frames: 300,
            memory: 768 << 20,
            output_bytes: 100 << 20,
            seconds: 60,
            threads: 2,
        }
    }
}
