//! What was done for one key, and for one invocation, in numbers.

use serde::Serialize;
use std::time::Duration;

/// The state in which a key was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum State {
    /// Every print is there.
    Printed,
    /// There is no source: nothing is there.
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
}

impl State {
    /// One word for logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Absent => "absent",
            Self::Rejected { .. } => "rejected",
            Self::Ignored { .. } => "ignored",
        }
    }
}

/// Where the time of a key went, all rounds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Reading the source.
    pub get: Duration,
    /// From the source's bytes to the last print stored; uploads overlap rendering.
    pub render_and_put: Duration,
    /// Of that, until the renderer was done.
    pub render: Duration,
    /// Removing what is stale, writing or removing the report.
    pub tidy: Duration,
    /// Looking at the source again.
    pub settle: Duration,
}

/// What was done for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Where the time went.
    pub timings: Timings,
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
        }
        self.written += outcome.written;
        self.deleted += outcome.deleted;
        self.bytes_in += outcome.bytes_in;
        self.bytes_out += outcome.bytes_out;
    }
}
