//! Documents about a picture: what was made of it, and what stands in for it
//! until it is loaded.

use super::counter::{Counter, Made};
use super::srcset::srcset;
use crate::Error;
use crate::plan::{Plan, PrintPlan};
use crate::recipe::FormatChoice;
use minilab_pixels::derived::placeholder::Placeholder;
use minilab_pixels::format::Format;
use minilab_pixels::geometry::Size;
use serde::Serialize;
use std::collections::BTreeMap;

/// The document of `format = "manifest"`.
#[derive(Serialize)]
struct Manifest<'a> {
    source: SourceEntry<'a>,
    placeholder: Placeholder,
    prints: Vec<PrintEntry<'a>>,
    /// For each media type, the prints that show the whole picture, as the
    /// value of an HTML `srcset` attribute.
    srcset: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct SourceEntry<'a> {
    key: &'a str,
    format: Format,
    width: u32,
    height: u32,
    frames: u32,
    bytes: u64,
}

#[derive(Serialize)]
struct PrintEntry<'a> {
    key: &'a str,
    format: Format,
    content_type: &'static str,
    width: u32,
    height: u32,
    frames: u32,
    bytes: usize,
}

/// The document of `format = "placeholder"`.
#[derive(Serialize)]
struct StandIn {
    width: u32,
    height: u32,
    #[serde(flatten)]
    placeholder: Placeholder,
}

/// Writes the documents, once every picture has been handed over.
pub(super) fn run(counter: &Counter<'_>, plan: &Plan<'_>) -> Result<(), Error> {
    let documents: Vec<&PrintPlan<'_>> =
        plan.prints.iter().filter(|print| print.output.format.is_document()).collect();
    if documents.is_empty() {
        return Ok(());
    }
    let made = counter.made();
    for print in documents {
        let small = counter.small(print).ok_or_else(|| failed("no small picture was made"))?;
        let placeholder = Placeholder::of(&small)?;
        let Size { width, height } = counter.source.seen();
        let bytes = match print.output.format {
            FormatChoice::Placeholder => json(&StandIn { width, height, placeholder })?,
            _ => json(&manifest(counter, plan, &made, placeholder))?,
        };
        counter.hand_over(print, Format::Json, bytes)?;
    }
    Ok(())
}

fn manifest<'a>(
    counter: &Counter<'a>,
    plan: &Plan<'_>,
    made: &'a [Made],
    placeholder: Placeholder,
) -> Manifest<'a> {
    let header = counter.source.header();
    let prints = made.iter().map(|made| PrintEntry {
        key: &made.key,
        format: made.format,
        content_type: made.format.content_type(),
        width: made.size.width,
        height: made.size.height,
        frames: made.frames,
        bytes: made.bytes,
    });
    let mut whole: BTreeMap<&'static str, Vec<(&str, u32)>> = BTreeMap::new();
    for made in made {
        let shows_all = |print: &PrintPlan<'_>| print.shows_all(counter.source.seen());
        if plan.prints.iter().any(|print| print.index == made.index && shows_all(print)) {
            whole.entry(made.format.content_type()).or_default().push((&made.key, made.size.width));
        }
    }
    Manifest {
        source: SourceEntry {
            key: counter.source_key,
            format: header.format,
            width: header.width,
            height: header.height,
            frames: header.frames,
            bytes: counter.source.size(),
        },
        placeholder,
        prints: prints.collect(),
        srcset: whole.into_iter().map(|(media, prints)| (media, srcset(prints))).collect(),
    }
}

fn json(document: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(document).map_err(|error| failed(&error.to_string()))
}

fn failed(detail: &str) -> Error {
    Error::Codec { format: "JSON", detail: detail.to_owned() }
}
