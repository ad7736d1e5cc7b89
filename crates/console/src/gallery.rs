//! What lies in the source bucket, and what was made of each object.
//!
//! Owns: finding derived objects by their leads and their marks, and links to
//! them. Refuses: guessing; an object without the mark is not shown as derived.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::extension::{Description, Extension, Keys, Lead, Leads, ObjectResult};
use crate::presign::Link;
use crate::shared::Console;
use minilab_local::lambda::InvocationRecord;
use minilab_local::storage::{ObjectInfo, Paging, Search, StorageError};

/// Objects up to this size are looked into.
const LOOKED_INTO: u64 = 64 * 1024 * 1024;
/// A report is a small document.
const REPORT: u64 = 1024 * 1024;
/// Links on the page are good for this long; the page asks anew before.
const LIFETIME: Duration = Duration::from_hours(12);
/// How many derived objects are shown of one lead.
const LISTED: usize = 50;

/// A page of the gallery.
#[derive(Serialize)]
pub(crate) struct Page {
    pub(crate) total: u64,
    pub(crate) anchor: i64,
    pub(crate) pictures: Vec<Picture>,
}

/// A source object and what was made of it.
#[derive(Serialize)]
pub(crate) struct Picture {
    #[serde(flatten)]
    object: Shown,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    prints: Vec<Print>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Something was made of it as it is now.
    Printed,
    /// A report says why nothing was.
    Rejected,
    /// Neither.
    None,
}

#[derive(Serialize)]
struct Shown {
    bucket: String,
    key: String,
    bytes: u64,
    etag: String,
    modified_ms: i64,
    content_type: Option<String>,
    #[serde(flatten)]
    description: Option<Description>,
    url: String,
}

#[derive(Serialize)]
struct Print {
    #[serde(flatten)]
    object: Shown,
    output: String,
    faithful: bool,
    /// Made of the source as it is now.
    fresh: bool,
    /// Made by the recipe in force.
    current: bool,
}

/// A page of the source bucket, newest first. Blocks.
pub(crate) fn page(
    console: &Console,
    extension: &dyn Extension,
    search: Search,
) -> Result<Page, StorageError> {
    let places = extension.places();
    let search = Search { prefix: places.prefix, ..search };
    let found = console.observer.storage().newest(&places.source, &search)?;
    let mut pictures = Vec::with_capacity(found.entries.len());
    for info in found.entries {
        pictures.push(picture(console, extension, info)?);
    }
    Ok(Page { total: found.total, anchor: found.anchor, pictures })
}

/// One source object. Blocks.
pub(crate) fn one(console: &Console, extension: &dyn Extension, key: &str) -> Result<Picture, StorageError> {
    let info = console.observer.storage().object(&extension.places().source, key, None)?;
    picture(console, extension, info)
}

fn picture(console: &Console, extension: &dyn Extension, info: ObjectInfo) -> Result<Picture, StorageError> {
    let places = extension.places();
    let leads = extension.leads(&info.key);
    let report = report(console, &places.processed, &leads, &info.etag)?;
    let mut prints: Vec<Print> = Vec::new();
    for lead in &leads.outputs {
        for made in made(console, &places.processed, lead, &leads)? {
            if prints.iter().any(|print| print.object.key == made.key) {
                continue;
            }
            let carries = |name: &str, value: &str| {
                made.attributes.metadata.get(name).is_some_and(|found| found == value)
            };
            let (fresh, current) =
                (carries(&leads.etag_mark, &info.etag), carries(&leads.recipe_mark.0, &leads.recipe_mark.1));
            let object = shown(console, extension, &places.processed, made);
            prints.push(Print {
                object,
                output: lead.label.clone(),
                faithful: lead.faithful,
                fresh,
                current,
            });
        }
    }
    let (state, code, reason) = match report {
        Some((code, reason)) => (State::Rejected, Some(code), Some(reason)),
        None if prints.iter().any(|print| print.fresh) => (State::Printed, None, None),
        None => (State::None, None, None),
    };
    let object = shown(console, extension, &places.source, info);
    Ok(Picture { object, state, code, reason, prints })
}

