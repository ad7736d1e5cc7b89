//! Multipart uploads over HTTP.
//!
//! Owns: their inputs and outputs. Refuses: the rules of completing; storage
//! has them. The answer to Complete is sent when all is durable: a failure
//! after a `200` would be a success that is none.

use super::conditions::{ReadConditions, etag_match};
use super::fields::{
    self, ChecksumFields, Claims, attributes_of, etag, fill_checksums, refuse, refuse_unsupported, seconds,
    tags_of_header, timestamp,
};
use super::listings::{Spelling, common_prefixes, limit};
use super::objects::{MAX_SINGLE, source_conditions, write_condition};
use super::service::{Caller, Service};
use super::whole;
use crate::storage::{Algorithm, BodyError, CompletedPart, Coverage, NewUpload, Paging, Reception};
use bytes::Bytes;
use futures::StreamExt as _;
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use std::ops::Range;

/// Part numbers run from 1 to this.
const MAX_PARTS: i32 = 10_000;

impl Service {
    pub(super) async fn do_create_upload(
        &self,
        req: S3Request<d::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<d::CreateMultipartUploadOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_unsupported!(input);
        let checksum = declared(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
        let upload = NewUpload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            attributes: attributes_of!(input)?,
            tags: tags_of_header(input.tagging.as_deref())?,
            checksum,
        };
        let id = self.run(move |storage| storage.create_upload(&upload)).await?;
        Ok(S3Response::new(d::CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: checksum
                .map(|(algorithm, _)| d::ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: checksum.map(|(_, coverage)| d::ChecksumType::from_static(coverage.name())),
            ..d::CreateMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn do_upload_part(
        &self,
        req: S3Request<d::UploadPartInput>,
    ) -> S3Result<S3Response<d::UploadPartOutput>> {
        let mut input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(&[("encryption with a customer's key", input.sse_customer_algorithm.is_some())])?;
        let number = part_number(input.part_number)?;
        let claims = Claims::read(&req.headers)?;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let upload = self.run(move |storage| storage.upload(&bucket, &key, &id)).await?;
        if let (Some((declared, _)), Some(used)) = (upload.checksum, claims.algorithm)
            && declared != used
        {
            return Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                declared.name().to_lowercase(),
                used.name().to_lowercase()
            ));
        }
        let mut algorithms = vec![upload.algorithm()];
        algorithms.extend(claims.algorithm.filter(|used| *used != upload.algorithm()));
        let received = self
            .receive(
                input.body.take(),
                Some(whole::announced(&req.headers, input.content_length)?),
                algorithms,
                &claims,
                req.trailing_headers.as_ref(),
            )
            .await?;
        let part = self
            .run(move |storage| {
                storage.put_part(&input.bucket, &input.key, &input.upload_id, number, received)
            })
            .await?;
        let shown = claims.algorithm.unwrap_or(upload.algorithm());
        let mut output =
            d::UploadPartOutput { e_tag: Some(etag(&part.etag)), ..d::UploadPartOutput::default() };
        fill_checksums!(output, ChecksumFields::of_part(&part.checksums, Some(shown)));
        Ok(S3Response::new(output))
    }

    pub(super) async fn do_upload_part_copy(
        &self,
        req: S3Request<d::UploadPartCopyInput>,
    ) -> S3Result<S3Response<d::UploadPartCopyOutput>> {
        let caller = Caller::of(&req);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_owner(input.expected_source_bucket_owner.as_deref())?;
        refuse(&[("encryption with a customer's key", input.copy_source_sse_customer_algorithm.is_some())])?;
        let number = part_number(input.part_number)?;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let upload = self.run(move |storage| storage.upload(&bucket, &key, &id)).await?;
        let source = self.open_source(&input.copy_source, source_conditions!(input), &caller).await?;
        let bytes = copy_range(input.copy_source_range.as_deref(), source.info.size)?;
        if bytes.end - bytes.start > MAX_SINGLE {
            return Err(s3_error!(InvalidRequest, "A part has at most 5368709120 bytes; copy a range"));
        }
        let version = source.info.shown_version();
        let body = source
            .reader
            .stream(bytes)
            .map(|chunk: Result<Bytes, _>| chunk.map_err(|error| Box::new(error) as BodyError));
        let reception = Reception { algorithms: vec![upload.algorithm()], limit: MAX_SINGLE };
        let received =
            self.storage.receive(Box::pin(body), reception).await.map_err(super::error::translate)?;
        let part = self
            .run(move |storage| {
                storage.put_part(&input.bucket, &input.key, &input.upload_id, number, received)
            })
            .await?;
        let mut result = d::CopyPartResult {
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(timestamp(part.modified_ms)),
            ..d::CopyPartResult::default()
        };
        fill_checksums!(result, ChecksumFields::of_part(&part.checksums, None));
        Ok(S3Response::new(d::UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: version,
            ..d::UploadPartCopyOutput::default()
        }))
    }

    pub(super) async fn do_complete_upload(
        &self,
        req: S3Request<d::CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<d::CompleteMultipartUploadOutput>> {
        let origin = self.origin(&Caller::of(&req));
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let whole = claimed_whole(&input);
        let parts = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
            .into_iter()
            .map(completed)
            .collect::<S3Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        let size = input.mpu_object_size;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id);
        let stored = self
            .run(move |storage| {
                if let Some(size) = size {
                    check_size(storage, (&bucket, &key, &id), &parts, size)?;
                }
                storage.complete_upload(&bucket, &key, &id, &parts, whole.as_ref(), &condition, &origin)
            })
            .await?;
        let mut output = d::CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&stored.etag)),
            version_id: stored.version,
            ..d::CompleteMultipartUploadOutput::default()
        };
        fill_checksums!(output, ChecksumFields::of(stored.checksum.as_ref()), typed);
        Ok(S3Response::new(output))
    }

    pub(super) async fn do_abort_upload(
        &self,
        req: S3Request<d::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<d::AbortMultipartUploadOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.abort_upload(&input.bucket, &input.key, &input.upload_id)).await?;
        Ok(S3Response::new(d::AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn do_list_parts(
        &self,
        req: S3Request<d::ListPartsInput>,
    ) -> S3Result<S3Response<d::ListPartsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let limit = limit(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or(0);
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, mut parts) = self.run(move |storage| storage.parts(&bucket, &key, &id)).await?;
        parts.retain(|part| part.number as i32 > marker);
        let truncated = parts.len() > limit as usize;
        parts.truncate(limit as usize);
        let account = self.gate.authority.account();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let mut entry = d::Part {
                    e_tag: Some(etag(&part.etag)),
                    last_modified: Some(timestamp(part.modified_ms)),
                    part_number: Some(part.number as i32),
                    size: Some(part.size as i64),
                    ..d::Part::default()
                };
                let shown = upload.checksum.map(|(algorithm, _)| algorithm);
                fill_checksums!(entry, ChecksumFields::of_part(&part.checksums, shown));
                entry
            })
            .collect();
        Ok(S3Response::new(d::ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload
                .checksum
                .map(|(algorithm, _)| d::ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: upload.checksum.map(|(_, coverage)| d::ChecksumType::from_static(coverage.name())),
            initiator: Some(d::Initiator {
                display_name: Some(account.to_owned()),
                id: Some(account.to_owned()),
            }),
            owner: Some(self.owner()),
            is_truncated: Some(truncated),
            max_parts: Some(limit),
            next_part_number_marker: parts.last().filter(|_| truncated).and_then(|part| part.part_number),
            part_number_marker: Some(marker),
            parts: (!parts.is_empty()).then_some(parts),
            storage_class: Some(d::StorageClass::from_static("STANDARD")),
            ..d::ListPartsOutput::default()
        }))
    }

    pub(super) async fn do_list_uploads(
        &self,
        req: S3Request<d::ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<d::ListMultipartUploadsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let limit = limit(input.max_uploads, "max-uploads")?;
        let paging = Paging {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
            tie: None,
            limit: limit as usize,
        };
        let bucket = input.bucket.clone();
        let marker = input.upload_id_marker.clone().filter(|marker| !marker.is_empty());
        let page = self.run(move |storage| storage.list_uploads(&bucket, &paging, marker.as_deref())).await?;
        let account = self.gate.authority.account();
        let uploads: Vec<_> = page
            .entries
            .iter()
            .map(|upload| d::MultipartUpload {
                checksum_algorithm: upload
                    .checksum
                    .map(|(algorithm, _)| d::ChecksumAlgorithm::from_static(algorithm.name())),
                checksum_type: upload
                    .checksum
                    .map(|(_, coverage)| d::ChecksumType::from_static(coverage.name())),
                initiated: Some(timestamp(upload.initiated_ms)),
                initiator: Some(d::Initiator {
                    display_name: Some(account.to_owned()),
                    id: Some(account.to_owned()),
                }),
                key: Some(spelling.spell(&upload.key)),
                owner: Some(self.owner()),
                storage_class: Some(d::StorageClass::from_static("STANDARD")),
                upload_id: Some(upload.id.clone()),
            })
            .collect();
        let last_upload = page
            .entries
            .last()
            .filter(|upload| page.truncated && page.last.as_ref() == Some(&upload.key))
            .map(|upload| upload.id.clone());
        Ok(S3Response::new(d::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: common_prefixes(&page.prefixes, spelling),
            delimiter: input.delimiter.as_deref().map(|delimiter| spelling.spell(delimiter)),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.truncated),
            key_marker: Some(spelling.spell(input.key_marker.as_deref().unwrap_or_default())),
            max_uploads: Some(limit),
            next_key_marker: page.last.as_deref().filter(|_| page.truncated).map(|last| spelling.spell(last)),
            next_upload_id_marker: last_upload,
            prefix: Some(spelling.spell(input.prefix.as_deref().unwrap_or_default())),
            request_charged: None,
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            uploads: (!uploads.is_empty()).then_some(uploads),
        }))
    }
}

