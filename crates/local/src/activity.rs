//! What happens in the small cloud, as it happens: for the console, for tests,
//! for whoever waits.
//!
//! Owns: the typed events and the bounded memory of the newest. Refuses:
//! holding anything up; a listener that is too slow loses the oldest.

mod counted;
mod event;
mod feed;
mod history;
mod journal;

use serde_json::Value;

pub(crate) use counted::Invocations;
pub use event::Activity;
pub use feed::Feed;
pub use journal::{Entry, Journal};

/// What the records of an S3 event name, for people: `ObjectCreated:Put b/k`.
pub(crate) fn subjects(payload: &[u8]) -> Vec<String> {
    let Ok(event) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let Some(records) = event["Records"].as_array() else { return Vec::new() };
    records
        .iter()
        .filter_map(|record| {
            let name = record["eventName"].as_str()?;
            let bucket = record["s3"]["bucket"]["name"].as_str()?;
            let key = record["s3"]["object"]["key"].as_str()?.replace('+', " ");
            let key = percent_encoding::percent_decode_str(&key).decode_utf8_lossy();
            Some(format!("{name} {bucket}/{key}"))
        })
        .collect()
}
