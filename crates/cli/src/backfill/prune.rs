//! `--prune`: prints and reports whose source is gone. Owns finding them; what
//! the recipe leads to is deleted by the handler, which looks at the source
//! again afterwards.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use minilab_handler::Store as _;
use minilab_handler::tag;
use minilab_imaging::recipe::report_key;
use percent_encoding::percent_decode_str;

use super::{Run, Selection, Summary};
use crate::buckets::patiently;

impl Run<'_> {
    /// Counts the orphans, and those that may be another recipe's. Objects
    /// without our metadata, and those of keys too long to be told from it, are
    /// left alone.
    pub(super) async fn prune(&self, selection: &Selection, summary: &mut Summary) -> anyhow::Result<()> {
        let bucket = self.recipe.processed.bucket.as_str();
        let (mut orphans, mut unclear) = (0, 0);
        let mut from: Option<String> = None;
        'pages: loop {
            let page = patiently(|| self.store.list(bucket, "", from.as_deref())).await?;
            let mut found = stream::iter(page.keys)
                .map(|key| async move {
                    anyhow::Ok(self.lost_source(selection, &key).await?.map(|lost| (key, lost)))
                })
                .buffered(self.at_once)
                .try_filter_map(|orphan| std::future::ready(Ok(orphan)))
                .boxed_local();
            while let Some((key, Lost { source, is_ours })) = found.try_next().await? {
                if self.is_stopped() {
                    break 'pages;
                }
                if !is_ours {
                    tracing::info!("s3://{bucket}/{key} may be another recipe's: it is left alone");
                    unclear += 1;
                } else if self.dry || self.remove(summary, &key, &source).await? {
                    orphans += 1;
                }
            }
            drop(found);
            match page.next {
                None => break,
                next => from = next,
            }
        }
        summary.orphans = Some(orphans);
        summary.unclear = Some(unclear);
        Ok(())
    }

    /// The source that an object was made of, where that is gone.
    async fn lost_source(&self, selection: &Selection, key: &str) -> anyhow::Result<Option<Lost>> {
        let recipe = self.recipe;
        let Some(head) = patiently(|| self.store.head(&recipe.processed.bucket, key)).await? else {
            return Ok(None);
        };
        let source = head.metadata.get(tag::SOURCE).and_then(|name| source_key(name));
        let Some(source) = source.filter(|source| {
            recipe.is_source(&recipe.source.bucket, source) && source.starts_with(&selection.prefix)
        }) else {
            return Ok(None);
        };
        let source_bucket = head.metadata.get(tag::SOURCE_BUCKET);
        if source_bucket.is_some_and(|name| *name != recipe.source.bucket) {
            return Ok(None);
        }
        let there = patiently(|| self.store.head(&recipe.source.bucket, &source)).await?;
        Ok(there.is_none().then_some(Lost { source, is_ours: source_bucket.is_some() }))
    }

    /// Whether the object is gone afterwards.
    async fn remove(&self, summary: &mut Summary, key: &str, source: &str) -> anyhow::Result<bool> {
        let recipe = self.recipe;
        let bucket = recipe.processed.bucket.as_str();
        let known = key == report_key(source)
            || recipe.outputs_of_key(source).any(|output| output.footprint(source).covers(key));
        if known {
            let done = self.workers.reconcile(source).await;
            self.done(summary, &done)?;
            return Ok(patiently(|| self.store.head(bucket, key)).await?.is_none());
        }
        // Made by an output that the recipe no longer has: no event leads here,
        // so nobody is writing it.
        patiently(|| self.store.delete(bucket, key)).await?;
        summary.deleted += 1;
        Ok(true)
    }
}

/// Of an object whose source is not, or no longer, in the recipe's bucket.
struct Lost {
    source: String,
    /// Whether the object says that its source was in this bucket. Earlier
    /// versions did not name it.
    is_ours: bool,
}

/// The source's key, from a print's metadata; `None` where that is a digest.
fn source_key(name: &str) -> Option<String> {
    if name.starts_with("sha256:") {
        return None;
    }
    let key = percent_decode_str(name).decode_utf8().ok()?.into_owned();
    // What does not lead back was not written by us.
    (tag::source(&key) == name).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_metadata_unless_it_holds_a_digest() {
        for key in ["a b/ü%20.jpg", "sha256:x", "plain"] {
            assert_eq!(source_key(&tag::source(key)).as_deref(), Some(key));
        }
        for name in [tag::source(&"ü".repeat(512)), "a b".to_owned(), "%ff".to_owned()] {
            assert_eq!(source_key(&name), None, "{name}");
        }
    }
}