/// The declared checksum; CRC-64/NVME always covers the object, SHA never
/// does, and the 32-bit CRCs cover the parts unless told otherwise.
fn declared(
    algorithm: Option<&d::ChecksumAlgorithm>,
    coverage: Option<&d::ChecksumType>,
) -> S3Result<Option<(Algorithm, Coverage)>> {
    let Some(name) = algorithm else {
        refuse(&[("a checksum type without an algorithm", coverage.is_some())])?;
        return Ok(None);
    };
    let algorithm = fields::algorithm(name.as_str())?;
    let coverage = match coverage.map(d::ChecksumType::as_str) {
        None if algorithm == Algorithm::Crc64Nvme => Coverage::FullObject,
        None | Some("COMPOSITE") => Coverage::Composite,
        Some("FULL_OBJECT") => Coverage::FullObject,
        Some(_) => return Err(s3_error!(InvalidRequest, "Value for x-amz-checksum-type header is invalid.")),
    };
    let possible = match coverage {
        Coverage::FullObject => algorithm.combines(),
        Coverage::Composite => algorithm != Algorithm::Crc64Nvme,
    };
    if !possible {
        return Err(s3_error!(
            InvalidRequest,
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            coverage.name(),
            algorithm.name().to_lowercase()
        ));
    }
    Ok(Some((algorithm, coverage)))
}

