//! What is handed over of a finished print.

use minilab_pixels::format::Format;

/// One print, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Index into [`Recipe::outputs`](crate::Recipe::outputs).
    pub output: usize,
    /// The object key in the processed bucket.
    pub key: String,
    /// The format of `bytes`.
    pub format: Format,
    /// Width in pixels; of a document, the source picture's.
    pub width: u32,
    /// Height in pixels; of a document, the source picture's.
    pub height: u32,
    /// Number of frames; 1 for a still.
    pub frames: u32,
    /// The encoded file.
    pub bytes: Vec<u8>,
}
