//! Event notifications of buckets: rules, which of them an event matches, and
//! putting the messages into the queue within the transaction that changed
//! the object.
//!
//! Owns: the table `notification_rule`, the documented limits on rules, the
//! message format (`event`). Refuses: delivering; the queue's invoker does.
//! A function gets no `s3:TestEvent` when a rule is set: S3 sends that to
//! queues and topics only.

mod event;

pub use event::{EventName, Occurrence, Origin, Place, encode_key, iso_time, message};

use crate::queue;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The table; run at every opening.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS notification_rule (
    bucket   TEXT    NOT NULL REFERENCES bucket (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    rule     TEXT    NOT NULL,
    PRIMARY KEY (bucket, position)
) STRICT, WITHOUT ROWID;
";

/// Rules that one bucket may have.
pub const MAX_RULES: usize = 100;

/// One notification rule with a function as its destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The configuration's id, which every message repeats.
    pub id: String,
    /// The function's ARN.
    pub function: String,
    /// Event types such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// Only keys that start so; empty for all.
    pub prefix: String,
    /// Only keys that end so; empty for all.
    pub suffix: String,
}

/// Why a set of rules is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// No such event type exists in S3.
    #[error("the event type {0:?} does not exist; use one such as s3:ObjectCreated:*")]
    UnknownEvent(String),
    /// S3 has the event type, but nothing here would ever send it.
    #[error("events of type {0} never happen here")]
    UnsupportedEvent(String),
    /// A rule names no event type.
    #[error("the rule {0:?} names no event type")]
    NoEvent(String),
    /// Two rules have one id.
    #[error("two rules have the id {0:?}")]
    DuplicateId(String),
    /// Two rules would both match some event.
    #[error("the rules {first:?} and {second:?} overlap: both match {event} for some keys")]
    Overlap {
        /// One rule's id.
        first: String,
        /// The other's.
        second: String,
        /// An event that both match.
        event: &'static str,
    },
    /// Too many rules.
    #[error("a bucket has at most {MAX_RULES} rules, not {0}")]
    TooMany(usize),
}

/// Event families of S3 that nothing here sends.
const FOREIGN: [&str; 8] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectRestore:",
    "s3:Replication:",
    "s3:LifecycleExpiration:",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:",
    "s3:ObjectAnnotation",
];

/// Checks a bucket's rules as S3 does when they are set.
pub fn validate(rules: &[Rule]) -> Result<(), RuleError> {
    if rules.len() > MAX_RULES {
        return Err(RuleError::TooMany(rules.len()));
    }
    for (index, rule) in rules.iter().enumerate() {
        if rule.events.is_empty() {
            return Err(RuleError::NoEvent(rule.id.clone()));
        }
        for event_type in &rule.events {
            if EventName::ALL.iter().any(|name| name.is_named_by(event_type)) {
                continue;
            }
            return Err(if FOREIGN.iter().any(|family| event_type.starts_with(family)) {
                RuleError::UnsupportedEvent(event_type.clone())
            } else {
                RuleError::UnknownEvent(event_type.clone())
            });
        }
        for other in &rules[..index] {
            if other.id == rule.id {
                return Err(RuleError::DuplicateId(rule.id.clone()));
            }
            if let Some(event) = overlap(other, rule) {
                return Err(RuleError::Overlap {
                    first: other.id.clone(),
                    second: rule.id.clone(),
                    event: event.name(),
                });
            }
        }
    }
    Ok(())
}

/// An event that both rules match for some key: prefixes overlap when one
/// starts the other, suffixes when one ends the other.
fn overlap(one: &Rule, other: &Rule) -> Option<EventName> {
    let prefixes = one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix);
    let suffixes = one.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&one.suffix);
    if !(prefixes && suffixes) {
        return None;
    }
    let named = |rule: &Rule, name: EventName| rule.events.iter().any(|event| name.is_named_by(event));
    EventName::ALL.into_iter().find(|name| named(one, *name) && named(other, *name))
}

impl Rule {
    /// Does the rule match this event on this key?
    pub fn matches(&self, name: EventName, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.events.iter().any(|event| name.is_named_by(event))
    }
}

