//! Documents that clients send, read without a request around them.
//!
//! Owns: one entry for each kind of body that is parsed in memory, with the
//! checks that an operation makes of it; fuzzing and property tests go through
//! it. Refuses: storing what it read.

use super::cors;
use super::fields::{bucket_tags_of_set, tags_of_set};
use super::notifications;
use super::policy;
use super::uploads;
use crate::notify;
use s3s::S3Result;
use s3s::dto as d;
use s3s::post_policy::PostPolicy;
use s3s::xml::{DeResult, Deserialize, Deserializer};

/// A kind of body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// `DeleteObjects`.
    Delete,
    /// `CompleteMultipartUpload`.
    Complete,
    /// `PutBucketNotificationConfiguration`.
    Notification,
    /// `PutBucketCors`.
    Cors,
    /// `PutObjectTagging`.
    Tags,
    /// `PutBucketTagging`.
    BucketTags,
    /// `PutBucketVersioning`.
    Versioning,
    /// `PutPublicAccessBlock`.
    PublicAccess,
    /// `PutBucketPolicy` of the bucket `b`.
    BucketPolicy,
    /// The decoded policy of a form upload.
    FormPolicy,
}

impl Document {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Delete,
        Self::Complete,
        Self::Notification,
        Self::Cors,
        Self::Tags,
        Self::BucketTags,
        Self::Versioning,
        Self::PublicAccess,
        Self::BucketPolicy,
        Self::FormPolicy,
    ];

    /// Reads a body as the operation does; the words say why it would be refused.
    pub fn understand(self, body: &[u8]) -> Result<(), String> {
        match self {
            Self::Delete => xml::<d::Delete>(body).map(drop),
            Self::Complete => {
                let parts = xml::<d::CompletedMultipartUpload>(body)?.parts.unwrap_or_default();
                each(parts, uploads::completed)
            }
            Self::Notification => {
                let wanted = xml::<d::NotificationConfiguration>(body)?;
                let rules = wanted
                    .lambda_function_configurations
                    .unwrap_or_default()
                    .into_iter()
                    .map(notifications::rule)
                    .collect::<S3Result<Vec<_>>>()
                    .map_err(|error| error.to_string())?;
                notify::validate(&rules).map_err(|error| error.to_string())
            }
            Self::Cors => each(xml::<d::CORSConfiguration>(body)?.cors_rules, cors::rule),
            Self::Tags => said(tags_of_set(xml::<d::Tagging>(body)?.tag_set)),
            Self::BucketTags => said(bucket_tags_of_set(xml::<d::Tagging>(body)?.tag_set)),
            Self::Versioning => xml::<d::VersioningConfiguration>(body).map(drop),
            Self::PublicAccess => xml::<d::PublicAccessBlockConfiguration>(body).map(drop),
            Self::BucketPolicy => said(policy::check("b", &text(body)?)),
            Self::FormPolicy => {
                PostPolicy::from_json(&text(body)?).map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

fn said<T>(outcome: S3Result<T>) -> Result<(), String> {
    outcome.map(drop).map_err(|error| error.to_string())
}

fn each<T, U>(items: Vec<T>, read: impl Fn(T) -> S3Result<U>) -> Result<(), String> {
    items.into_iter().try_for_each(|item| said(read(item)))
}

fn text(body: &[u8]) -> Result<String, String> {
    String::from_utf8(body.to_vec()).map_err(|error| error.to_string())
}

fn xml<T: for<'xml> Deserialize<'xml>>(body: &[u8]) -> Result<T, String> {
    let mut reader = Deserializer::new(body);
    let read: DeResult<T> = T::deserialize(&mut reader).and_then(|value| {
        reader.expect_eof()?;
        Ok(value)
    });
    read.map_err(|error| error.to_string())
}
