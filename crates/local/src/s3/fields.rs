//! Request fields that several operations share: checksums, tags, attributes,
//! and what is refused because nothing here does it.
//!
//! Owns: their validation with S3's error codes. Refuses: storing anything.

use crate::storage::{Algorithm, Attributes, Digests, ObjectChecksum, decode, decode_md5};
use http::HeaderMap;
use s3s::dto::{ETag, Tag, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};
use std::collections::{BTreeMap, HashSet};
use time::OffsetDateTime;

/// Most bytes of all user metadata, names and values.
const MAX_METADATA: usize = 2048;

/// What a client claims about the bytes that it sends.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The algorithm that it names or uses.
    pub(crate) algorithm: Option<Algorithm>,
    value: Option<String>,
    trailer: Option<&'static str>,
    md5: Option<[u8; 16]>,
}

/// The header of an algorithm, in lower case.
fn checksum_header(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Crc32c => "x-amz-checksum-crc32c",
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

impl Claims {
    /// Reads checksum headers, the announced trailer, the named algorithm and `Content-MD5`.
    pub(crate) fn read(headers: &HeaderMap) -> S3Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut claims = Self::default();
        for algorithm in Algorithm::ALL {
            let header = checksum_header(algorithm);
            let announced = text("x-amz-trailer")
                .is_some_and(|names| names.split(',').any(|name| name.trim().eq_ignore_ascii_case(header)));
            let value = text(header);
            if value.is_none() && !announced {
                continue;
            }
            if claims.algorithm.is_some() {
                return Err(s3_error!(
                    InvalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                ));
            }
            if let Some(value) = value {
                check_form(algorithm, value)?;
                claims.value = Some(value.to_owned());
            }
            claims.algorithm = Some(algorithm);
            claims.trailer = announced.then_some(header);
        }
        if let Some(name) = text("x-amz-sdk-checksum-algorithm").or_else(|| text("x-amz-checksum-algorithm"))
        {
            let named = algorithm(name)?;
            match claims.algorithm {
                None => claims.algorithm = Some(named),
                Some(used) if used != named => {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Value for x-amz-sdk-checksum-algorithm header is invalid: {} was sent.",
                        used.name()
                    ));
                }
                Some(_) => {}
            }
        }
        if let Some(value) = text("content-md5") {
            claims.md5 =
                Some(decode_md5(value).ok_or_else(|| {
                    s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.")
                })?);
        }
        Ok(claims)
    }

    /// Compares what was claimed, in headers or trailers, with what was received.
    pub(crate) fn verify(&self, digests: &Digests, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        if self.md5.is_some_and(|md5| md5 != digests.md5) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let Some(algorithm) = self.algorithm else { return Ok(()) };
        let mut claimed = self.value.clone();
        if let Some(header) = self.trailer {
            let value = trailers
                .and_then(TrailingHeaders::take)
                .and_then(|map| map.get(header).and_then(|value| value.to_str().ok().map(str::to_owned)));
            let Some(value) = value else {
                return Err(s3_error!(
                    InvalidRequest,
                    "The trailer {header} was announced and did not come."
                ));
            };
            check_form(algorithm, &value)?;
            claimed = Some(value);
        }
        if claimed.is_some_and(|claimed| digests.checksums.get(&algorithm) != Some(&claimed)) {
            return Err(s3_error!(
                BadDigest,
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ));
        }
        Ok(())
    }
}

fn check_form(algorithm: Algorithm, value: &str) -> S3Result<()> {
    match decode(algorithm, value) {
        Some(_) => Ok(()),
        None => Err(s3_error!(InvalidRequest, "Value for {} header is invalid.", checksum_header(algorithm))),
    }
}

/// The algorithm of that name.
pub(crate) fn algorithm(name: &str) -> S3Result<Algorithm> {
    Algorithm::from_name(name).ok_or_else(|| {
        s3_error!(
            InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
        )
    })
}

/// A stored checksum as the five response fields; only its own is filled.
#[derive(Debug, Default)]
pub(crate) struct ChecksumFields {
    pub(crate) crc32: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc64nvme: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) kind: Option<s3s::dto::ChecksumType>,
}

impl ChecksumFields {
    pub(crate) fn of(checksum: Option<&ObjectChecksum>) -> Self {
        let mut fields = Self::default();
        if let Some(checksum) = checksum {
            fields.set(checksum.algorithm, &checksum.value);
            fields.kind = Some(s3s::dto::ChecksumType::from_static(checksum.coverage.name()));
        }
        fields
    }

