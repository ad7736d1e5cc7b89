//! The JSON that S3 sends to a function for one event.
//!
//! Owns: field names, key encoding, times. Refuses: deciding who gets it.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use crate::lineage::Lineage;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    /// A PUT.
    CreatedPut,
    /// A form POST.
    CreatedPost,
    /// A copy.
    CreatedCopy,
    /// A multipart upload was completed.
    CreatedMultipart,
    /// An object or version was removed.
    Removed,
    /// A delete marker was put over the object.
    MarkerCreated,
    /// Tags were set.
    TaggingPut,
    /// Tags were removed.
    TaggingDelete,
}

impl EventName {
    /// Every event that this cloud sends.
    pub const ALL: [Self; 8] = [
        Self::CreatedPut,
        Self::CreatedPost,
        Self::CreatedCopy,
        Self::CreatedMultipart,
        Self::Removed,
        Self::MarkerCreated,
        Self::TaggingPut,
        Self::TaggingDelete,
    ];

    /// The name in a record, without the `s3:` of a rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatedPut => "ObjectCreated:Put",
            Self::CreatedPost => "ObjectCreated:Post",
            Self::CreatedCopy => "ObjectCreated:Copy",
            Self::CreatedMultipart => "ObjectCreated:CompleteMultipartUpload",
            Self::Removed => "ObjectRemoved:Delete",
            Self::MarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Self::TaggingPut => "ObjectTagging:Put",
            Self::TaggingDelete => "ObjectTagging:Delete",
        }
    }

    /// Does a rule's event type, such as `s3:ObjectCreated:*`, name this event?
    pub fn is_named_by(self, event_type: &str) -> bool {
        let Some(pattern) = event_type.strip_prefix("s3:") else { return false };
        match pattern.strip_suffix('*') {
            Some(family) => family.ends_with(':') && self.name().starts_with(family),
            None => pattern == self.name(),
        }
    }

    /// Tagging events came with a later version of the format.
    fn version(self) -> &'static str {
        match self {
            Self::TaggingPut | Self::TaggingDelete => "2.3",
            _ => "2.1",
        }
    }

    /// `ObjectRemoved` records carry neither size nor `ETag`.
    fn describes_data(self) -> bool {
        !matches!(self, Self::Removed | Self::MarkerCreated)
    }
}

/// Who did it, as the record names them.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Such as `AWS:AROA…:session`.
    pub principal_id: String,
    /// The client's address.
    pub source_ip: String,
    /// `x-amz-request-id` of the response.
    pub request_id: String,
    /// `x-amz-id-2` of the response.
    pub host_id: String,
    /// The invocation that did it, if a function did.
    pub cause: Option<Lineage>,
}

/// One thing that happened to one object.
#[derive(Debug, Clone)]
pub struct Occurrence<'a> {
    /// What.
    pub name: EventName,
    /// The bucket.
    pub bucket: &'a str,
    /// The key, not encoded.
    pub key: &'a str,
    /// Bytes of the object.
    pub size: u64,
    /// The `ETag` without quotes.
    pub etag: &'a str,
    /// The version, in a bucket that keeps versions.
    pub version: Option<&'a str>,
    /// Grows with every change in this cloud, hence for each key.
    pub sequence: i64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// By whom.
    pub origin: &'a Origin,
}

/// Where the cloud pretends to be.
#[derive(Debug, Clone)]
pub struct Place {
    /// The region's name.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), account: "123456789012".to_owned() }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'static str,
    user_identity: Identity<'a>,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: S3Part<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    principal_id: &'a str,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    host_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3Part<'a> {
    s3_schema_version: &'static str,
    configuration_id: &'a str,
    bucket: BucketPart<'a>,
    object: ObjectPart<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BucketPart<'a> {
    name: &'a str,
    owner_identity: Identity<'a>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectPart<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    sequencer: String,
}

