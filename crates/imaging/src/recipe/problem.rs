//! What can be wrong with a recipe, in words. Owns how a problem is shown to the
//! person who wrote the recipe; refuses to find any.

use serde::Serialize;
use std::fmt;
use thiserror::Error;

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Path of the field, such as `output[0].resize.width`; empty where the
    /// text is not TOML at all.
    pub field: String,
    /// The text found there; empty where something is missing.
    pub value: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match (self.field.is_empty(), self.value.is_empty() || self.what == "unknown field") {
            (true, _) => {}
            (false, true) => write!(f, "{}: ", self.field)?,
            (false, false) => write!(f, "{} = {}: ", self.field, self.value)?,
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Everything that is wrong with a recipe; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
