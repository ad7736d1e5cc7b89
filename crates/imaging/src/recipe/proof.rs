//! The proof that no print and no report can trigger the function again.
//!
//! Owns: the argument, in words for people. Refuses to guess: what cannot be
//! proved is not allowed.

use std::fmt;

use super::key::{Piece, Variable};
use super::{Output, Processed, REPORT_PREFIX, Recipe, Source};

/// Why each output, and the failure reports, cannot match the trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopProof {
    /// One for each output, in order.
    pub outputs: Vec<Proven>,
    /// For `failures/…`.
    pub reports: Proven,
}

/// Why one family of keys cannot match the trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// It is stored in a bucket that has no trigger.
    OtherBucket {
        /// The bucket without a trigger.
        bucket: String,
    },
    /// Every one of its keys starts with `start`, and no such key has the
    /// trigger's prefix.
    OtherPrefix {
        /// What all the keys start with.
        start: String,
        /// The trigger's prefix.
        prefix: String,
    },
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherBucket { bucket } => write!(f, "goes to {bucket}, which triggers nothing"),
            Self::OtherPrefix { start, prefix } => {
                write!(f, "every key starts with {start:?}, the trigger only takes {prefix:?}…")
            }
        }
    }
}

/// What every print key of `output` starts with.
fn start(source: &Source, output: &Output) -> String {
    // Keys that trigger start with the prefix; so does `{key}`, and so does
    // `{dir}` where the prefix ends in a slash.
    let mut start = output.literal_prefix().to_owned();
    let first_variable = output.key.pieces().iter().find_map(|piece| match piece {
        Piece::Variable(variable) => Some(*variable),
        Piece::Literal(_) => None,
    });
    let follows = match first_variable {
        Some(Variable::Key) => true,
        Some(Variable::Dir) => source.prefix.ends_with('/'),
        _ => false,
    };
    if follows {
        start.push_str(&source.prefix);
    }
    start
}

/// `None` where it cannot be proved.
pub(super) fn output(source: &Source, processed: &Processed, output: &Output) -> Option<Proven> {
    keys(source, processed, &start(source, output))
}

pub(super) fn reports(source: &Source, processed: &Processed) -> Option<Proven> {
    keys(source, processed, REPORT_PREFIX)
}

fn keys(source: &Source, processed: &Processed, start: &str) -> Option<Proven> {
    if source.bucket != processed.bucket {
        return Some(Proven::OtherBucket { bucket: processed.bucket.clone() });
    }
    let disjoint = !start.starts_with(&source.prefix) && !source.prefix.starts_with(start);
    disjoint.then(|| Proven::OtherPrefix { start: start.to_owned(), prefix: source.prefix.clone() })
}

impl Recipe {
    /// The proof that this recipe cannot trigger itself. A `Recipe` exists only
    /// where there is one, so `None` means that its public fields were changed
    /// after parsing.
    pub fn loop_proof(&self) -> Option<LoopProof> {
        let outputs = self
            .outputs
            .iter()
            .map(|o| output(&self.source, &self.processed, o))
            .collect::<Option<Vec<_>>>()?;
        Some(LoopProof { outputs, reports: reports(&self.source, &self.processed)? })
    }

    /// What every print key of `output` starts with, as far as it is certain:
    /// the narrowest prefix that a permission to write its prints needs.
    pub fn print_prefix(&self, output: &Output) -> String {
        start(&self.source, output)
    }

    /// Whether an object with this key is one that prints are made of.
    pub fn is_source(&self, bucket: &str, key: &str) -> bool {
        bucket == self.source.bucket && key.starts_with(&self.source.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(prefix: &str, key: &str) -> bool {
        let text = format!(
            "[source]\nbucket = \"one-bucket\"\nprefix = \"{prefix}\"\n[processed]\nbucket = \"one-bucket\"\n\
             [[output]]\nkey = \"{key}\"\n"
        );
        Recipe::parse(&text).is_ok()
    }

    #[test]
    fn one_bucket_needs_prefixes_that_cannot_meet() {
        for (prefix, key, safe) in [
            ("uploads/", "prints/{key}", true),
            ("uploads/", "pixelated-8x8-{key}", true),
            ("uploads/", "{key}.webp", false),
            ("uploads/", "{dir}{stem}.webp", false),
            ("uploads/", "{name}", false), // "uploads/" has no name, but "{name}" is not proved
            ("uploads/", "up{key}", true), // upuploads/…
            ("uploads/", "up{name}", false),
            ("uploads/", "uploads/small/{name}", false),
            ("uploads/", "uploads-small/{name}", true),
            ("", "prints/{key}", false),
            ("fail", "prints/{key}", false), // the reports would trigger
        ] {
            assert_eq!(proven(prefix, key), safe, "prefix {prefix:?}, key {key:?}");
        }
    }

    /// The claim itself, on every key that the trigger takes among many.
    #[test]
    fn no_proven_print_of_a_source_is_a_source() {
        for prefix in ["a", "a/", "ab/c", "uploads/"] {
            for key in
                ["b{key}", "a{name}", "a{key}", "ab{dir}x{name}", "x/{stem}", "{dir}{name}", "ab/{key}"]
            {
                let text = format!(
                    "[source]\nbucket = \"one-bucket\"\nprefix = \"{prefix}\"\n[processed]\nbucket = \"one-bucket\"\n\
                     [[output]]\nkey = \"{key}\"\n"
                );
                let Ok(recipe) = Recipe::parse(&text) else { continue };
                for tail in ["", "/", "b/c", "a", "c/d.e", "uploads/x"] {
                    let source_key = format!("{prefix}{tail}");
                    if let super::super::Footprint::Exact(print) = recipe.outputs[0].footprint(&source_key) {
                        assert!(
                            !recipe.is_source("one-bucket", &print),
                            "{prefix} {key} {source_key} {print}"
                        );
                    }
                }
            }
        }
    }
}
