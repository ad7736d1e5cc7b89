//! Why a policy document is refused.
//!
//! Owns: the error of everything that reads a part of a policy. Refuses:
//! reading.

use thiserror::Error;

/// Why a policy document is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("policy: {field} {problem}; {remedy}")]
pub struct PolicyError {
    field: String,
    problem: String,
    remedy: String,
}

impl PolicyError {
    pub(super) fn new(field: &str, problem: &str, remedy: &str) -> Self {
        Self { field: field.to_owned(), problem: problem.to_owned(), remedy: remedy.to_owned() }
    }

    /// Where in the document, for example `Statement[0].Action`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}
