//! What several accounts add up to. Owns which sums and times are kept for
//! whoever counts; names no system of metrics.

use crate::outcome::{Account, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was done for several sources.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Batch {
    /// Sources whose prints are all there.
    pub printed: u64,
    /// Sources that were rejected with a report.
    pub rejected: u64,
    /// Sources that must come again.
    pub failed: u64,
    /// Prints stored.
    pub prints_written: u64,
    /// Prints and reports deleted.
    pub prints_deleted: u64,
    /// Size of the sources read.
    pub source_bytes: u64,
    /// Size of the prints stored.
    pub print_bytes: u64,
    /// Requests to the store that were tried again after a pause.
    pub store_retries: u64,
    /// Milliseconds of each source.
    pub reconcile_time: Vec<f64>,
    /// Milliseconds of each source, reading it.
    pub get_time: Vec<f64>,
    /// Milliseconds of each source, making the prints.
    pub render_time: Vec<f64>,
    /// Milliseconds of each source, uploading after the last print was made.
    pub put_time: Vec<f64>,
    /// Milliseconds of each source, looking at it again.
    pub head_time: Vec<f64>,
    /// Sources by [`Account::verdict`].
    #[serde(rename = "verdicts")]
    pub verdicts: BTreeMap<String, u64>,
    /// Rejected sources by [`Account::code`].
    #[serde(rename = "reasons")]
    pub reasons: BTreeMap<String, u64>,
    /// Prints stored, by format.
    #[serde(rename = "formats")]
    pub formats: BTreeMap<String, u64>,
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are enough, and short in the log.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Batch {
    /// What these accounts add up to.
    pub fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let mut batch = Self::default();
        for account in accounts {
            batch.add(account);
        }
        batch
    }

    fn add(&mut self, account: &Account) {
        let outcome = &account.outcome;
        match outcome.state {
            State::Printed => self.printed += 1,
            State::Rejected { .. } => self.rejected += 1,
            State::Unfinished { .. } => self.failed += 1,
            State::Absent | State::Ignored { .. } => {}
        }
        *self.verdicts.entry(account.verdict().to_owned()).or_default() += 1;
        if let Some(code) = account.code() {
            *self.reasons.entry(code.to_owned()).or_default() += 1;
        }
        for (format, count) in &outcome.formats {
            *self.formats.entry((*format).to_owned()).or_default() += u64::from(*count);
        }
        self.prints_written += u64::from(outcome.written);
        self.prints_deleted += u64::from(outcome.deleted);
        self.source_bytes += outcome.bytes_in;
        self.print_bytes += outcome.bytes_out;
        self.store_retries += u64::from(outcome.retries);
        self.reconcile_time.push(milliseconds(account.elapsed));
        for (stage, duration) in outcome.timings.stages() {
            let times = match stage {
                "get" => &mut self.get_time,
                "render" => &mut self.render_time,
                "put" => &mut self.put_time,
                "head" => &mut self.head_time,
                _ => continue,
            };
            times.push(milliseconds(duration));
        }
    }
}
