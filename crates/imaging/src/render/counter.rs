//! The counter of the lab: what every route needs to know of the job, and where
//! finished prints are handed over.

use super::rendition::Rendition;
use crate::plan::{Plan, PrintPlan};
use crate::recipe::{Asset, Metadata, Recipe};
use crate::{Error, Limits};
use minilab_pixels::colour::{self, ColourSpace};
use minilab_pixels::encode::Job;
use minilab_pixels::error::{Limit, at_most};
use minilab_pixels::format::Format;
use minilab_pixels::geometry::Size;
use minilab_pixels::metadata::Attached;
use minilab_pixels::picture::Picture;
use minilab_pixels::source::Source;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A print that has been handed over, without its bytes.
pub(super) struct Made {
    pub(super) index: usize,
    pub(super) key: String,
    pub(super) format: Format,
    pub(super) size: Size,
    pub(super) frames: u32,
    pub(super) bytes: usize,
}

pub(super) struct Counter<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) source_key: &'a str,
    pub(super) recipe: &'a Recipe,
    pub(super) limits: &'a Limits,
    /// [`Plan::threads`] of the plan in force.
    threads: AtomicUsize,
    sink: &'a (dyn Fn(Rendition) + Sync),
    stop: &'a (dyn Fn() -> bool + Sync),
    /// The source's profile, for prints that keep its colours.
    profile: OnceLock<Option<Vec<u8>>>,
    made: Mutex<Vec<Made>>,
    /// Small pictures for documents, by output.
    small: Mutex<Vec<(usize, Picture)>>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        source_key: &'a str,
        (recipe, limits): (&'a Recipe, &'a Limits),
        plan: &Plan<'_>,
        sink: &'a (dyn Fn(Rendition) + Sync),
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        Self {
            source,
            source_key,
            recipe,
            limits,
            threads: AtomicUsize::new(plan.threads),
            sink,
            stop,
            profile: OnceLock::new(),
            made: Mutex::default(),
            small: Mutex::default(),
        }
    }

    /// How many threads work, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Goes on with as many as `threads`, for which the memory suffices.
    pub(super) fn set_threads(&self, threads: usize) {
        self.threads.store(threads, Ordering::Relaxed);
    }

    /// Refuses to go on once the time is over.
    pub(super) fn in_time(&self) -> Result<(), Error> {
        if !(self.stop)() {
            return Ok(());
        }
        let limit = self.limits.seconds;
        Err(Error::OverLimit {
            which: Limit::Seconds,
            what: "the time that its prints take",
            value: format!("more than {limit} seconds"),
            limit: format!("{limit} seconds"),
        })
    }

    /// The colour space of the decoded samples, for prints that keep it.
    pub(super) fn set_colour(&self, space: &ColourSpace<'_>) {
        self.profile.get_or_init(|| colour::profile(space));
    }

    pub(super) fn attached(&self, print: &PrintPlan<'_>) -> Attached {
        let mut attached = match print.output.metadata {
            Metadata::None => Attached::default(),
            Metadata::Copyright => Attached::credits(self.source),
            Metadata::All => Attached::all(self.source),
        };
        if print.keeps_colour() {
            attached.icc = self.profile.get().cloned().flatten();
        }
        attached
    }

    /// How the print is encoded.
    pub(super) fn job<'b>(&self, print: &PrintPlan<'_>, attached: &'b Attached) -> Job<'b> {
        Job { encoding: print.output.encoding(), attached, threads: self.threads() }
    }

    /// The bytes of a watermark.
    pub(super) fn asset(&self, asset: &Asset) -> Result<&'a [u8], Error> {
        self.recipe.asset(asset).map(|supplied| &*supplied.bytes).ok_or_else(|| Error::Codec {
            format: "watermark",
            detail: format!("{asset:?} was not supplied with the recipe"),
        })
    }

    pub(super) fn keep_small(&self, print: &PrintPlan<'_>, picture: Picture) {
        self.small.lock().unwrap_or_else(PoisonError::into_inner).push((print.index, picture));
    }

    pub(super) fn small(&self, print: &PrintPlan<'_>) -> Option<Picture> {
        let small = self.small.lock().unwrap_or_else(PoisonError::into_inner);
        small.iter().find(|(index, _)| *index == print.index).map(|(_, picture)| picture.clone())
    }

    /// What has been handed over, in the order of the recipe.
    pub(super) fn made(&self) -> Vec<Made> {
        let mut made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        made.sort_by_key(|made| made.index);
        made
    }

    /// Hands over `bytes` as the print in `format`, one of its candidates.
    pub(super) fn hand_over(
        &self,
        print: &PrintPlan<'_>,
        format: Format,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        at_most(Limit::OutputBytes, "a print", bytes.len() as u64, self.limits.output_bytes, "bytes")?;
        let size =
            if print.output.format.is_document() { self.source.seen() } else { print.placement.canvas };
        let candidate = print.candidates.iter().find(|(candidate, _)| *candidate == format);
        let key = candidate.map_or_else(String::new, |(_, key)| key.clone());
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(Made {
            index: print.index,
            key: key.clone(),
            format,
            size,
            frames: print.frames,
            bytes: bytes.len(),
        });
        (self.sink)(Rendition {
            output: print.index,
            key,
            format,
            width: size.width,
            height: size.height,
            frames: print.frames,
            bytes,
        });
        Ok(())
    }
}
