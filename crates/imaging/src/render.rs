//! From bytes to renditions: header, limits, plan, decode, operations, encode.

mod animated;
mod counter;
mod document;
mod finish;
mod flow;
mod pixels;
mod planar;
mod rendition;
mod srcset;

pub use rendition::Rendition;

use crate::plan::{Plan, Route};
use crate::recipe::Recipe;
use crate::{Error, Limits};
use counter::Counter;
use minilab_pixels::arriving::{Arriving, beginning};
use minilab_pixels::jpeg;
use minilab_pixels::parallel::guarded;
use minilab_pixels::source::{Header, Source};

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
        let counter = Counter::new(&source, source_key, (recipe, limits), &plan, sink, stop);
        match (plan.route, source.jpeg()) {
            (Route::Planes(scale), Some(header)) if plan.flows => {
                planar::flow(&counter, &plan, header, scale)?;
            }
            (Route::Planes(scale), Some(header)) => planar::run(&counter, &plan, header, scale)?,
            (Route::Pixels(scale), _) if plan.flows => flow::run(&counter, &plan, scale)?,
            (Route::Planes(scale) | Route::Pixels(scale), _) => pixels::run(&counter, &plan, scale)?,
        }
        finished(&counter, &plan)
    })
}

/// [`render_until`] for a picture whose bytes are still coming: prints are made
/// meanwhile, and handed over once it has proved sound: what follows the picture in
/// its file may still be coming then. `None` for one that must be there as a whole:
/// nothing was handed over, and nothing is known of it. That is every picture but
/// the baseline JPEG that flows, and whatever would be refused.
///
/// `stop` is asked while bytes are coming, too.
///
/// # Errors
/// Of prints that could not be made.
pub fn render_arriving(
    picture: &dyn Arriving,
    source_key: &str,
    recipe: &Recipe,
    limits: &Limits,
    sink: &(dyn Fn(Rendition) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Summary>, Error> {
    let has_header = |bytes: &[u8]| !bytes.starts_with(JPEG) || jpeg::header(bytes).is_ok();
    if picture.size() > limits.input_bytes {
        return Ok(None);
    }
    let Some(bytes) = beginning(picture, has_header).filter(|bytes| bytes.starts_with(JPEG)) else {
        return Ok(None);
    };
    // What is wrong with the beginning may be right with the whole.
    let planned = guarded("header", || {
        let source = Source::read(&bytes, limits)?.arriving(picture);
        let plan = Plan::new(&source, source_key, recipe, limits)?;
        Ok((source, plan))
    });
    let Ok((source, plan)) = planned else { return Ok(None) };
    let (Some(header), Route::Planes(scale), true) = (source.jpeg(), plan.route, plan.flows) else {
        return Ok(None);
    };
    guarded("picture", || {
        let counter = Counter::new(&source, source_key, (recipe, limits), &plan, sink, stop);
        if !planar::streamed(&counter, &plan, header, scale)? {
            return Ok(None);
        }
        finished(&counter, &plan).map(Some)
    })
}

/// What every JPEG begins with.
const JPEG: &[u8] = &[0xff, 0xd8];

/// What comes after the prints.
fn finished(counter: &Counter<'_>, plan: &Plan<'_>) -> Result<Summary, Error> {
    document::run(counter, plan)?;
    let header = counter.source.header();
    Ok(Summary { header, prints: plan.prints.len(), predicted_memory: plan.memory })
}
