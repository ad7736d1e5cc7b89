//! Whether a source has all its prints, of its present state and by this
//! recipe. Owns the question; reads prints' metadata only, never their bytes.

use std::collections::BTreeMap;

use minilab_handler::Store as _;
use minilab_handler::store::{Head, StoreError};
use minilab_handler::tag;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Footprint, Output, report_key};
use minilab_s3_store::{Listed, S3Store};

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
    let made_of = MadeOf {
        bucket: &recipe.source.bucket,
        tag: tag::source(&source.key),
        etag: &source.etag,
        recipe: digest,
    };
    let looks = Looks { bucket: &recipe.processed.bucket, store, source, made_of };
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
    store: &'a S3Store,
    source: &'a Listed,
    made_of: MadeOf<'a>,
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
        Ok(head.is_some_and(|head| self.made_of.agrees(&head)))
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

/// What an object says that was made of this state of this source by this
/// recipe. One of an earlier version names no bucket, and is made again: only
/// then does `--prune` know whose it is.
struct MadeOf<'a> {
    bucket: &'a str,
    tag: String,
    etag: &'a str,
    recipe: &'a str,
}

impl MadeOf<'_> {
    fn agrees(&self, head: &Head) -> bool {
        let Self { bucket, tag, etag, recipe } = self;
        [(tag::SOURCE_BUCKET, *bucket), (tag::SOURCE, tag), (tag::SOURCE_ETAG, etag), (tag::RECIPE, recipe)]
            .iter()
            .all(|(name, value)| head.metadata.get(*name).is_some_and(|found| found == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_state_and_recipe_must_all_agree() {
        let made_of = MadeOf { bucket: "film", tag: "a".to_owned(), etag: "e", recipe: "r" };
        let all =
            [(tag::SOURCE_BUCKET, "film"), (tag::SOURCE, "a"), (tag::SOURCE_ETAG, "e"), (tag::RECIPE, "r")];
        let agrees = |metadata: BTreeMap<&str, &str>| {
            let metadata = metadata.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            made_of.agrees(&Head { etag: "x".to_owned(), size: 1, metadata: metadata.collect() })
        };
        assert!(agrees(all.into()));
        for (name, _) in all {
            let mut other = BTreeMap::from(all);
            other.insert(name, "other");
            assert!(!agrees(other.clone()), "another {name}");
            other.remove(name);
            assert!(!agrees(other), "no {name}");
        }
    }
}
