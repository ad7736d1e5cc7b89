//! Bucket policies at hand for every decision.
//!
//! Owns: what makes a policy public, and the copies in memory that the gate
//! asks for. Refuses: deciding; [`crate::iam`] does. A stored policy that cannot
//! be understood any more lets nobody in but its owner.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use super::condition_keys::CONDITION_KEYS;
use super::public_access::PublicAccess;
use crate::iam::ResourcePolicy;
use crate::storage::{Setting, Storage, StorageError};
use ipnet::IpNet;
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A bucket's policy as decisions need it.
#[derive(Debug)]
pub(crate) struct Held {
    /// As the owner set it.
    pub(crate) policy: ResourcePolicy,
    /// Whether it lets everyone in, and the bucket refuses that: then it counts for the account alone.
    pub(crate) restricted: bool,
}

/// Every bucket's policy, read once and again after each change.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    held: RwLock<HashMap<String, Arc<Held>>>,
    /// Held from reading a bucket's settings until its copy is replaced, so that the last reader is right.
    reloading: Mutex<()>,
}

impl Policies {
    /// Reads every bucket's policy.
    pub(crate) fn load(storage: &Storage) -> Result<Self, StorageError> {
        let policies = Self::default();
        for bucket in storage.buckets()? {
            policies.reload(storage, &bucket.name)?;
        }
        Ok(policies)
    }

    /// The policy of a bucket.
    pub(crate) fn of(&self, bucket: &str) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }

    /// Reads a bucket's policy anew; a bucket that is gone has none.
    pub(crate) fn reload(&self, storage: &Storage, bucket: &str) -> Result<(), StorageError> {
        let _one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match storage.setting::<String>(bucket, Setting::Policy) {
            Ok(Some(text)) => {
                let access = PublicAccess::effective(storage.setting(bucket, Setting::PublicAccess)?);
                Some(Arc::new(hold(bucket, &text, access)?))
            }
            Ok(None) | Err(StorageError::NoSuchBucket(_)) => None,
            Err(error) => return Err(error),
        };
        let mut all = self.held.write().unwrap_or_else(PoisonError::into_inner);
        match held {
            Some(held) => all.insert(bucket.to_owned(), held),
            None => all.remove(bucket),
        };
        Ok(())
    }
}

fn hold(bucket: &str, text: &str, access: PublicAccess) -> Result<Held, StorageError> {
    const NOBODY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;
    let public = serde_json::from_str(text).is_ok_and(|document| is_public(&document));
    let policy = ResourcePolicy::from_json(text).and_then(|policy| policy.asking_for(&CONDITION_KEYS)).or_else(|error| {
        tracing::error!(bucket, %error, "the bucket policy cannot be understood and lets nobody in; set it anew");
        ResourcePolicy::from_json(NOBODY)
    });
    let policy = policy.map_err(|error| StorageError::Damaged(error.to_string()))?;
    Ok(Held { policy, restricted: public && access.restrict })
}

/// Condition keys that, held to fixed values, keep a policy from being public.
const FIXING: [&str; 13] = [
    "aws:principalorgid",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

fn values(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// Is a range of addresses no broader than S3 lets pass as not public? The private ranges, which it excepts, are not.
fn is_narrow(range: &str) -> bool {
    match range.parse() {
        Ok(IpNet::V4(net)) => net.prefix_len() >= 8,
        Ok(IpNet::V6(net)) => net.prefix_len() >= 32,
        Err(_) => range.parse::<IpAddr>().is_ok(),
    }
}

/// Does a condition block hold the caller to fixed values?
fn is_fixed(condition: &Value) -> bool {
    let Value::Object(operators) = condition else { return false };
    operators.iter().any(|(operator, keys)| {
        let operator = operator.to_ascii_lowercase();
        let Value::Object(keys) = keys else { return false };
        keys.iter().any(|(key, value)| {
            let key = key.to_ascii_lowercase();
            let values = values(value);
            match operator.as_str() {
                "ipaddress" => {
                    key == "aws:sourceip" && !values.is_empty() && values.iter().all(|range| is_narrow(range))
                }
                "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike" => {
                    FIXING.contains(&key.as_str())
                        && !values.is_empty()
                        && values.iter().all(|value| !value.contains(['*', '?']) && !value.contains("${"))
                }
                _ => false,
            }
        })
    })
}

/// Does the policy let everyone in?
pub(crate) fn is_public(document: &Value) -> bool {
    let statements = match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    statements.into_iter().any(|statement| {
        let everyone = statement.get("NotPrincipal").is_some()
            || match statement.get("Principal") {
                Some(Value::Object(kinds)) => {
                    kinds.get("AWS").is_some_and(|value| values(value).contains(&"*"))
                }
                Some(value) => values(value).contains(&"*"),
                None => false,
            };
        let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        allows && everyone && !statement.get("Condition").is_some_and(is_fixed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn public_is_what_the_user_guide_calls_public() {
        let statement = |principal: Value, condition: Value| {
            let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::b/*" });
            if !condition.is_null() {
                statement["Condition"] = condition;
            }
            json!({ "Version": "2012-10-17", "Statement": [statement] })
        };
        let account = json!({ "AWS": "arn:aws:iam::123456789012:root" });
        let cases = [
            (json!("*"), Value::Null, true),
            (json!({ "AWS": "*" }), Value::Null, true),
            (json!({ "AWS": ["123456789012", "*"] }), Value::Null, true),
            (account, Value::Null, false),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/1"] } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"] } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "12.0.0.0/7" } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }), false),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": "2000::/3" } }), true),
            (json!("*"), json!({ "IpAddress": { "aws:SourceIp": ["2001:db8::/32", "192.0.2.1"] } }), false),
            (json!("*"), json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } }), false),
            (json!("*"), json!({ "StringLike": { "aws:SourceVpc": "vpc-*" } }), true),
            (json!("*"), json!({ "StringEquals": { "s3:prefix": "public/" } }), true),
            (json!("*"), json!({ "StringNotEquals": { "aws:SourceVpc": "vpc-1" } }), true),
        ];
        for (principal, condition, public) in cases {
            let document = statement(principal, condition);
            assert_eq!(is_public(&document), public, "{document}");
        }
        let mut denied = statement(json!("*"), Value::Null);
        denied["Statement"][0]["Effect"] = json!("Deny");
        assert!(!is_public(&denied));
    }
}
