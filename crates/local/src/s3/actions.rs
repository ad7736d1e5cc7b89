//! Which IAM actions on which resources an S3 request needs.
//!
//! Owns: the table from operation to permission, as AWS documents it. Refuses:
//! deciding. An operation that the table does not know needs the action of its
//! own name, so nothing is reachable without a permission.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use super::condition_keys;
use super::facts::Facts;
use crate::iam::RequestContext;
use s3s::dto::CopySource;
use s3s::{S3Result, s3_error};

/// One permission that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// Such as `s3:GetObject`.
    pub(crate) action: String,
    /// Such as `arn:aws:s3:::bucket/key`.
    pub(crate) resource: String,
    /// Condition keys.
    pub(crate) context: RequestContext,
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The permissions that the request itself shows to be needed.
///
/// `DeleteObjects` (keys in its body) and `PostObject` (key in its form) need
/// none here: the operation asks for each key once it knows them. So does
/// `PutObjectTagging` for its tags, beside what it needs here.
/// `InvalidArgument` when `x-amz-copy-source` cannot be read.
pub(crate) fn needs(facts: &Facts<'_>) -> S3Result<Vec<Need>> {
    let version = (facts.query)("versionId");
    let resource = match (facts.bucket, facts.key) {
        (Some(bucket), Some(key)) => object_arn(bucket, key),
        (Some(bucket), None) => bucket_arn(bucket),
        (None, _) => "arn:aws:s3:::*".to_owned(),
    };
    let need = |action: &str| {
        let mut context = condition_keys::of_request(action, facts);
        if let Some(version) = &version {
            context.insert("s3:VersionId", version.clone());
        }
        Need { action: action.to_owned(), resource: resource.clone(), context }
    };
    let listing = |action: &str| {
        let mut need = need(action);
        for (parameter, key) in
            [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")]
        {
            if let Some(value) = (facts.query)(parameter) {
                need.context.insert(key, value);
            }
        }
        need
    };
    let versioned = |plain: &str, of_version: &str| need(if version.is_some() { of_version } else { plain });
    let writing = |put: Need| {
        let mut all = vec![put];
        for (header, action) in [("x-amz-tagging", "s3:PutObjectTagging"), ("x-amz-acl", "s3:PutObjectAcl")] {
            if (facts.header)(header).is_some() {
                all.push(need(action));
            }
        }
        all
    };
    let needs = match facts.operation {
        "ListBuckets" => vec![need("s3:ListAllMyBuckets")],
        "HeadBucket" => vec![need("s3:ListBucket")],
        "ListObjects" | "ListObjectsV2" => vec![listing("s3:ListBucket")],
        "ListObjectVersions" => vec![listing("s3:ListBucketVersions")],
        "ListMultipartUploads" => vec![listing("s3:ListBucketMultipartUploads")],
        "ListParts" => vec![need("s3:ListMultipartUploadParts")],
        "GetObject" | "HeadObject" => vec![versioned("s3:GetObject", "s3:GetObjectVersion")],
        "DeleteObject" => vec![versioned("s3:DeleteObject", "s3:DeleteObjectVersion")],
        "GetObjectTagging" => vec![versioned("s3:GetObjectTagging", "s3:GetObjectVersionTagging")],
        "PutObjectTagging" => vec![versioned("s3:PutObjectTagging", "s3:PutObjectVersionTagging")],
        "DeleteObjectTagging" => vec![versioned("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging")],
        "PutObject" | "CreateMultipartUpload" => writing(need("s3:PutObject")),
        "UploadPart" | "CompleteMultipartUpload" => vec![need("s3:PutObject")],
        "CopyObject" | "UploadPartCopy" => {
            let (source, name) = source_need(facts)?;
            let mut put = need("s3:PutObject");
            put.context.insert("s3:x-amz-copy-source", name);
            let mut all = vec![source];
            all.extend(writing(put));
            all
        }
        "GetBucketNotificationConfiguration" => vec![need("s3:GetBucketNotification")],
        "PutBucketNotificationConfiguration" => vec![need("s3:PutBucketNotification")],
        "GetObjectAttributes" => vec![
            versioned("s3:GetObject", "s3:GetObjectVersion"),
            versioned("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
        ],
        "GetObjectAcl" => vec![versioned("s3:GetObjectAcl", "s3:GetObjectVersionAcl")],
        "PutObjectAcl" => vec![versioned("s3:PutObjectAcl", "s3:PutObjectVersionAcl")],
        "DeleteObjects" | "PostObject" => Vec::new(),
        // Operations whose action has a name of its own.
        "GetBucketCors" => vec![need("s3:GetBucketCORS")],
        "PutBucketCors" | "DeleteBucketCors" => vec![need("s3:PutBucketCORS")],
        "DeleteBucketTagging" => vec![need("s3:PutBucketTagging")],
        "GetPublicAccessBlock" => vec![need("s3:GetBucketPublicAccessBlock")],
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => vec![need("s3:PutBucketPublicAccessBlock")],
        "DeleteBucketOwnershipControls" => vec![need("s3:PutBucketOwnershipControls")],
        "GetBucketEncryption" => vec![need("s3:GetEncryptionConfiguration")],
        "PutBucketEncryption" | "DeleteBucketEncryption" => vec![need("s3:PutEncryptionConfiguration")],
        "GetBucketLifecycleConfiguration" => vec![need("s3:GetLifecycleConfiguration")],
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            vec![need("s3:PutLifecycleConfiguration")]
        }
        "GetBucketReplication" => vec![need("s3:GetReplicationConfiguration")],
        "PutBucketReplication" | "DeleteBucketReplication" => vec![need("s3:PutReplicationConfiguration")],
        "GetObjectLockConfiguration" => vec![need("s3:GetBucketObjectLockConfiguration")],
        "PutObjectLockConfiguration" => vec![need("s3:PutBucketObjectLockConfiguration")],
        "GetBucketAccelerateConfiguration" => vec![need("s3:GetAccelerateConfiguration")],
        "PutBucketAccelerateConfiguration" => vec![need("s3:PutAccelerateConfiguration")],
        other => vec![need(&format!("s3:{other}"))],
    };
    Ok(needs)
}

/// What reading a copy's source needs, and how conditions name that source.
fn source_need(facts: &Facts<'_>) -> S3Result<(Need, String)> {
    let header = (facts.header)("x-amz-copy-source").unwrap_or_default();
    let source = CopySource::parse(header).map_err(|_| {
        s3_error!(
            InvalidArgument,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    })?;
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(s3_error!(NotImplemented, "copying from an access point is not supported here"));
    };
    let mut context = RequestContext::new();
    let action = match version_id {
        Some(version) => {
            context.insert("s3:VersionId", version.as_ref());
            "s3:GetObjectVersion"
        }
        None => "s3:GetObject",
    };
    let need = Need { action: action.to_owned(), resource: object_arn(&bucket, &key), context };
    Ok((need, format!("{bucket}/{key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(
        operation: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
        headers: &[(&'static str, &'static str)],
    ) -> Vec<(String, String)> {
        let facts = Facts {
            operation,
            bucket: Some("b"),
            key,
            query: &|name| query.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()),
            header: &|name| headers.iter().find(|pair| pair.0 == name).map(|pair| pair.1),
        };
        needs(&facts).unwrap().into_iter().map(|need| (need.action, need.resource)).collect()
    }

    #[test]
    fn operations_need_the_documented_actions() {
        let cases = [
            ("HeadObject", Some("k"), &[][..], "s3:GetObject", "arn:aws:s3:::b/k"),
            ("GetObject", Some("k"), &[("versionId", "v")], "s3:GetObjectVersion", "arn:aws:s3:::b/k"),
            ("GetObject", Some("a//b"), &[], "s3:GetObject", "arn:aws:s3:::b/a//b"),
            ("ListObjectsV2", None, &[("prefix", "p")], "s3:ListBucket", "arn:aws:s3:::b"),
            ("HeadBucket", None, &[], "s3:ListBucket", "arn:aws:s3:::b"),
            ("DeleteObject", Some("k"), &[("versionId", "v")], "s3:DeleteObjectVersion", "arn:aws:s3:::b/k"),
            ("UploadPart", Some("k"), &[], "s3:PutObject", "arn:aws:s3:::b/k"),
            ("AbortMultipartUpload", Some("k"), &[], "s3:AbortMultipartUpload", "arn:aws:s3:::b/k"),
            ("PutBucketNotificationConfiguration", None, &[], "s3:PutBucketNotification", "arn:aws:s3:::b"),
            ("PutBucketPolicy", None, &[], "s3:PutBucketPolicy", "arn:aws:s3:::b"),
            ("DeleteBucketCors", None, &[], "s3:PutBucketCORS", "arn:aws:s3:::b"),
            ("GetPublicAccessBlock", None, &[], "s3:GetBucketPublicAccessBlock", "arn:aws:s3:::b"),
            ("GetObjectAcl", Some("k"), &[("versionId", "v")], "s3:GetObjectVersionAcl", "arn:aws:s3:::b/k"),
            ("GetBucketLifecycleConfiguration", None, &[], "s3:GetLifecycleConfiguration", "arn:aws:s3:::b"),
        ];
        for (operation, key, query, action, resource) in cases {
            assert_eq!(
                actions(operation, key, query, &[]),
                [(action.to_owned(), resource.to_owned())],
                "{operation}"
            );
        }
    }

    #[test]
    fn a_copy_needs_its_source_too() {
        let needed =
            actions("CopyObject", Some("k"), &[], &[("x-amz-copy-source", "/src/a%20b?versionId=7")]);
        assert_eq!(
            needed,
            [
                ("s3:GetObjectVersion".to_owned(), "arn:aws:s3:::src/a b".to_owned()),
                ("s3:PutObject".to_owned(), "arn:aws:s3:::b/k".to_owned()),
            ]
        );
    }

    #[test]
    fn a_write_tells_the_policy_what_it_writes() {
        let context = |operation: &str, action: &str, headers: &[(&str, &'static str)]| {
            let facts = Facts {
                operation,
                bucket: Some("b"),
                key: Some("k"),
                query: &|_| None,
                header: &|name| headers.iter().find(|pair| pair.0 == name).map(|pair| pair.1),
            };
            needs(&facts).unwrap().into_iter().find(|need| need.action == action).unwrap().context
        };
        let headers = [
            ("if-none-match", "*"),
            ("x-amz-acl", "private"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-tagging", "team=a%20b&x="),
            ("x-amz-copy-source", "/src/a%20b"),
            ("x-amz-metadata-directive", "REPLACE"),
        ];
        for (operation, action, key, values) in [
            ("PutObject", "s3:PutObject", "s3:if-none-match", &["*"][..]),
            ("GetObject", "s3:GetObject", "s3:if-none-match", &[]),
            ("PutObject", "s3:PutObject", "s3:ObjectCreationOperation", &["true"]),
            ("UploadPart", "s3:PutObject", "s3:ObjectCreationOperation", &["false"]),
            ("PutObject", "s3:PutObjectAcl", "s3:x-amz-acl", &["private"]),
            ("CreateMultipartUpload", "s3:PutObject", "s3:x-amz-storage-class", &["STANDARD"]),
            ("PutObject", "s3:PutObject", "s3:RequestObjectTag/team", &["a b"]),
            ("PutObject", "s3:PutObjectTagging", "s3:RequestObjectTagKeys", &["team", "x"]),
            ("CopyObject", "s3:PutObject", "s3:x-amz-copy-source", &["src/a b"]),
            ("CopyObject", "s3:PutObject", "s3:x-amz-metadata-directive", &["REPLACE"]),
        ] {
            assert_eq!(context(operation, action, &headers).get(key), values, "{operation} {key}");
        }
    }

    #[test]
    fn listing_tells_the_policy_its_prefix() {
        let facts = Facts {
            operation: "ListObjectsV2",
            bucket: Some("b"),
            key: None,
            query: &|name| (name == "prefix").then(|| "home/".to_owned()),
            header: &|_| None,
        };
        assert_eq!(needs(&facts).unwrap()[0].context.get("s3:prefix"), ["home/"]);
    }
}
