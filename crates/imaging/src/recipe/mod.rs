//! The recipe: which prints are made of a picture, where they go, and what a
//! picture may cost. This module owns the resolved recipe; `parse` turns TOML
//! into one and reports every problem at once, `key` expands key templates,
//! `proof` shows that no print can trigger the function again.

mod digest;
mod draft;
mod footprint;
mod hex;
mod key;
mod operations;
mod output;
mod parse;
mod problem;
mod proof;
mod reader;
pub mod reference;
mod rules;

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use footprint::{Footprint, Rest};
pub use key::{KeyError, KeyTemplate, LONGEST_KEY, PrintName, REPORT_PREFIX, report_key};
pub use output::*;
pub use problem::{Problem, Problems};
pub use proof::{LoopProof, Proven};
pub use rules::Rule;

pub use minilab_pixels::format::Format;
pub use minilab_pixels::geometry::Place;
pub use minilab_pixels::quality::Quality;

use crate::Limits;

/// The recipe that is used when no file is given.
pub const BUILT_IN: &str = include_str!("built_in.toml");

/// A resolved, valid recipe: no field is optional that a print depends on, and
/// no output can trigger the function ([`Recipe::loop_proof`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Where pictures come from.
    pub source: Source,
    /// Where prints go.
    pub processed: Processed,
    /// What one picture may cost.
    pub limits: Limits,
    /// Which pictures get other prints than those of `[[output]]`.
    pub rules: Vec<Rule>,
    /// The prints, in the file's order, those of the rules last. Never empty.
    pub outputs: Vec<Output>,
    /// The pictures that outputs need, as far as they have been supplied.
    #[serde(skip)]
    assets: BTreeMap<Asset, Supplied>,
}

/// A picture that outputs need.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Supplied {
    pub(crate) bytes: Arc<[u8]>,
    /// Width × height of one frame.
    pub(crate) pixels: u64,
}

/// The trigger: a bucket and a key prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Bucket name.
    pub bucket: String,
    /// Only keys with this prefix are sources; empty for all.
    pub prefix: String,
}

/// The bucket of the prints and of the failure reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processed {
    /// Bucket name.
    pub bucket: String,
}

impl Recipe {
    /// The built-in recipe: five classic pixelations and a responsive WebP set.
    ///
    /// # Panics
    /// Never: a test parses it.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the built-in recipe is valid")
    }

    /// The outputs that a picture of `format` at `key` gets, with their
    /// indices in [`Recipe::outputs`].
    pub fn outputs_for<'a>(
        &'a self,
        key: &str,
        format: Format,
    ) -> impl Iterator<Item = (usize, &'a Output)> + use<'a> {
        let rule = self.rules.iter().position(|rule| rule.takes(key, format));
        self.outputs.iter().enumerate().filter(move |(_, output)| output.rule == rule)
    }

    /// The outputs that a source at `key` may get, whatever is in it.
    pub fn outputs_of_key<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Output> + use<'a> {
        let mut open = true;
        let reachable: Vec<bool> = self
            .rules
            .iter()
            .map(|rule| {
                let takes = open && rule.takes_key(key);
                // Nothing passes a rule that takes every format.
                open &= !(takes && rule.formats.is_empty());
                takes
            })
            .collect();
        self.outputs.iter().filter(move |output| output.rule.map_or(open, |rule| reachable[rule]))
    }

    /// The pictures that outputs need.
    pub fn assets(&self) -> BTreeSet<&Asset> {
        self.outputs.iter().filter_map(|output| Some(&output.watermark.as_ref()?.image)).collect()
    }

    /// Those of them that have not been supplied.
    pub fn missing_assets(&self) -> Vec<Asset> {
        self.assets().into_iter().filter(|asset| !self.assets.contains_key(*asset)).cloned().collect()
    }

    /// Hands over the bytes of a picture that outputs need.
    ///
    /// # Errors
    /// What is wrong with it, by the limits of the recipe: it must be a picture.
    pub fn supply(&mut self, asset: Asset, bytes: Vec<u8>) -> Result<(), crate::Error> {
        let header = crate::inspect(&bytes, &self.limits)?;
        let pixels = u64::from(header.width) * u64::from(header.height);
        self.assets.insert(asset, Supplied { bytes: bytes.into(), pixels });
        Ok(())
    }

    pub(crate) fn asset(&self, asset: &Asset) -> Option<&Supplied> {
        self.assets.get(asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_recipe_is_the_classic_five_and_a_responsive_set() {
        let recipe = Recipe::built_in();
        let keys: Vec<&str> = recipe.outputs.iter().map(|o| o.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "pixelated-8x8-{key}",
                "pixelated-16x16-{key}",
                "pixelated-32x32-{key}",
                "pixelated-48x48-{key}",
                "pixelated-64x64-{key}",
                "responsive/320/{key}.webp",
                "responsive/640/{key}.webp",
                "responsive/1280/{key}.webp",
                "responsive/1920/{key}.webp",
            ]
        );
        assert_eq!(recipe.outputs[0].format, FormatChoice::Source);
        assert_eq!(recipe.outputs[5].format, FormatChoice::Fixed(Format::Webp));
    }
}
