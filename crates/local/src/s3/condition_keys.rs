//! What of a request a policy's conditions can ask for.
//!
//! Owns: the table of condition keys that requests here have, and filling in
//! those that stand in the request itself. Refuses: a policy that asks for any
//! other key: S3 would have it, here it would be missing, and a `Deny` by it
//! would never deny.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use super::facts::Facts;
use crate::iam::{ConditionKeys, RequestContext};

/// Actions that write an object.
const WRITES: &[&str] = &["s3:PutObject"];
/// Actions that set an ACL.
const ACLS: &[&str] =
    &["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:CreateBucket", "s3:PutBucketAcl"];

/// A header's value, for these actions; for all where none is named.
const OF_HEADERS: [(&str, &str, &[&str]); 15] = [
    ("s3:if-match", "if-match", &["s3:PutObject", "s3:DeleteObject"]),
    ("s3:if-none-match", "if-none-match", WRITES),
    ("s3:x-amz-acl", "x-amz-acl", ACLS),
    ("s3:x-amz-content-sha256", "x-amz-content-sha256", &[]),
    ("s3:x-amz-grant-full-control", "x-amz-grant-full-control", ACLS),
    ("s3:x-amz-grant-read", "x-amz-grant-read", ACLS),
    ("s3:x-amz-grant-read-acp", "x-amz-grant-read-acp", ACLS),
    ("s3:x-amz-grant-write", "x-amz-grant-write", ACLS),
    ("s3:x-amz-grant-write-acp", "x-amz-grant-write-acp", ACLS),
    ("s3:x-amz-metadata-directive", "x-amz-metadata-directive", WRITES),
    ("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", WRITES),
    ("s3:x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id", WRITES),
    (
        "s3:x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-algorithm",
        WRITES,
    ),
    ("s3:x-amz-storage-class", "x-amz-storage-class", WRITES),
    ("s3:x-amz-website-redirect-location", "x-amz-website-redirect-location", WRITES),
];

/// What is filled in otherwise: by the authority, by the gate, by the table of actions and by operations that
/// learn it from a document.
const OTHERS: [&str; 23] = [
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalType",
    "aws:Referer",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:userid",
    "s3:ObjectCreationOperation",
    "s3:RequestObjectTag/*",
    "s3:RequestObjectTagKeys",
    "s3:ResourceAccount",
    "s3:VersionId",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "s3:x-amz-copy-source",
];

/// What S3 too leaves out of a request like those that come here: from outside of every VPC and organisation, by no
/// service, no user, no access point, without TLS. A condition on one of these means what it says.
const ABSENT: [&str; 16] = [
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:username",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
    "s3:TlsVersion",
];

/// The keys that a policy may ask for.
pub(crate) const CONDITION_KEYS: ConditionKeys = ConditionKeys { service: "s3", is_known, names };

fn table() -> impl Iterator<Item = &'static str> {
    OF_HEADERS.iter().map(|(key, ..)| *key).chain(OTHERS).chain(ABSENT)
}

/// Is the key one that a policy may ask for?
fn is_known(key: &str) -> bool {
    table().any(|known| match known.strip_suffix('*') {
        Some(family) => {
            key.len() > family.len()
                && key.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
        }
        None => key.eq_ignore_ascii_case(known),
    })
}

/// Those keys, for people.
fn names() -> String {
    table().collect::<Vec<_>>().join(", ")
}

/// What the request says of itself to whoever decides about `action`.
pub(super) fn of_request(action: &str, facts: &Facts<'_>) -> RequestContext {
    let mut context = RequestContext::new();
    for (key, header, actions) in OF_HEADERS {
        if (actions.is_empty() || actions.contains(&action))
            && let Some(value) = (facts.header)(header)
        {
            context.insert(key, value);
        }
    }
    if action == "s3:PutObject" {
        let creates = matches!(facts.operation, "PutObject" | "CopyObject" | "CompleteMultipartUpload");
        context.insert("s3:ObjectCreationOperation", creates.to_string());
    }
    if matches!(action, "s3:PutObject" | "s3:PutObjectTagging")
        && let Some(tags) = (facts.header)("x-amz-tagging")
    {
        insert_tags(&mut context, form_urlencoded::parse(tags.as_bytes()));
    }
    context
}

/// The tags that a request gives an object.
pub(super) fn insert_tags(
    context: &mut RequestContext,
    tags: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) {
    for (key, value) in tags {
        context.insert(&format!("s3:RequestObjectTag/{}", key.as_ref()), value.as_ref());
        context.insert("s3:RequestObjectTagKeys", key.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_may_ask_for_what_requests_have_and_other_services_for_anything() {
        use crate::iam::Policy;
        use serde_json::json;
        let check = |action: serde_json::Value, key: &str| {
            let mut statement =
                json!({ "Effect": "Deny", "Resource": "*", "Condition": { "Null": { key: "false" } } });
            statement.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
            Policy::parse(&json!({ "Statement": [statement] })).unwrap().asking_for(&CONDITION_KEYS)
        };
        for (action, key, accepted) in [
            (json!({ "Action": "s3:GetObject" }), "s3:prefix", true),
            (json!({ "Action": "s3:GetObject" }), "aws:SourceVpc", true),
            (json!({ "Action": "s3:GetObject" }), "aws:MultiFactorAuthPresent", false),
            (json!({ "Action": ["kms:Decrypt", "S3:Get*"] }), "kms:ViaService", false),
            (json!({ "Action": "kms:Decrypt" }), "kms:ViaService", true),
            (json!({ "Action": "*" }), "kms:ViaService", false),
            (json!({ "NotAction": "kms:*" }), "kms:ViaService", false),
        ] {
            let checked = check(action.clone(), key);
            assert_eq!(checked.is_ok(), accepted, "{action} {key}");
            if let Err(error) = checked {
                assert_eq!(error.field(), format!("Statement[0].Condition.Null.{key}"));
                assert!(error.to_string().contains("aws:SourceIp"), "{error}");
            }
        }
    }

    #[test]
    fn keys_are_known_without_case_and_families_by_their_beginning() {
        for (key, known) in [
            ("aws:SourceIp", true),
            ("AWS:sourceip", true),
            ("S3:PREFIX", true),
            ("s3:RequestObjectTag/team", true),
            ("s3:requestobjecttag/ü", true),
            ("s3:RequestObjectTag/", false),
            ("s3:RequestObjectTag", false),
            ("s3:ExistingObjectTag/team", false),
            ("aws:MultiFactorAuthPresent", false),
            ("aws:SourceIpp", false),
            ("ü", false),
        ] {
            assert_eq!(is_known(key), known, "{key}");
        }
    }
}
