//! GET and HEAD of objects.
//!
//! Owns: conditions, ranges, parts, response overrides. Refuses: encryption
//! with a customer's key.

use super::conditions::{ReadConditions, Verdict, etag_match, satisfy};
use super::error::{precondition_failed, with_headers};
use super::fields::{ChecksumFields, etag, fill_checksums, refuse, seconds, timestamp};
use super::service::{Caller, Service};
use crate::storage::{ObjectInfo, ObjectReader};
use s3s::dto as d;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use std::ops::Range;

/// What GET and HEAD have in common.
struct Wanted {
    bucket: String,
    key: String,
    version: Option<String>,
    conditions: ReadConditions,
    range: Option<d::Range>,
    part: Option<i32>,
    with_checksum: bool,
}

/// What is served of an object.
struct Served {
    info: ObjectInfo,
    reader: ObjectReader,
    bytes: Range<u64>,
    content_range: Option<String>,
    checksum: ChecksumFields,
    parts_count: Option<i32>,
}

macro_rules! wanted {
    ($input:expr) => {
        Wanted {
            bucket: $input.bucket.clone(),
            key: $input.key.clone(),
            version: $input.version_id.clone(),
            conditions: ReadConditions {
                if_match: $input.if_match.as_ref().map(etag_match),
                if_none_match: $input.if_none_match.as_ref().map(etag_match),
                if_modified_since: $input.if_modified_since.as_ref().map(seconds),
                if_unmodified_since: $input.if_unmodified_since.as_ref().map(seconds),
            },
            range: $input.range,
            part: $input.part_number,
            with_checksum: $input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == "ENABLED"),
        }
    };
}

macro_rules! describe {
    ($output:expr, $served:expr) => {{
        let info = &$served.info;
        let attributes = info.attributes.clone();
        $output.accept_ranges = Some("bytes".to_owned());
        $output.cache_control = attributes.cache_control;
        $output.content_disposition = attributes.content_disposition;
        $output.content_encoding = attributes.content_encoding;
        $output.content_language = attributes.content_language;
        $output.content_length = Some(($served.bytes.end - $served.bytes.start) as i64);
        $output.content_range = $served.content_range;
        $output.content_type =
            Some(attributes.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned()));
        $output.e_tag = Some(etag(&info.etag));
        $output.expires = attributes.expires.map(|at| timestamp(at.saturating_mul(1000)));
        $output.last_modified = Some(timestamp(info.modified_ms));
        $output.metadata =
            (!attributes.metadata.is_empty()).then(|| attributes.metadata.into_iter().collect());
        $output.parts_count = $served.parts_count;
        $output.version_id = info.shown_version();
        $output.website_redirect_location = attributes.website_redirect;
        fill_checksums!($output, $served.checksum, typed);
    }};
}

impl Service {
    pub(super) async fn do_get_object(
        &self,
        req: S3Request<d::GetObjectInput>,
    ) -> S3Result<S3Response<d::GetObjectOutput>> {
        let caller = Caller::of(&req);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(&[("encryption with a customer's key", input.sse_customer_algorithm.is_some())])?;
        let served = self.serve_object(wanted!(input), &caller).await?;
        let mut output = d::GetObjectOutput {
            tag_count: Some(served.info.tags.len() as i32).filter(|&count| count > 0),
            ..d::GetObjectOutput::default()
        };
        describe!(output, served);
        output.body = Some(d::StreamingBlob::wrap(served.reader.stream(served.bytes)));
        Ok(S3Response::new(output))
    }

    pub(super) async fn do_head_object(
        &self,
        req: S3Request<d::HeadObjectInput>,
    ) -> S3Result<S3Response<d::HeadObjectOutput>> {
        let caller = Caller::of(&req);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(&[("encryption with a customer's key", input.sse_customer_algorithm.is_some())])?;
        let served = self.serve_object(wanted!(input), &caller).await?;
        let mut output = d::HeadObjectOutput::default();
        describe!(output, served);
        let mut response = S3Response::new(output);
        // s3s applies overrides to GET only.
        let overrides = [
            (http::header::CONTENT_TYPE, input.response_content_type),
            (http::header::CONTENT_LANGUAGE, input.response_content_language),
            (http::header::CACHE_CONTROL, input.response_cache_control),
            (http::header::CONTENT_DISPOSITION, input.response_content_disposition),
            (http::header::CONTENT_ENCODING, input.response_content_encoding),
        ];
        for (name, value) in overrides {
            if let Some(value) = value {
                let value = http::HeaderValue::from_str(&value)
                    .map_err(|_| s3_error!(InvalidArgument, "the override of {name} is no header value"))?;
                response.headers.insert(name, value);
            }
        }
        Ok(response)
    }

    async fn serve_object(&self, wanted: Wanted, caller: &Caller) -> S3Result<Served> {
        if wanted.version.as_deref() == Some("") {
            return Err(s3_error!(InvalidArgument, "Version id cannot be the empty string"));
        }
        if wanted.range.is_some() && wanted.part.is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        let (bucket, key, version) = (wanted.bucket.clone(), wanted.key.clone(), wanted.version.clone());
        let (info, reader) = self
            .run_for_reader(caller, &wanted.bucket, move |storage| {
                storage.open_object(&bucket, &key, version.as_deref())
            })
            .await?;
        match wanted.conditions.judge(&info.etag, info.modified_ms.div_euclid(1000)) {
            Verdict::Proceed => {}
            Verdict::NotModified => return Err(not_modified(&info)),
            Verdict::Failed(condition) => return Err(precondition_failed(condition)),
        }
        let mut served = Served {
            bytes: 0..info.size,
            content_range: None,
            checksum: ChecksumFields::default(),
            parts_count: None,
            info,
            reader,
        };
        if let Some(number) = wanted.part {
            let count = served.info.part_count();
            let bytes = match (count, u32::try_from(number)) {
                (None, Ok(1)) => Some(0..served.info.size),
                (Some(_), Ok(number)) => served.reader.part_range(number),
                _ => None,
            };
            served.bytes = bytes.ok_or_else(invalid_range)?;
            served.parts_count = count.map(|count| count as i32);
        } else if let Some(range) = wanted.range {
            served.bytes = satisfy(range, served.info.size).ok_or_else(|| {
                let size = format!("bytes */{}", served.info.size);
                with_headers(invalid_range(), &[("content-range", &size)])
            })?;
        }
        if (wanted.part.is_some() || wanted.range.is_some()) && served.bytes.end > served.bytes.start {
            served.content_range =
                Some(format!("bytes {}-{}/{}", served.bytes.start, served.bytes.end - 1, served.info.size));
        }
        // The stored checksum covers the whole object only.
        if wanted.with_checksum && served.bytes == (0..served.info.size) {
            served.checksum = ChecksumFields::of(served.info.checksum.as_ref());
        }
        Ok(served)
    }
}

fn invalid_range() -> S3Error {
    s3_error!(InvalidRange, "The requested range is not satisfiable")
}

fn not_modified(info: &ObjectInfo) -> S3Error {
    let etag = format!("\"{}\"", info.etag);
    let mut modified = Vec::new();
    // Writing into memory: a failure would only drop the header.
    let _ = timestamp(info.modified_ms).format(d::TimestampFormat::HttpDate, &mut modified);
    let modified = String::from_utf8_lossy(&modified);
    with_headers(s3_error!(NotModified), &[("etag", &etag), ("last-modified", &modified)])
}
