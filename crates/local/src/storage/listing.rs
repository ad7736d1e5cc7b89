//! Listing objects, versions and uploads by page, with delimiters.
//!
//! Owns: what a page holds and where the next begins, as a pure function over
//! a seekable, ordered source. Refuses: tokens and XML.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use super::error::StorageError;
use super::record::{self, COLUMNS, ObjectInfo};
use super::{Storage, bucket};
use rusqlite::params;

/// A position in an ordered source: before everything at or after `key`, or,
/// with `tie`, after the item of that key and tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes of a key.
    pub key: Vec<u8>,
    /// Orders the items of one key.
    pub tie: Option<i64>,
}

impl Cursor {
    /// Before everything from `key` on.
    pub fn from(key: &[u8]) -> Self {
        Self { key: key.to_owned(), tie: None }
    }

    /// After everything of `key`. No key lies between `key` and `key` with a zero byte.
    pub fn after(key: &[u8]) -> Self {
        let mut next = key.to_owned();
        next.push(0);
        Self { key: next, tie: None }
    }

    /// After everything that starts with `prefix`.
    pub fn beyond(prefix: &[u8]) -> Self {
        Self { key: end_of_prefix(prefix), tie: None }
    }
}

/// The first byte string after all that start with `prefix`. UTF-8 has no byte 255.
fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_owned();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(u8::MAX),
    }
    end
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// Only keys that start so.
    pub prefix: String,
    /// Keys that share what precedes it after the prefix are rolled up; empty for none.
    pub delimiter: String,
    /// Only what follows; for a common prefix, only if it follows itself.
    pub after: Option<String>,
    /// With `after`: only what follows this item of that key.
    pub tie: Option<i64>,
    /// Most entries and common prefixes together.
    pub limit: usize,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Entries in order.
    pub entries: Vec<T>,
    /// Common prefixes in order.
    pub prefixes: Vec<String>,
    /// True when more follows.
    pub truncated: bool,
    /// The last key or common prefix of the page.
    pub last: Option<String>,
}

/// An item with its place in the order.
pub(crate) trait Placed {
    fn key(&self) -> &str;
    fn tie(&self) -> i64;
}

/// Fills one page from `fetch(from, until, limit)`, which returns the first
/// `limit` items at or after `from` whose keys are below `until`.
pub(crate) fn collect<T: Placed, E>(
    paging: &Paging,
    mut fetch: impl FnMut(&Cursor, &[u8], usize) -> Result<Vec<T>, E>,
) -> Result<Page<T>, E> {
    let mut page = Page { entries: Vec::new(), prefixes: Vec::new(), truncated: false, last: None };
    if paging.limit == 0 {
        return Ok(page);
    }
    let prefix = paging.prefix.as_bytes();
    let until = end_of_prefix(prefix);
    let mut from = match (&paging.after, paging.tie) {
        (Some(after), tie @ Some(_)) if after.as_bytes() >= prefix => {
            Cursor { key: after.as_bytes().to_owned(), tie }
        }
        (Some(after), None) if after.as_bytes() >= prefix => Cursor::after(after.as_bytes()),
        _ => Cursor::from(prefix),
    };
    // With a delimiter one fetched key may stand for any number that follow it.
    let batch = if paging.delimiter.is_empty() { paging.limit + 1 } else { 64 };
    'fetching: loop {
        let items = fetch(&from, &until, batch)?;
        let exhausted = items.len() < batch;
        for item in items {
            if let Some(common) = common_prefix(item.key(), paging) {
                let beyond = Cursor::beyond(common.as_bytes());
                if paging.after.as_deref().is_some_and(|after| common.as_str() <= after) {
                    from = beyond;
                    continue 'fetching;
                }
                if page.entries.len() + page.prefixes.len() == paging.limit {
                    page.truncated = true;
                    return Ok(page);
                }
                page.last = Some(common.clone());
                page.prefixes.push(common);
                from = beyond;
                continue 'fetching;
            }
            if page.entries.len() + page.prefixes.len() == paging.limit {
                page.truncated = true;
                return Ok(page);
            }
            from = Cursor { key: item.key().as_bytes().to_owned(), tie: Some(item.tie()) };
            page.last = Some(item.key().to_owned());
            page.entries.push(item);
        }
        if exhausted {
            return Ok(page);
        }
    }
}

