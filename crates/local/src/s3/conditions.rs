//! Conditional reads and byte ranges, as pure functions.
//!
//! Owns: the order in which conditions count (RFC 9110, section 13.2.2, as S3
//! documents it for GET and HEAD) and what a range means. Refuses: writes;
//! those are checked in storage's own transaction.

use crate::storage::EtagMatch;
use s3s::dto::ETagCondition;
use std::ops::Range;

/// The conditions of a read or of a copy's source.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_field_names, reason = "the headers' own names")]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<EtagMatch>,
    pub(crate) if_none_match: Option<EtagMatch>,
    /// Seconds since 1970.
    pub(crate) if_modified_since: Option<i64>,
    /// Seconds since 1970.
    pub(crate) if_unmodified_since: Option<i64>,
}

/// What the conditions lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Serve it.
    Proceed,
    /// 304, or 412 for a copy.
    NotModified,
    /// 412, with the condition that fails.
    Failed(&'static str),
}

impl ReadConditions {
    /// Judges an object by its `ETag` and time of change in seconds since 1970.
    pub(crate) fn judge(&self, etag: &str, modified: i64) -> Verdict {
        match (&self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !wanted.matches(etag) => return Verdict::Failed("If-Match"),
            (None, Some(limit)) if modified > limit => return Verdict::Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(known), _) if known.matches(etag) => Verdict::NotModified,
            (None, Some(since)) if modified <= since => Verdict::NotModified,
            _ => Verdict::Proceed,
        }
    }
}

/// A condition header as storage understands it. Weak tags compare by value, as S3 does.
pub(crate) fn etag_match(condition: &ETagCondition) -> EtagMatch {
    match condition {
        ETagCondition::Any => EtagMatch::Any,
        ETagCondition::ETag(etag) => EtagMatch::Etag(etag.value().to_owned()),
    }
}

/// The bytes that a `Range` header selects of `size`; `None` when it selects none (416).
///
/// A suffix longer than the object selects all of it; a suffix of an empty object selects none.
pub(crate) fn satisfy(range: s3s::dto::Range, size: u64) -> Option<Range<u64>> {
    match range {
        s3s::dto::Range::Int { first, last } => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            (first < end).then_some(first..end)
        }
        s3s::dto::Range::Suffix { length } => {
            let length = length.min(size);
            (length > 0).then(|| size - length..size)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_count_in_the_documented_order() {
        let tag = |value: &str| Some(EtagMatch::Etag(value.to_owned()));
        let (same, other) = (tag("e"), tag("x"));
        // The object: ETag "e", changed at 100.
        let cases = [
            (None, None, None, None, Verdict::Proceed),
            (same.clone(), None, None, None, Verdict::Proceed),
            (other.clone(), None, None, None, Verdict::Failed("If-Match")),
            (Some(EtagMatch::Any), None, None, None, Verdict::Proceed),
            (same.clone(), None, None, Some(50), Verdict::Proceed),
            (None, None, None, Some(50), Verdict::Failed("If-Unmodified-Since")),
            (None, None, None, Some(100), Verdict::Proceed),
            (None, same.clone(), None, None, Verdict::NotModified),
            (None, other.clone(), Some(200), None, Verdict::Proceed),
            (None, same.clone(), Some(50), None, Verdict::NotModified),
            (None, None, Some(100), None, Verdict::NotModified),
            (None, None, Some(99), None, Verdict::Proceed),
            (other, same, None, None, Verdict::Failed("If-Match")),
        ];
        for (if_match, if_none_match, if_modified_since, if_unmodified_since, verdict) in cases {
            let conditions =
                ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
            assert_eq!(conditions.judge("e", 100), verdict, "{conditions:?}");
        }
    }

    #[test]
    fn ranges_select_bytes_or_nothing() {
        use s3s::dto::Range::{Int, Suffix};
        let cases = [
            (Int { first: 0, last: Some(0) }, 10, Some(0..1)),
            (Int { first: 3, last: None }, 10, Some(3..10)),
            (Int { first: 3, last: Some(99) }, 10, Some(3..10)),
            (Int { first: 10, last: None }, 10, None),
            (Int { first: 0, last: None }, 0, None),
            (Int { first: 0, last: Some(u64::MAX) }, 5, Some(0..5)),
            (Suffix { length: 4 }, 10, Some(6..10)),
            (Suffix { length: 40 }, 10, Some(0..10)),
            (Suffix { length: 0 }, 10, None),
            (Suffix { length: 1 }, 0, None),
        ];
        for (range, size, selected) in cases {
            assert_eq!(satisfy(range, size), selected, "{range:?} of {size}");
        }
    }
}