fn part_number(number: i32) -> S3Result<u32> {
    match number {
        1..=MAX_PARTS => Ok(number as u32),
        _ => Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")),
    }
}

/// The bytes of `x-amz-copy-source-range`, which must lie within the source.
fn copy_range(header: Option<&str>, size: u64) -> S3Result<Range<u64>> {
    let Some(header) = header else { return Ok(0..size) };
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )
    };
    match d::Range::parse(header).map_err(|_| invalid())? {
        d::Range::Int { first, last: Some(last) } if last < size => Ok(first..last + 1),
        d::Range::Int { last: Some(_), .. } => {
            Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}"))
        }
        _ => Err(invalid()),
    }
}

pub(super) fn completed(part: d::CompletedPart) -> S3Result<CompletedPart> {
    let checksum = [
        (Algorithm::Crc32, part.checksum_crc32),
        (Algorithm::Crc32c, part.checksum_crc32c),
        (Algorithm::Crc64Nvme, part.checksum_crc64nvme),
        (Algorithm::Sha1, part.checksum_sha1),
        (Algorithm::Sha256, part.checksum_sha256),
    ]
    .into_iter()
    .find_map(|(algorithm, value)| value.map(|value| (algorithm, value)));
    match (part.part_number, part.e_tag) {
        (Some(number), Some(etag)) => {
            Ok(CompletedPart { number: part_number(number)?, etag: etag.into_value(), checksum })
        }
        _ => Err(s3_error!(MalformedXML, "Each part needs a PartNumber and an ETag")),
    }
}