/// Replaces a bucket's rules; validate them first.
pub(crate) fn replace(tx: &Transaction<'_>, bucket: &str, rules: &[Rule]) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM notification_rule WHERE bucket = ?1")?.execute([bucket])?;
    let mut insert =
        tx.prepare_cached("INSERT INTO notification_rule (bucket, position, rule) VALUES (?1, ?2, ?3)")?;
    for (position, rule) in rules.iter().enumerate() {
        let json = serde_json::to_string(rule)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        insert.execute(params![bucket, position as i64, json])?;
    }
    Ok(())
}

/// A bucket's rules in their order.
pub(crate) fn rules(connection: &Connection, bucket: &str) -> rusqlite::Result<Vec<Rule>> {
    connection
        .prepare_cached("SELECT rule FROM notification_rule WHERE bucket = ?1 ORDER BY position")?
        .query_map([bucket], |row| {
            let json: String = row.get(0)?;
            serde_json::from_str(&json).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
            })
        })?
        .collect()
}

/// Queues one invocation for every rule that matches, inside the transaction
/// that changes the object. Returns how many.
pub(crate) fn emit(tx: &Transaction<'_>, place: &Place, what: &Occurrence<'_>) -> rusqlite::Result<usize> {
    let mut queued = 0;
    for rule in rules(tx, what.bucket)? {
        if rule.matches(what.name, what.key) {
            queue::enqueue(
                tx,
                &rule.function,
                &message(place, &rule.id, what),
                what.at_ms,
                what.origin.cause.as_ref(),
            )?;
            queued += 1;
        }
    }
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, events: &[&str], prefix: &str, suffix: &str) -> Rule {
        Rule {
            id: id.to_owned(),
            function: "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        }
    }

    #[test]
    fn rules_overlap_only_when_event_prefix_and_suffix_all_do() {
        let created = &["s3:ObjectCreated:*"][..];
        let put = &["s3:ObjectCreated:Put"][..];
        let removed = &["s3:ObjectRemoved:*"][..];
        let cases = [
            ((created, "", ""), (put, "", ""), true),
            ((created, "", ""), (removed, "", ""), false),
            ((created, "a/", ""), (put, "a/b/", ""), true),
            ((created, "a/", ""), (put, "b/", ""), false),
            ((created, "", ".jpg"), (put, "", ".png"), false),
            ((created, "", "g"), (put, "", ".png"), true),
            ((created, "a/", ".jpg"), (put, "", ".png"), false),
            ((created, "a/", ".jpg"), (put, "", ".jpg"), true),
        ];
        for (one, other, overlaps) in cases {
            let rules = [rule("1", one.0, one.1, one.2), rule("2", other.0, other.1, other.2)];
            assert_eq!(
                matches!(validate(&rules), Err(RuleError::Overlap { .. })),
                overlaps,
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn unknown_foreign_missing_and_repeated_are_told_apart() {
        assert_eq!(
            validate(&[rule("1", &["s3:ObjectBorn:*"], "", "")]),
            Err(RuleError::UnknownEvent("s3:ObjectBorn:*".to_owned()))
        );
        assert_eq!(
            validate(&[rule("1", &["s3:ObjectRestore:Post"], "", "")]),
            Err(RuleError::UnsupportedEvent("s3:ObjectRestore:Post".to_owned()))
        );
        assert_eq!(validate(&[rule("1", &[], "", "")]), Err(RuleError::NoEvent("1".to_owned())));
        let twice =
            [rule("1", &["s3:ObjectCreated:*"], "a", ""), rule("1", &["s3:ObjectCreated:*"], "b", "")];
        assert_eq!(validate(&twice), Err(RuleError::DuplicateId("1".to_owned())));
    }

    #[test]
    fn a_rule_matches_by_prefix_and_suffix() {
        let rule = rule("1", &["s3:ObjectCreated:*"], "uploads/", ".jpg");
        let cases = [
            ("uploads/a.jpg", true),
            ("uploads/.jpg", true),
            ("uploads/a.png", false),
            ("other/a.jpg", false),
        ];
        for (key, matched) in cases {
            assert_eq!(rule.matches(EventName::CreatedPut, key), matched, "{key}");
        }
        assert!(!rule.matches(EventName::Removed, "uploads/a.jpg"));
    }
}
