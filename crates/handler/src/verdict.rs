//! What a failure means. The only place in the workspace that decides it, in
//! one exhaustive match; everything else carries failures here unchanged.

use crate::event::EventError;
use crate::store::{Cause, StoreError};
use thiserror::Error;

/// Anything that can go wrong with one key or one record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The picture has no prints. A codec's panic is one of these.
    #[error(transparent)]
    Picture(#[from] minilab_imaging::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event, or a record of it, is not understood.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The source kept changing while its prints were made.
    #[error("s3://{bucket}/{key} changed {rounds} times while its prints were made; it is tried again later")]
    Unsettled {
        /// The source bucket.
        bucket: String,
        /// The source key.
        key: String,
        /// How many times it was read.
        rounds: u32,
    },
    /// Everything was done, and a write that got no answer may still happen and
    /// undo what another invocation does by then.
    #[error("a write for s3://{bucket}/{key} got no answer and may still happen; it is tried again later")]
    Unanswered {
        /// The source bucket.
        bucket: String,
        /// The source key.
        key: String,
    },
    /// The invocation's time was over before the key was done.
    #[error("no time was left for s3://{bucket}/{key}; raise the function's timeout or send smaller batches")]
    Deadline {
        /// The source bucket.
        bucket: String,
        /// The source key.
        key: String,
    },
    /// The renderer ended without an answer.
    #[error("the renderer stopped while it worked on {key}; it is tried again in a fresh one")]
    RendererLost {
        /// The source key.
        key: String,
    },
}

/// What is done about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Final for these bytes and this recipe: no prints, a report, a count.
    /// Never tried again.
    Reject {
        /// A stable code for metrics and reports.
        code: &'static str,
        /// For the person who uploaded the object.
        reason: String,
    },
    /// The same again later may succeed.
    Retry {
        /// For the person who runs the function.
        reason: String,
        /// Whether a few tries within the invocation are worth their time;
        /// else the error goes to the platform at once.
        soon: bool,
    },
    /// Nothing changes until someone corrects the configuration. The event is
    /// not lost: the error goes to the platform.
    Refuse {
        /// For the person who configured the function.
        reason: String,
    },
}

/// Decides.
pub fn decide(failure: &Failure) -> Verdict {
    let reason = failure.to_string();
    match failure {
        Failure::Picture(error) => Verdict::Reject { code: error.code(), reason },
        Failure::Store(error) => match error.cause {
            Cause::Throttled | Cause::Unavailable | Cause::TimedOut => Verdict::Retry { reason, soon: true },
            // Denied is never "absent": the prints of a picture that is still
            // there would be deleted. An archived picture keeps its prints too.
            Cause::Denied | Cause::Credentials | Cause::Archived | Cause::Other => {
                Verdict::Retry { reason, soon: false }
            }
            Cause::NoSuchBucket | Cause::WrongRegion => Verdict::Refuse { reason },
        },
        Failure::Event(EventError::Shape { .. } | EventError::Json { .. } | EventError::Key { .. }) => {
            Verdict::Refuse { reason }
        }
        Failure::Unsettled { .. }
        | Failure::Unanswered { .. }
        | Failure::Deadline { .. }
        | Failure::RendererLost { .. } => Verdict::Retry { reason, soon: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Operation;

    fn store(cause: Cause) -> Failure {
        Failure::Store(StoreError {
            operation: Operation::Get,
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            cause,
            detail: String::new(),
        })
    }

    #[test]
    fn each_failure_of_the_store_has_its_verdict() {
        for (cause, expected) in [
            (Cause::Throttled, "retry soon"),
            (Cause::Unavailable, "retry soon"),
            (Cause::TimedOut, "retry soon"),
            (Cause::Denied, "retry"),
            (Cause::Credentials, "retry"),
            (Cause::Archived, "retry"),
            (Cause::Other, "retry"),
            (Cause::NoSuchBucket, "refuse"),
            (Cause::WrongRegion, "refuse"),
        ] {
            let found = match decide(&store(cause)) {
                Verdict::Reject { .. } => "reject",
                Verdict::Retry { soon: true, .. } => "retry soon",
                Verdict::Retry { soon: false, .. } => "retry",
                Verdict::Refuse { .. } => "refuse",
            };
            assert_eq!(found, expected, "{cause:?}");
        }
    }

    #[test]
    fn a_picture_that_cannot_be_printed_is_rejected_with_its_own_code() {
        let error = minilab_imaging::Error::NotAnImage { found: "text".to_owned() };
        let reason = error.to_string();
        assert_eq!(decide(&Failure::Picture(error)), Verdict::Reject { code: "not-an-image", reason });
    }
}