fn claimed_whole(input: &d::CompleteMultipartUploadInput) -> Option<(Algorithm, String)> {
    [
        (Algorithm::Crc32, &input.checksum_crc32),
        (Algorithm::Crc32c, &input.checksum_crc32c),
        (Algorithm::Crc64Nvme, &input.checksum_crc64nvme),
        (Algorithm::Sha1, &input.checksum_sha1),
        (Algorithm::Sha256, &input.checksum_sha256),
    ]
    .into_iter()
    .find_map(|(algorithm, value)| value.clone().map(|value| (algorithm, value)))
}

fn check_size(
    storage: &crate::storage::Storage,
    (bucket, key, id): (&str, &str, &str),
    listed: &[CompletedPart],
    claimed: i64,
) -> Result<(), crate::storage::StorageError> {
    let (_, parts) = storage.parts(bucket, key, id)?;
    let actual: u64 = parts
        .iter()
        .filter(|part| listed.iter().any(|wanted| wanted.number == part.number))
        .map(|part| part.size)
        .sum();
    if u64::try_from(claimed) == Ok(actual) {
        return Ok(());
    }
    Err(crate::storage::StorageError::Invalid(format!(
        "x-amz-mp-object-size says {claimed} bytes, the parts have {actual}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_ranges_lie_within_the_source() {
        let cases = [
            (None, Some(0..10)),
            (Some("bytes=0-9"), Some(0..10)),
            (Some("bytes=2-3"), Some(2..4)),
            (Some("bytes=2-10"), None),
            (Some("bytes=2-"), None),
            (Some("bytes=-2"), None),
            (Some("2-3"), None),
            (Some("bytes=3-2"), None),
        ];
        for (header, range) in cases {
            assert_eq!(copy_range(header, 10).ok(), range, "{header:?}");
        }
    }

    #[test]
    fn checksum_types_fit_their_algorithms() {
        let of = |algorithm: &'static str, kind: Option<&'static str>| {
            declared(
                Some(&d::ChecksumAlgorithm::from_static(algorithm)),
                kind.map(d::ChecksumType::from_static).as_ref(),
            )
            .ok()
            .flatten()
            .map(|(_, coverage)| coverage)
        };
        let cases = [
            ("CRC32", None, Some(Coverage::Composite)),
            ("CRC32", Some("FULL_OBJECT"), Some(Coverage::FullObject)),
            ("CRC64NVME", None, Some(Coverage::FullObject)),
            ("CRC64NVME", Some("COMPOSITE"), None),
            ("SHA256", None, Some(Coverage::Composite)),
            ("SHA256", Some("FULL_OBJECT"), None),
            ("MD5", None, None),
        ];
        for (algorithm, kind, coverage) in cases {
            assert_eq!(of(algorithm, kind), coverage, "{algorithm} {kind:?}");
        }
    }
}