    pub(crate) fn of_part(checksums: &BTreeMap<Algorithm, String>, shown: Option<Algorithm>) -> Self {
        let mut fields = Self::default();
        for (&algorithm, value) in checksums {
            if shown.is_none_or(|shown| shown == algorithm) {
                fields.set(algorithm, value);
            }
        }
        fields
    }

    fn set(&mut self, algorithm: Algorithm, value: &str) {
        let field = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
        };
        *field = Some(value.to_owned());
    }
}

/// Fills an output's five checksum fields and, where named, its type.
macro_rules! fill_checksums {
    ($output:expr, $fields:expr) => {{
        let fields = $fields;
        $output.checksum_crc32 = fields.crc32;
        $output.checksum_crc32c = fields.crc32c;
        $output.checksum_crc64nvme = fields.crc64nvme;
        $output.checksum_sha1 = fields.sha1;
        $output.checksum_sha256 = fields.sha256;
    }};
    ($output:expr, $fields:expr, typed) => {{
        let fields = $fields;
        $output.checksum_type = fields.kind.clone();
        fill_checksums!($output, fields);
    }};
}
pub(crate) use fill_checksums;

/// The attributes of an object from an input that has these fields.
macro_rules! attributes_of {
    ($input:expr) => {
        $crate::s3::fields::attributes($crate::s3::fields::Said {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $input.content_encoding.clone(),
            content_language: $input.content_language.clone(),
            expires: $input.expires.clone(),
            website_redirect: $input.website_redirect_location.clone(),
            metadata: $input.metadata.clone(),
        })
    };
}
pub(crate) use attributes_of;

/// What a request says about an object.
pub(crate) struct Said {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) website_redirect: Option<String>,
    pub(crate) metadata: Option<s3s::dto::Metadata>,
}

/// Checks and converts. `aws-chunked` describes the transfer, not the object.
pub(crate) fn attributes(said: Said) -> S3Result<Attributes> {
    let metadata: BTreeMap<String, String> = said.metadata.unwrap_or_default().into_iter().collect();
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA {
        return Err(s3_error!(
            MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size"
        ));
    }
    let content_encoding = said.content_encoding.and_then(|list| {
        let kept: Vec<_> = list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty() && *name != "aws-chunked")
            .collect();
        (!kept.is_empty()).then(|| kept.join(","))
    });
    Ok(Attributes {
        content_type: said.content_type.filter(|value| !value.is_empty()),
        cache_control: said.cache_control,
        content_disposition: said.content_disposition,
        content_encoding,
        content_language: said.content_language,
        expires: said.expires.map(|time| OffsetDateTime::from(time).unix_timestamp()),
        website_redirect: said.website_redirect,
        metadata,
    })
}

/// Refuses what is asked for and not done here: never a silent success.
macro_rules! refuse_unsupported {
    ($input:expr) => {{
        $crate::s3::fields::refuse(&[
            ("server-side encryption", $input.server_side_encryption.is_some()),
            ("encryption with a customer's key", $input.sse_customer_algorithm.is_some()),
            ("encryption with a KMS key", $input.ssekms_key_id.is_some()),
            (
                "object lock",
                $input.object_lock_mode.is_some()
                    || $input.object_lock_retain_until_date.is_some()
                    || $input.object_lock_legal_hold_status.is_some(),
            ),
            (
                "a storage class other than STANDARD",
                $input.storage_class.as_ref().is_some_and(|class| class.as_str() != "STANDARD"),
            ),
        ])?;
        $crate::s3::fields::refuse_acl(
            $input.acl.as_ref().map(s3s::dto::ObjectCannedACL::as_str),
            $input.grant_full_control.is_some()
                || $input.grant_read.is_some()
                || $input.grant_read_acp.is_some()
                || $input.grant_write_acp.is_some(),
        )?;
    }};
}
pub(crate) use refuse_unsupported;

/// `NotImplemented` for the first feature that is asked for.
pub(crate) fn refuse(features: &[(&str, bool)]) -> S3Result<()> {
    match features.iter().find(|feature| feature.1) {
        Some((name, _)) => {
            Err(s3_error!(NotImplemented, "{name} is not supported here; leave it out of the request"))
        }
        None => Ok(()),
    }
}

/// Buckets here are as new ones on S3: owned by their owner, without ACLs.
pub(crate) fn refuse_acl(canned: Option<&str>, grants: bool) -> S3Result<()> {
    if grants || canned.is_some_and(|acl| !matches!(acl, "private" | "bucket-owner-full-control")) {
        return Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"));
    }
    Ok(())
}

