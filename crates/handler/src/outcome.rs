//! What was done for one key, and for one invocation, in numbers.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The state in which a key was left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum State {
    /// Every print is there.
    Printed,
    /// There is no source: nothing is there.
    #[default]
    Absent,
    /// The source has no prints: nothing is there but a report.
    Rejected {
        /// See [`minilab_imaging::Error::code`].
        code: &'static str,
        /// For the person who uploaded it.
        reason: String,
    },
    /// The object is no source (our own print, a folder marker): nothing is there.
    Ignored {
        /// Why.
        reason: &'static str,
    },
    /// It must be looked at again: what is there may be stale. Only in an
    /// [`Account`]; elsewhere this is a failure.
    Unfinished {
        /// What is done about it.
        verdict: Unfinished,
        /// For the person who runs the function.
        reason: String,
    },
}

/// What is done about a key that could not be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unfinished {
    /// The same again later may succeed.
    Retry,
    /// Someone must correct the configuration first.
    Refuse,
}

impl State {
    /// One word for logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Absent => "absent",
            Self::Rejected { .. } => "rejected",
            Self::Ignored { .. } => "ignored",
            Self::Unfinished { verdict: Unfinished::Retry, .. } => "retried",
            Self::Unfinished { verdict: Unfinished::Refuse, .. } => "refused",
        }
    }

    /// Every word that [`State::word`] gives.
    pub const WORDS: [&'static str; 6] = ["printed", "absent", "rejected", "ignored", "retried", "refused"];
}

/// Where the time of a key went, all rounds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Until the source's bytes were there.
    pub get: Duration,
    /// From the source's last byte to the last print stored; uploads overlap
    /// rendering.
    pub render_and_put: Duration,
    /// Of that, until the renderer was done.
    pub render: Duration,
    /// Removing what is stale, writing or removing the report.
    pub tidy: Duration,
    /// Looking at the source again.
    pub settle: Duration,
}

impl Timings {
    /// The stages one after the other, none counted twice: `put` is what
    /// uploading took beyond rendering.
    pub fn stages(&self) -> [(&'static str, Duration); 5] {
        [
            ("get", self.get),
            ("render", self.render),
            ("put", self.render_and_put.saturating_sub(self.render)),
            ("tidy", self.tidy),
            ("head", self.settle),
        ]
    }
}

/// What was done for one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The state in which it was left.
    pub state: State,
    /// How often the source was read; 1 unless it changed meanwhile.
    pub rounds: u32,
    /// Prints stored, over all rounds.
    pub written: u32,
    /// Prints and reports deleted.
    pub deleted: u32,
    /// Size of the source, over all rounds, in bytes.
    pub bytes_in: u64,
    /// Size of the prints, over all rounds, in bytes.
    pub bytes_out: u64,
    /// Of the prints stored, how many are of each format.
    pub formats: BTreeMap<&'static str, u32>,
    /// Operations of the store that were tried again after a pause.
    pub retries: u32,
    /// A write got no answer, or was given up in flight, and may still happen.
    pub in_doubt: bool,
    /// Where the time went.
    pub timings: Timings,
}

/// One source key of one event, for whoever counts: finished or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The source bucket.
    pub bucket: String,
    /// The source key.
    pub key: String,
    /// What was done, up to the failure if there was one.
    pub outcome: Outcome,
    /// From the first look at the source to the end, pauses included.
    pub elapsed: Duration,
}

impl Account {
    /// One of [`State::WORDS`].
    pub const fn verdict(&self) -> &'static str {
        self.outcome.state.word()
    }

    /// Why a picture was rejected; see [`minilab_imaging::Error::code`].
    pub const fn code(&self) -> Option<&'static str> {
        match self.outcome.state {
            State::Rejected { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// What was done for one invocation; the answer of a successful one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Sources whose prints are all there.
    pub printed: u32,
    /// Sources that are gone, and their prints with them.
    pub absent: u32,
    /// Sources rejected, with a report each.
    pub rejected: u32,
    /// Objects and records that are no business of this recipe.
    pub ignored: u32,
    /// Keys and records that could not be finished.
    pub failed: u32,
    /// Prints stored.
    pub written: u32,
    /// Prints and reports deleted.
    pub deleted: u32,
    /// Bytes of the sources read.
    pub bytes_in: u64,
    /// Bytes of the prints stored.
    pub bytes_out: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        match outcome.state {
            State::Printed => self.printed += 1,
            State::Absent => self.absent += 1,
            State::Rejected { .. } => self.rejected += 1,
            State::Ignored { .. } => self.ignored += 1,
            State::Unfinished { .. } => self.failed += 1,
        }
        self.written += outcome.written;
        self.deleted += outcome.deleted;
        self.bytes_in += outcome.bytes_in;
        self.bytes_out += outcome.bytes_out;
    }
}
