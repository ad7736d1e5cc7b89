//! The lines of the log that say what became of a source. Owns the type of each
//! line, its message and its fields: writes them through `tracing`, and reads
//! them back from a log of one JSON object a line. Refuses every other line.

use crate::outcome::{Account, Outcome, State};
use serde::Deserialize;
use std::time::Duration;

/// One such line. Its message is the variant's name in lower case.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "message", rename_all = "lowercase")]
pub enum Logged {
    /// A print was stored.
    Stored(Stored),
    /// A source was rejected; its [`Logged::Reconciled`] follows.
    Rejected(Rejected),
    /// A key was left in a final state.
    Reconciled(Reconciled),
}

/// See [`Logged::Stored`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Stored {
    /// The source key.
    #[serde(default)]
    pub key: String,
    /// The print's key in the processed bucket.
    pub print: String,
    /// Width of the print in pixels.
    #[serde(default)]
    pub width: u32,
    /// Height of the print in pixels.
    #[serde(default)]
    pub height: u32,
    /// Number of frames of the print.
    #[serde(default)]
    pub frames: u32,
    /// Size of the print.
    #[serde(default)]
    pub bytes: u64,
    /// Milliseconds from the first look at the source's bytes.
    pub ms: f64,
}

/// See [`Logged::Rejected`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Rejected {
    /// The source bucket.
    pub bucket: Option<String>,
    /// The source key.
    pub key: String,
    /// See [`minilab_imaging::Error::code`].
    #[serde(default)]
    pub code: String,
    /// For the person who uploaded the source.
    pub reason: Option<String>,
}