/// The message for one occurrence under the rule named `configuration_id`.
pub fn message(place: &Place, configuration_id: &str, what: &Occurrence<'_>) -> Vec<u8> {
    let data = what.name.describes_data();
    let message = Message {
        records: [Record {
            event_version: what.name.version(),
            event_source: "aws:s3",
            aws_region: &place.region,
            event_time: iso_time(what.at_ms),
            event_name: what.name.name(),
            user_identity: Identity { principal_id: &what.origin.principal_id },
            request_parameters: RequestParameters { source_ip: &what.origin.source_ip },
            response_elements: ResponseElements {
                request_id: &what.origin.request_id,
                host_id: &what.origin.host_id,
            },
            s3: S3Part {
                s3_schema_version: "1.0",
                configuration_id,
                bucket: BucketPart {
                    name: what.bucket,
                    owner_identity: Identity { principal_id: &place.account },
                    arn: format!("arn:aws:s3:::{}", what.bucket),
                },
                object: ObjectPart {
                    key: encode_key(what.key),
                    size: data.then_some(what.size),
                    e_tag: data.then_some(what.etag),
                    version_id: what.version,
                    sequencer: format!("{:018X}", what.sequence),
                },
            },
        }],
    };
    // Strings and numbers only: serialising into memory cannot fail.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Form encoding, except that the slash stays.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// A key as an event carries it: a space becomes `+`, all else is percent-encoded UTF-8.
pub fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `1970-01-01T00:00:00.000Z` from milliseconds since then.
pub fn iso_time(at_ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(ISO_MILLIS)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_form_encoded_but_for_the_slash() {
        let cases = [
            ("plain.jpg", "plain.jpg"),
            ("red flower.jpg", "red+flower.jpg"),
            ("a+b%c", "a%2Bb%25c"),
            ("deep//dir/(1)&=.jpg", "deep//dir/%281%29%26%3D.jpg"),
            ("é日", "%C3%A9%E6%97%A5"),
            ("~*-_.", "%7E*-_."),
        ];
        for (key, encoded) in cases {
            assert_eq!(encode_key(key), encoded, "{key}");
        }
    }

    #[test]
    fn event_types_name_events_exactly_or_by_family() {
        let cases = [
            ("s3:ObjectCreated:*", EventName::CreatedPut, true),
            ("s3:ObjectCreated:*", EventName::CreatedMultipart, true),
            ("s3:ObjectCreated:Put", EventName::CreatedPut, true),
            ("s3:ObjectCreated:Put", EventName::CreatedPost, false),
            ("s3:ObjectRemoved:*", EventName::MarkerCreated, true),
            ("s3:ObjectRemoved:Delete", EventName::MarkerCreated, false),
            ("ObjectCreated:*", EventName::CreatedPut, false),
            ("s3:*", EventName::CreatedPut, false),
        ];
        for (event_type, name, named) in cases {
            assert_eq!(name.is_named_by(event_type), named, "{event_type} {}", name.name());
        }
    }

    fn sample(name: EventName, version: Option<&str>) -> serde_json::Value {
        let origin = Origin {
            principal_id: "AWS:AIDAEXAMPLE".to_owned(),
            source_ip: "127.0.0.1".to_owned(),
            request_id: "C3D13FE58DE4C810".to_owned(),
            host_id: "FMyUVURIY8".to_owned(),
            cause: None,
        };
        let what = Occurrence {
            name,
            bucket: "photos-source",
            key: "my cat.jpg",
            size: 1024,
            etag: "d41d8cd98f00b204e9800998ecf8427e",
            version,
            sequence: 0x0055_AED6_DCD9_0281,
            at_ms: 1_700_000_000_123,
            origin: &origin,
        };
        serde_json::from_slice(&message(&Place::default(), "rule-1", &what)).unwrap()
    }

    #[test]
    fn a_created_record_has_every_documented_field() {
        assert_eq!(
            sample(EventName::CreatedPut, None),
            serde_json::json!({"Records": [{
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventTime": "2023-11-14T22:13:20.123Z", "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
                "s3": {
                    "s3SchemaVersion": "1.0", "configurationId": "rule-1",
                    "bucket": {"name": "photos-source", "ownerIdentity": {"principalId": "123456789012"},
                               "arn": "arn:aws:s3:::photos-source"},
                    "object": {"key": "my+cat.jpg", "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                               "sequencer": "000055AED6DCD90281"}
                }
            }]})
        );
    }

    #[test]
    fn a_removed_record_has_neither_size_nor_etag() {
        let object = sample(EventName::MarkerCreated, Some("v1"))["Records"][0]["s3"]["object"].clone();
        assert_eq!(
            object,
            serde_json::json!({"key": "my+cat.jpg", "versionId": "v1", "sequencer": "000055AED6DCD90281"})
        );
    }
}