/// What is there of one lead and carries the source's mark.
fn made(
    console: &Console,
    bucket: &str,
    lead: &Lead,
    leads: &Leads,
) -> Result<Vec<ObjectInfo>, StorageError> {
    let (name, value) = &leads.mark;
    let marked = |info: &ObjectInfo| info.attributes.metadata.get(name).is_some_and(|found| found == value);
    let mut found = match &lead.keys {
        Keys::Exact(key) => match console.observer.storage().object(bucket, key, None) {
            Ok(info) => vec![info],
            Err(StorageError::NoSuchKey { .. }) => Vec::new(),
            Err(error) => return Err(error),
        },
        Keys::Listed { prefix, covers } => {
            let paging = Paging { prefix: prefix.clone(), limit: 1000, ..Paging::default() };
            let mut found = console.observer.storage().list(bucket, &paging)?.entries;
            found.retain(|info| covers(&info.key));
            found
        }
    };
    found.retain(marked);
    found.truncate(LISTED);
    Ok(found)
}

/// The code and the reason of a report about the source as it is now.
fn report(
    console: &Console,
    bucket: &str,
    leads: &Leads,
    etag: &str,
) -> Result<Option<(String, String)>, StorageError> {
    let bytes = match console.observer.storage().whole(bucket, &leads.report, REPORT) {
        Ok((_, Some(bytes))) => bytes,
        Ok((_, None)) | Err(StorageError::NoSuchKey { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let report: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
    Ok((text("etag") == etag).then(|| (text("code"), text("reason"))))
}

/// What an invocation did to the objects that its event names: by its log, or,
/// where a line came too late for the log, by what is in the buckets. Blocks.
pub(crate) fn results(console: &Console, record: &InvocationRecord) -> Vec<ObjectResult> {
    let Some(extension) = &console.extension else { return Vec::new() };
    let mut results = extension.results(&record.log);
    let source = extension.places().source;
    let named: Vec<(&str, &str)> = record
        .subjects
        .iter()
        .filter_map(|subject| subject.split_once(' '))
        .filter_map(|(event, object)| Some((event, object.strip_prefix(source.as_str())?.strip_prefix('/')?)))
        .collect();
    // A late line stands in the log of the invocation after.
    results.retain(|result| named.iter().any(|(_, key)| *key == result.key));
    if record.outcome != "success" {
        return results;
    }
    for (_, key) in named {
        if results.iter().any(|result| result.key == key) {
            continue;
        }
        let (state, reason) = match one(console, &**extension, key) {
            Ok(Picture { state: State::Rejected, reason, .. }) => ("rejected", reason),
            Ok(Picture { state: State::Printed, .. }) => ("printed", None),
            Err(StorageError::NoSuchKey { .. }) => ("absent", None),
            Ok(Picture { state: State::None, .. }) | Err(_) => continue,
        };
        results.push(ObjectResult { key: key.to_owned(), state: state.to_owned(), reason });
    }
    results
}

fn shown(console: &Console, extension: &dyn Extension, bucket: &str, info: ObjectInfo) -> Shown {
    let description = console.descriptions.get(bucket, &info, || {
        let (_, bytes) = console.observer.storage().whole(bucket, &info.key, LOOKED_INTO).ok()?;
        extension.describe(&bytes?)
    });
    // Links change once an hour, so that the browser's cache serves in between.
    let now = OffsetDateTime::now_utc();
    let hour = now.replace_minute(0).and_then(|now| now.replace_second(0)).unwrap_or(now);
    // The etag tells the browser's cache one content of a key from the next.
    let query = [("x-etag", info.etag.clone())];
    let link = Link { method: "GET", bucket, key: &info.key, lifetime: LIFETIME, query: &query };
    Shown {
        url: console.presigner.link(&link, hour),
        bucket: bucket.to_owned(),
        bytes: info.size,
        etag: info.etag,
        modified_ms: info.modified_ms,
        content_type: info.attributes.content_type,
        description,
        key: info.key,
    }
}
