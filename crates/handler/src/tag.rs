//! What a print carries to say where it comes from: user metadata that names
//! its source and that one's bucket, the source's state and the recipe. Also the second loop guard:
//! an object with these names is never a source.

use crate::hex::hex;
use crate::store::{Head, Metadata};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Names the source's key, percent-encoded.
pub const SOURCE: &str = "minilab-source";
/// Names the source's bucket: recipes with other sources may share a processed
/// bucket. Objects of earlier versions lack it.
pub const SOURCE_BUCKET: &str = "minilab-source-bucket";
/// The source's etag when the print was made.
pub const SOURCE_ETAG: &str = "minilab-source-etag";
/// The digest of the recipe that made it.
pub const RECIPE: &str = "minilab-recipe";

/// S3 allows 2 KB of user metadata in all, and ASCII only. What is not the key
/// takes less than 400 bytes: a bucket's name has at most 63.
const LONGEST: usize = 1024;

/// What is encoded in a key. `:` is, so that no key reads like a digest.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b':').add(b'<').add(b'>').add(b'\\');

/// A source key as metadata: percent-encoded, or the SHA-256 of the key where
/// that would be too long.
pub fn source(key: &str) -> String {
    let encoded = utf8_percent_encode(key, ENCODED).to_string();
    if encoded.len() <= LONGEST {
        return encoded;
    }
    format!("sha256:{}", hex(&Sha256::digest(key.as_bytes())))
}

/// The metadata of everything that is made of a source.
pub(crate) fn metadata(bucket: &str, key: &str, etag: &str, recipe: &str) -> Metadata {
    [(SOURCE_BUCKET, bucket), (SOURCE, &source(key)), (SOURCE_ETAG, etag), (RECIPE, recipe)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether an object was made by us.
pub(crate) fn is_ours(head: &Head) -> bool {
    [SOURCE, SOURCE_BUCKET, SOURCE_ETAG, RECIPE].iter().any(|name| head.metadata.contains_key(*name))
}

/// Whether an object was made by us of this source. One that names no bucket
/// is taken for ours: it lies under a key that this source leads to.
pub(crate) fn is_made_of(head: &Head, bucket: &str, source: &str) -> bool {
    head.metadata.get(SOURCE).is_some_and(|found| found == source)
        && head.metadata.get(SOURCE_BUCKET).is_none_or(|found| found == bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_short_printable_ascii_and_stay_apart() {
        for (key, expected) in [
            ("a/b.jpg", "a/b.jpg"),
            ("a b+c.jpg", "a%20b+c.jpg"),
            ("100%.jpg", "100%25.jpg"),
            ("sha256:ab", "sha256%3Aab"),
            ("ü\n", "%C3%BC%0A"),
        ] {
            assert_eq!(source(key), expected);
        }
        let long = "ü".repeat(512);
        assert_eq!(source(&long).len(), "sha256:".len() + 64);
        assert_ne!(source(&long), source(&"ä".repeat(512)));
        assert_eq!(source(&"k".repeat(1024)).len(), 1024);
    }

    #[test]
    fn the_longest_metadata_is_within_what_s3_allows() {
        let metadata = metadata(&"b".repeat(63), &"k".repeat(1024), &"e".repeat(64), &"d".repeat(64));
        let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes < 2048 - 512, "{bytes}");
    }
}