fn common_prefix(key: &str, paging: &Paging) -> Option<String> {
    if paging.delimiter.is_empty() {
        return None;
    }
    let rest = key.get(paging.prefix.len()..)?;
    let end = rest.find(&paging.delimiter)? + paging.delimiter.len();
    Some(key[..paging.prefix.len() + end].to_owned())
}

impl Placed for ObjectInfo {
    fn key(&self) -> &str {
        &self.key
    }

    /// Newest first.
    fn tie(&self) -> i64 {
        -self.row
    }
}

/// A version or delete marker in a listing.
pub type VersionEntry = ObjectInfo;

impl Storage {
    /// Lists current objects.
    pub fn list(&self, bucket_name: &str, paging: &Paging) -> Result<Page<ObjectInfo>, StorageError> {
        self.database.read(|connection| {
            let versioning = bucket::find(connection, bucket_name)?.versioning;
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM object_version WHERE bucket = ?1 AND latest = 1 AND marker = 0
                 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4"
            ))?;
            collect(paging, |from, until, limit| {
                // A key has one current version: after it means after the key.
                let from = if from.tie.is_some() { Cursor::after(&from.key) } else { from.clone() };
                let rows = query
                    .query_map(params![bucket_name, from.key, until, limit as i64], |row| {
                        record::read_row(row, versioning)
                    })?
                    .collect::<Result<_, _>>()?;
                Ok(rows)
            })
        })
    }

    /// Lists all versions and delete markers, newest first within a key.
    /// `after_version` is a version of the key `paging.after`.
    pub fn list_versions(
        &self,
        bucket_name: &str,
        paging: &Paging,
        after_version: Option<&str>,
    ) -> Result<Page<VersionEntry>, StorageError> {
        self.database.read(|connection| {
            let versioning = bucket::find(connection, bucket_name)?.versioning;
            let mut paging = paging.clone();
            if let (Some(key), Some(version)) = (&paging.after, after_version) {
                let marker = record::by_version(connection, bucket_name, versioning, key, version)?;
                paging.tie = marker.map(|marker| marker.tie());
            }
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM object_version WHERE bucket = ?1
                 AND key >= ?2 AND key < ?3 AND (key > ?2 OR id < ?5) ORDER BY key, id DESC LIMIT ?4"
            ))?;
            collect(&paging, |from, until, limit| {
                let below = from.tie.map_or(i64::MAX, |tie| -tie);
                let rows = query
                    .query_map(params![bucket_name, from.key, until, limit as i64, below], |row| {
                        record::read_row(row, versioning)
                    })?
                    .collect::<Result<_, _>>()?;
                Ok(rows)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Item(&'static str, i64);

    impl Placed for Item {
        fn key(&self) -> &str {
            self.0
        }
        fn tie(&self) -> i64 {
            self.1
        }
    }

    fn page(items: &[Item], paging: &Paging) -> Page<Item> {
        collect(paging, |from, until, limit| {
            Ok::<_, Infallible>(
                items
                    .iter()
                    .filter(|item| {
                        let key = item.0.as_bytes();
                        key < until
                            && match from.tie {
                                None => key >= from.key.as_slice(),
                                Some(tie) => (key, item.1) > (from.key.as_slice(), tie),
                            }
                    })
                    .take(limit)
                    .cloned()
                    .collect(),
            )
        })
        .unwrap()
    }

    fn keys(items: &[&'static str]) -> Vec<Item> {
        items.iter().map(|&key| Item(key, 0)).collect()
    }

    fn shown(page: &Page<Item>) -> (Vec<&str>, Vec<&str>, bool) {
        (
            page.entries.iter().map(|item| item.0).collect(),
            page.prefixes.iter().map(String::as_str).collect(),
            page.truncated,
        )
    }

    #[test]
    fn pages_hold_entries_and_common_prefixes() {
        type Case = (
            &'static str,
            &'static str,
            Option<&'static str>,
            usize,
            (Vec<&'static str>, Vec<&'static str>, bool),
        );
        let items = keys(&["a", "a//b", "a/b/c", "b/1", "b/2", "c", "é/x"]);
        let cases: Vec<Case> = vec![
            ("", "", None, 100, (vec!["a", "a//b", "a/b/c", "b/1", "b/2", "c", "é/x"], vec![], false)),
            ("", "/", None, 100, (vec!["a", "c"], vec!["a/", "b/", "é/"], false)),
            ("a/", "/", None, 100, (vec![], vec!["a//", "a/b/"], false)),
            ("b", "", None, 1, (vec!["b/1"], vec![], true)),
            ("b", "", Some("b/1"), 1, (vec!["b/2"], vec![], false)),
            ("", "/", None, 2, (vec!["a"], vec!["a/"], true)),
            ("", "/", Some("a/"), 2, (vec!["c"], vec!["b/"], true)),
            ("", "/", Some("b/"), 9, (vec!["c"], vec!["é/"], false)),
            ("", "/", Some("b/1"), 9, (vec!["c"], vec!["é/"], false)),
            ("z", "", None, 9, (vec![], vec![], false)),
            ("b", "", Some("a"), 9, (vec!["b/1", "b/2"], vec![], false)),
            ("", "", None, 0, (vec![], vec![], false)),
            ("", "", None, 7, (vec!["a", "a//b", "a/b/c", "b/1", "b/2", "c", "é/x"], vec![], false)),
        ];
        for (prefix, delimiter, after, limit, expected) in cases {
            let paging = Paging {
                prefix: prefix.to_owned(),
                delimiter: delimiter.to_owned(),
                after: after.map(str::to_owned),
                tie: None,
                limit,
            };
            assert_eq!(shown(&page(&items, &paging)), expected, "{paging:?}");
        }
    }

    #[test]
    fn a_large_group_costs_one_prefix_and_walking_by_pages_sees_everything_once() {
        let items: Vec<Item> = (0..500)
            .map(|n| Item(Box::leak(format!("dir{:02}/{n:04}", n % 7).into_boxed_str()), 0))
            .chain((0..300).map(|n| Item(Box::leak(format!("file{n:03}").into_boxed_str()), 0)))
            .collect();
        let mut items = items;
        items.sort_by_key(|item| item.0);
        for delimiter in ["", "/"] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let paging =
                    Paging { delimiter: delimiter.to_owned(), after, limit: 13, ..Paging::default() };
                let page = page(&items, &paging);
                seen.extend(page.entries.iter().map(|item| item.0.to_owned()));
                seen.extend(page.prefixes.iter().cloned());
                after = page.last.clone();
                if !page.truncated {
                    break;
                }
            }
            let expected = if delimiter.is_empty() { 800 } else { 307 };
            let mut unique = seen.clone();
            unique.sort();
            unique.dedup();
            assert_eq!((seen.len(), unique.len()), (expected, expected), "delimiter {delimiter:?}");
        }
    }

    #[test]
    fn ties_continue_within_a_key() {
        let items = [Item("a", 1), Item("a", 2), Item("a", 3), Item("b", 1)];
        let paging = Paging { after: Some("a".to_owned()), tie: Some(1), limit: 2, ..Paging::default() };
        let page = page(&items, &paging);
        assert_eq!((page.entries.as_slice(), page.truncated), (&items[1..3], true));
    }

    /// Every entry and common prefix, without pages: the definition itself.
    fn all(items: &[Item], prefix: &str, delimiter: &str) -> Vec<String> {
        let mut names: Vec<String> = items
            .iter()
            .filter_map(|item| {
                let rest = item.0.strip_prefix(prefix)?;
                let end = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten();
                Some(end.map_or(item.0.to_owned(), |end| {
                    item.0[..prefix.len() + end + delimiter.len()].to_owned()
                }))
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    proptest::proptest! {
        #[test]
        fn walking_by_pages_of_any_size_lists_exactly_what_there_is(
            keys in proptest::collection::btree_set("[ab/é]{1,5}", 0..200),
            prefix in "[ab/]{0,2}",
            delimiter in "(|/|ab)",
            limit in 1_usize..20,
        ) {
            let items: Vec<Item> =
                keys.into_iter().map(|key| Item(Box::leak(key.into_boxed_str()), 0)).collect();
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let (prefix, delimiter) = (prefix.clone(), delimiter.clone());
                let page = page(&items, &Paging { prefix, delimiter, after, tie: None, limit });
                proptest::prop_assert!(page.entries.len() + page.prefixes.len() <= limit);
                seen.extend(page.entries.iter().map(|item| item.0.to_owned()));
                seen.extend(page.prefixes);
                after = page.last;
                if !page.truncated {
                    break;
                }
            }
            seen.sort();
            proptest::prop_assert_eq!(seen, all(&items, &prefix, &delimiter));
        }
    }
}
