//! From bytes to renditions: header, limits, plan, decode, operations, encode.

mod animated;
mod pixels;
mod planar;

use crate::metadata::Attached;
use crate::parallel::guarded;
use crate::plan::geometry::Size;
use crate::plan::{Plan, PrintPlan, Route};
use crate::recipe::{Format, Metadata, Recipe};
use crate::source::{Kind, Source};
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

/// Reads the header and no more, and holds it against the limits that a header
/// can break ([`Limits::memory`] depends on the recipe: [`render`] checks it).
pub fn inspect(picture: &[u8], limits: &Limits) -> Result<Header, Error> {
    guarded("header", || Ok(Source::read(picture, limits)?.header()))
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
    guarded("picture", || {
        let source = Source::read(picture, limits)?;
        let plan = Plan::new(&source, source_key, recipe, limits)?;
        let counter = Counter::new(&source, limits.threads.max(1), sink);
        match (plan.route, &source.kind) {
            (Route::Planes(scale), Kind::Jpeg(header)) => planar::run(&counter, &plan, header, scale)?,
            (Route::Planes(scale) | Route::Pixels(scale), _) => pixels::run(&counter, &plan, scale)?,
        }
        Ok(Summary { header: source.header(), predicted_memory: plan.memory })
    })
}

/// Where finished prints are handed over: what every route needs.
struct Counter<'a> {
    source: &'a Source<'a>,
    threads: usize,
    sink: &'a (dyn Fn(Rendition) + Sync),
    copyright: Attached,
    all: Attached,
}

impl<'a> Counter<'a> {
    fn new(source: &'a Source<'a>, threads: usize, sink: &'a (dyn Fn(Rendition) + Sync)) -> Self {
        Self {
            source,
            threads,
            sink,
            copyright: Attached::of(source, Metadata::Copyright),
            all: Attached::of(source, Metadata::All),
        }
    }

    fn attached(&self, print: &PrintPlan<'_>) -> &Attached {
        match print.output.metadata {
            Metadata::None => const { &Attached { exif: None, xmp: None } },
            Metadata::Copyright => &self.copyright,
            Metadata::All => &self.all,
        }
    }

    fn hand_over(&self, print: &PrintPlan<'_>, bytes: Vec<u8>) {
        let Size { width, height } = print.placement.canvas;
        (self.sink)(Rendition {
            output: print.index,
            key: print.key.clone(),
            format: print.format,
            width,
            height,
            frames: print.frames,
            bytes,
        });
    }
}
