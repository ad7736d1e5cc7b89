//! From bytes to renditions: header, limits, plan, decode, operations, encode.

mod animated;
mod counter;
mod document;
mod finish;
mod flow;
mod pixels;
mod planar;

use crate::parallel::guarded;
use crate::plan::{Plan, Route};
use crate::recipe::{Format, Recipe};
use crate::source::{Kind, Source};
use crate::{Error, Limits};
use counter::Counter;

/// What a picture's header says, orientation applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format by content, never by name.
    pub format: Format,
    /// Width in pixels as a person sees it (orientation applied).
    pub width: u32,
    /// Height in pixels as a person sees it.
    pub height: u32,
    /// Number of frames; 1 for a still.
    pub frames: u32,
    /// Carries a gain map that would make it HDR. Prints are made of the
    /// picture without it.
    pub gain_map: bool,
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
    /// Width in pixels; of a document, the source picture's.
    pub width: u32,
    /// Height in pixels; of a document, the source picture's.
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
    /// How many prints were handed over: as many as the recipe has outputs for
    /// this picture.
    pub prints: usize,
    /// The peak of memory that was predicted for it, in bytes.
    pub predicted_memory: u64,
}

/// Reads the header and no more, and holds it against the limits that a header
/// can break ([`Limits::memory`] depends on the recipe: [`render`] checks it).
pub fn inspect(picture: &[u8], limits: &Limits) -> Result<Header, Error> {
    guarded("header", || Ok(Source::read(picture, limits)?.header()))
}

/// The peak of memory, in bytes and the picture's own bytes included, that
/// [`render`] would take for `picture`, which is taken for sound: an upper bound,
/// from its header. See [`reserve`].
///
/// # Errors
/// What [`render`] would refuse before it decodes.
pub fn predict(picture: &[u8], source_key: &str, recipe: &Recipe, limits: &Limits) -> Result<u64, Error> {
    guarded("header", || {
        let source = Source::read(picture, limits)?;
        Ok(Plan::new(&source, source_key, recipe, limits)?.memory)
    })
}

/// What to set aside for `picture` among others, in bytes: as [`predict`], and what
/// [`render`] takes besides where a JPEG turns out to be damaged and libjpeg must
/// judge it as a whole.
///
/// # Errors
/// Those of [`predict`].
pub fn reserve(picture: &[u8], source_key: &str, recipe: &Recipe, limits: &Limits) -> Result<u64, Error> {
    guarded("header", || {
        let source = Source::read(picture, limits)?;
        Ok(Plan::new(&source, source_key, recipe, limits)?.reserve(&source, limits))
    })
}

/// Makes every print that `recipe` asks of `picture`.
///
/// `sink` is called once for each output that applies to the picture, from
/// several threads, in the order in which the prints are done, with the key
/// made from `source_key`. On an error some prints may have been handed over
/// already: the caller must not count them as a result.
///
/// [`Limits::seconds`] is not kept here, where there is no clock: see
/// [`render_until`].
pub fn render(
    picture: &[u8],
    source_key: &str,
    recipe: &Recipe,
    limits: &Limits,
    sink: &(dyn Fn(Rendition) + Sync),
) -> Result<Summary, Error> {
    render_until(picture, source_key, recipe, limits, sink, &|| false)
}

/// The same until `stop` says that [`Limits::seconds`] have passed. It is asked
/// between the steps of the work: before each print and each frame. A codec is
/// not interrupted.
pub fn render_until(
    picture: &[u8],
    source_key: &str,
    recipe: &Recipe,
    limits: &Limits,
    sink: &(dyn Fn(Rendition) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Summary, Error> {
    guarded("picture", || {
        let source = Source::read(picture, limits)?;
        let plan = Plan::new(&source, source_key, recipe, limits)?;
        let counter = Counter::new(&source, source_key, recipe, limits, sink, stop);
        match (plan.route, &source.kind) {
            (Route::Planes(scale), Kind::Jpeg(header)) if plan.flows => {
                planar::flow(&counter, &plan, header, scale)?;
            }
            (Route::Planes(scale), Kind::Jpeg(header)) => planar::run(&counter, &plan, header, scale)?,
            (Route::Pixels(scale), _) if plan.flows => flow::run(&counter, &plan, scale)?,
            (Route::Planes(scale) | Route::Pixels(scale), _) => pixels::run(&counter, &plan, scale)?,
        }
        document::run(&counter, &plan)?;
        Ok(Summary { header: source.header(), prints: plan.prints.len(), predicted_memory: plan.memory })
    })
}
