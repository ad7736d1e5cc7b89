//! Whether a source has all its prints, of its present state and by this
//! recipe. Owns the question; reads prints' metadata only, never their bytes.

use std::collections::BTreeMap;

use minilab_handler::Store as _;
use minilab_handler::store::{Head, StoreError};
use minilab_handler::tag;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Footprint, Output, report_key};
use minilab_lambda::{Listed, S3Store};

use crate::buckets::patiently;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Every print is there, or the report that says why there is none.
    Fresh,
    /// Something is missing, or older.
    Due,
}

/// Looks at the prints of `source`. Which rule its picture falls under is not
/// known without its bytes; a rule all of whose prints are fresh is the one.
pub(super) async fn of(
    recipe: &Recipe,
    digest: &str,
    store: &S3Store,
    source: &Listed,
) -> Result<Freshness, StoreError> {
    let looks =
        Looks { bucket: &recipe.processed.bucket, digest, store, source, tag: tag::source(&source.key) };
    let mut rules: BTreeMap<Option<usize>, Vec<&Output>> = BTreeMap::new();
    for output in recipe.outputs_of_key(&source.key) {
        rules.entry(output.rule).or_default().push(output);
    }
    for outputs in rules.values() {
        if looks.all_are_fresh(outputs).await? {
            return Ok(Freshness::Fresh);
        }
    }
    let rejected = looks.is_fresh(&report_key(&source.key)).await?;
    Ok(if rejected { Freshness::Fresh } else { Freshness::Due })
}

struct Looks<'a> {
    bucket: &'a str,
    digest: &'a str,
    store: &'a S3Store,
    source: &'a Listed,
    tag: String,
}

impl Looks<'_> {
    async fn all_are_fresh(&self, outputs: &[&Output]) -> Result<bool, StoreError> {
        for output in outputs {
            let fresh = match output.footprint(&self.source.key) {
                Footprint::Exact(key) => self.is_fresh(&key).await?,
                listed @ Footprint::Listed { .. } => self.any_is_fresh(&listed).await?,
                Footprint::Nothing(_) => false,
            };
            if !fresh {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_fresh(&self, key: &str) -> Result<bool, StoreError> {
        let head = patiently(|| self.store.head(self.bucket, key)).await?;
        Ok(head.is_some_and(|head| is_made_of(&head, &self.tag, &self.source.etag, self.digest)))
    }

    async fn any_is_fresh(&self, footprint: &Footprint) -> Result<bool, StoreError> {
        let Footprint::Listed { prefix, .. } = footprint else { return Ok(false) };
        let mut from: Option<String> = None;
        loop {
            let page = patiently(|| self.store.list(self.bucket, prefix, from.as_deref())).await?;
            for key in page.keys.iter().filter(|key| footprint.covers(key)) {
                if self.is_fresh(key).await? {
                    return Ok(true);
                }
            }
            match page.next {
                None => return Ok(false),
                next => from = next,
            }
        }
    }
}

/// Whether an object says that it was made of this state of this source by
/// this recipe.
fn is_made_of(head: &Head, source: &str, etag: &str, digest: &str) -> bool {
    [(tag::SOURCE, source), (tag::SOURCE_ETAG, etag), (tag::RECIPE, digest)]
        .iter()
        .all(|(name, value)| head.metadata.get(*name).is_some_and(|found| found == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_state_and_recipe_must_all_agree() {
        let head = |source: &str, etag: &str, recipe: &str| Head {
            etag: "x".to_owned(),
            size: 1,
            metadata: [(tag::SOURCE, source), (tag::SOURCE_ETAG, etag), (tag::RECIPE, recipe)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        for (found, expected) in [
            (head("a", "e", "r"), true),
            (head("b", "e", "r"), false),
            (head("a", "f", "r"), false),
            (head("a", "e", "s"), false),
            (Head { metadata: BTreeMap::new(), ..head("a", "e", "r") }, false),
        ] {
            assert_eq!(is_made_of(&found, "a", "e", "r"), expected, "{found:?}");
        }
    }
}