/// See [`Logged::Reconciled`].
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Reconciled {
    /// The source bucket.
    pub bucket: Option<String>,
    /// The source key.
    pub key: String,
    /// See [`State::word`].
    pub state: String,
    /// See [`Outcome::rounds`].
    pub rounds: Option<u32>,
    /// See [`Outcome::written`].
    #[serde(default)]
    pub written: u32,
    /// See [`Outcome::deleted`].
    #[serde(default)]
    pub deleted: u32,
    /// See [`Outcome::bytes_in`].
    #[serde(default)]
    pub bytes_in: u64,
    /// See [`Outcome::bytes_out`].
    #[serde(default)]
    pub bytes_out: u64,
    /// See [`Outcome::retries`].
    pub retries: Option<u32>,
    /// See [`Account::elapsed`].
    #[serde(default)]
    pub ms: f64,
    /// See [`Timings::get`](crate::Timings::get).
    pub get_ms: Option<f64>,
    /// See [`Timings::render`](crate::Timings::render).
    pub render_ms: Option<f64>,
    /// See [`Timings::render_and_put`](crate::Timings::render_and_put).
    pub render_and_put_ms: Option<f64>,
    /// See [`Timings::tidy`](crate::Timings::tidy).
    pub tidy_ms: Option<f64>,
    /// See [`Timings::settle`](crate::Timings::settle).
    pub settle_ms: Option<f64>,
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Logged {
    /// What the log says of a finished key: the rejection, if it is one, and the
    /// outcome.
    pub fn of(account: &Account) -> impl Iterator<Item = Self> {
        let Account { bucket, key, outcome, elapsed } = account;
        let Outcome { state, rounds, written, deleted, bytes_in, bytes_out, retries, timings, .. } = outcome;
        let rejected = match state {
            State::Rejected { code, reason } => Some(Self::Rejected(Rejected {
                bucket: Some(bucket.clone()),
                key: key.clone(),
                code: (*code).to_owned(),
                reason: Some(reason.clone()),
            })),
            _ => None,
        };
        let reconciled = Self::Reconciled(Reconciled {
            bucket: Some(bucket.clone()),
            key: key.clone(),
            state: state.word().to_owned(),
            rounds: Some(*rounds),
            written: *written,
            deleted: *deleted,
            bytes_in: *bytes_in,
            bytes_out: *bytes_out,
            retries: Some(*retries),
            ms: milliseconds(*elapsed),
            get_ms: Some(milliseconds(timings.get)),
            render_ms: Some(milliseconds(timings.render)),
            render_and_put_ms: Some(milliseconds(timings.render_and_put)),
            tidy_ms: Some(milliseconds(timings.tidy)),
            settle_ms: Some(milliseconds(timings.settle)),
        });
        rejected.into_iter().chain([reconciled])
    }

    /// The line without what a program that serves one bucket and counts its
    /// stages need not repeat: bucket, rounds, retries and stages.
    #[must_use]
    pub fn brief(self) -> Self {
        match self {
            Self::Rejected(line) => Self::Rejected(Rejected { bucket: None, ..line }),
            Self::Reconciled(Reconciled {
                key, state, written, deleted, bytes_in, bytes_out, ms, ..
            }) => {
                let (bucket, rounds) = (None, None);
                Self::Reconciled(Reconciled {
                    bucket,
                    key,
                    state,
                    rounds,
                    written,
                    deleted,
                    bytes_in,
                    bytes_out,
                    ms,
                    ..Reconciled::default()
                })
            }
            stored @ Self::Stored(_) => stored,
        }
    }

    /// Logs the line. A field without a value is not in it.
    pub fn write(&self) {
        match self {
            Self::Stored(Stored { key, print, width, height, frames, bytes, ms }) => {
                tracing::info!(key, print, width, height, frames, bytes, ms, "stored");
            }
            Self::Rejected(Rejected { bucket, key, code, reason }) => {
                let (bucket, reason) = (bucket.as_deref(), reason.as_deref());
                tracing::warn!(bucket, key, code, reason, "rejected");
            }
            Self::Reconciled(line) => tracing::info!(
                bucket = line.bucket.as_deref(),
                key = line.key,
                state = line.state,
                rounds = line.rounds,
                written = line.written,
                deleted = line.deleted,
                bytes_in = line.bytes_in,
                bytes_out = line.bytes_out,
                retries = line.retries,
                ms = line.ms,
                get_ms = line.get_ms,
                render_ms = line.render_ms,
                render_and_put_ms = line.render_and_put_ms,
                tidy_ms = line.tidy_ms,
                settle_ms = line.settle_ms,
                "reconciled"
            ),
        }
    }

    /// The line, if it is one of these, in a log of one JSON object a line.
    pub fn parse(line: &str) -> Option<Self> {
        // Most lines are something else, and need not be read as JSON.
        if !line.starts_with('{') {
            return None;
        }
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_that_its_readers_need() {
        let stored = r#"{"message":"stored","print":"s/a.webp","ms":1.5,"level":"INFO"}"#;
        let expected = Stored { print: "s/a.webp".to_owned(), ms: 1.5, ..Stored::default() };
        assert_eq!(Logged::parse(stored), Some(Logged::Stored(expected)));
        for other in
            ["", "START RequestId: x", "{}", r#"{"message":"invocation done"}"#, r#"{"message":"stored"}"#]
        {
            assert_eq!(Logged::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_brief_line_has_one_buckets_key_and_no_stages() {
        let state = State::Rejected { code: "malformed", reason: "broken".to_owned() };
        let outcome = Outcome { state, rounds: 2, written: 3, retries: 4, ..Outcome::default() };
        let elapsed = Duration::from_millis(5);
        let account = Account { bucket: "b".to_owned(), key: "k".to_owned(), outcome, elapsed };
        let lines: Vec<Logged> = Logged::of(&account).map(Logged::brief).collect();
        let key = "k".to_owned();
        let rejected = Rejected {
            key: key.clone(),
            code: "malformed".to_owned(),
            reason: Some("broken".to_owned()),
            bucket: None,
        };
        let reconciled =
            Reconciled { key, state: "rejected".to_owned(), written: 3, ms: 5.0, ..Reconciled::default() };
        assert_eq!(lines, [Logged::Rejected(rejected), Logged::Reconciled(reconciled)]);
    }
}
