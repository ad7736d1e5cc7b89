//! From bytes to renditions: header, plan, decode, operations, encode.

use crate::recipe::{Format, Recipe};
use crate::{Error, Limits};

/// What a picture's header says, orientation applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format by content, never by name.
    pub format: Format,
    /// Width in pixels as a person sees it (EXIF orientation applied).
    pub width: u32,
    /// Height in pixels as a person sees it.
    pub height: u32,
    /// Number of frames; 1 for a still.
    pub frames: u32,
}

/// One print, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Index into [`Recipe::outputs`].
    pub output: usize,
    /// The object key in the processed bucket.
    pub key: String,
    /// The format of `bytes`.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames; 1 for a still.
    pub frames: u32,
    /// The encoded file.
    pub bytes: Vec<u8>,
}

/// What a finished [`render`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The source picture.
    pub header: Header,
    /// The peak of memory that was predicted for it, in bytes.
    pub predicted_memory: u64,
}

/// Reads the header and no more.
pub fn inspect(picture: &[u8], limits: &Limits) -> Result<Header, Error> {
    let _ = (picture, limits);
    Err(Error::NotAnImage { found: "nothing is decoded yet".to_owned() })
}

/// Makes every print that `recipe` asks of `picture`.
///
/// `sink` is called once for each output, from several threads, in the order
/// in which the prints are done, with the key made from `source_key`. On an
/// error some prints may have been handed over already: the caller must not
/// count them as a result.
pub fn render(
    picture: &[u8],
    source_key: &str,
    recipe: &Recipe,
    limits: &Limits,
    sink: &(dyn Fn(Rendition) + Sync),
) -> Result<Summary, Error> {
    let _ = (picture, source_key, recipe, limits, sink);
    Err(Error::NotAnImage { found: "nothing is decoded yet".to_owned() })
}