/// The tags of `x-amz-tagging`.
pub(crate) fn tags_of_header(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let tags = form_urlencoded::parse(header.unwrap_or_default().as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    check_tags(tags, OBJECT_TAGS)
}

/// The tags of a `Tagging` document.
pub(crate) fn tags_of_set(set: Vec<Tag>) -> S3Result<Vec<(String, String)>> {
    check_tags(pairs(set), OBJECT_TAGS)
}

/// The tags of a bucket's `Tagging` document.
pub(crate) fn bucket_tags_of_set(set: Vec<Tag>) -> S3Result<Vec<(String, String)>> {
    check_tags(pairs(set), ("Bucket", 50))
}

fn pairs(set: Vec<Tag>) -> Vec<(String, String)> {
    set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

/// Whose tags, and how many there may be.
const OBJECT_TAGS: (&str, usize) = ("Object", 10);

/// Letters, digits, spaces and these may stand in tags.
fn is_tag_text(text: &str) -> bool {
    text.chars().all(|char| char.is_alphanumeric() || char.is_whitespace() || "+-=._:/@".contains(char))
}

fn check_tags(tags: Vec<(String, String)>, (owner, most): (&str, usize)) -> S3Result<Vec<(String, String)>> {
    if tags.len() > most {
        let mut error = S3Error::with_message(
            S3ErrorCode::Custom("BadRequest".into()),
            format!("{owner} tags cannot be greater than {most}"),
        );
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return Err(error);
    }
    let mut seen = HashSet::new();
    for (key, value) in &tags {
        if key.starts_with("aws:") {
            return Err(s3_error!(InvalidTag, "System tags cannot be added/updated by requester"));
        }
        if key.is_empty() || key.chars().count() > 128 || !is_tag_text(key) {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !is_tag_text(value) {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        if !seen.insert(key) {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

/// A strong `ETag`.
pub(crate) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// A time in whole seconds, as S3 shows times of change.
pub(crate) fn timestamp(at_ms: i64) -> Timestamp {
    OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH).into()
}

/// Seconds since 1970.
pub(crate) fn seconds(time: &Timestamp) -> i64 {
    OffsetDateTime::from(time.clone()).unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(headers: &[(&'static str, &'static str)]) -> Result<Option<Algorithm>, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        Claims::read(&map).map(|claims| claims.algorithm).map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn claims_are_read_from_headers_trailers_and_names() {
        type Case = (&'static [(&'static str, &'static str)], Result<Option<Algorithm>, &'static str>);
        let cases: [Case; 8] = [
            (&[], Ok(None)),
            (&[("x-amz-checksum-crc32", "AAAAAA==")], Ok(Some(Algorithm::Crc32))),
            (&[("x-amz-trailer", "x-amz-checksum-crc64nvme")], Ok(Some(Algorithm::Crc64Nvme))),
            (&[("x-amz-sdk-checksum-algorithm", "SHA256")], Ok(Some(Algorithm::Sha256))),
            (&[("x-amz-checksum-crc32", "AAA=")], Err("InvalidRequest")),
            (
                &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")],
                Err("InvalidRequest"),
            ),
            (
                &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-sdk-checksum-algorithm", "SHA1")],
                Err("InvalidRequest"),
            ),
            (&[("content-md5", "short")], Err("InvalidDigest")),
        ];
        for (headers, expected) in cases {
            assert_eq!(claims(headers), expected.map_err(str::to_owned), "{headers:?}");
        }
    }

    #[test]
    fn tags_are_limited_as_on_s3() {
        assert_eq!(tags_of_header(Some("a=1&b+c=d%20e")).unwrap().len(), 2);
        for (header, code) in [
            ("a=1&a=2".to_owned(), "InvalidTag"),
            ("aws:a=1".to_owned(), "InvalidTag"),
            ("a=1%3C".to_owned(), "InvalidTag"),
            (format!("{}=1", "k".repeat(129)), "InvalidTag"),
            (format!("a={}", "v".repeat(257)), "InvalidTag"),
            ((0..11).map(|n| format!("t{n}=v")).collect::<Vec<_>>().join("&"), "BadRequest"),
        ] {
            assert_eq!(tags_of_header(Some(&header)).unwrap_err().code().as_str(), code, "{header}");
        }
    }

    #[test]
    fn the_transfer_coding_is_no_content_coding() {
        let said = |encoding: &str| Said {
            content_type: None,
            cache_control: None,
            content_disposition: None,
            content_encoding: Some(encoding.to_owned()),
            content_language: None,
            expires: None,
            website_redirect: None,
            metadata: None,
        };
        for (sent, kept) in [("aws-chunked", None), ("gzip,aws-chunked", Some("gzip")), ("br", Some("br"))] {
            assert_eq!(attributes(said(sent)).unwrap().content_encoding.as_deref(), kept, "{sent}");
        }
    }
}
