//! How a run ended.
//!
//! Owns: the exit status. Refuses: errors, which end with 2.

use std::process::ExitCode;

/// How a run ended, as the exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything was done: 0.
    Done,
    /// Some inputs were rejected or failed: 1.
    SomeRejected,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::SomeRejected => Self::from(1),
        }
    }
}
