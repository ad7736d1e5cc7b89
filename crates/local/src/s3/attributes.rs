//! `GetObjectAttributes`: what is known of an object without its bytes.
//!
//! Owns: the operation. Refuses: attributes that S3 does not name.

use super::fields::{ChecksumFields, etag, fill_checksums, refuse, timestamp};
use super::listings::limit;
use super::service::{Caller, Service};
use crate::storage::{ObjectInfo, StoredPart};
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use std::collections::BTreeMap;

/// What may be asked for.
const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

impl Service {
    pub(super) async fn do_get_attributes(
        &self,
        req: S3Request<d::GetObjectAttributesInput>,
    ) -> S3Result<S3Response<d::GetObjectAttributesOutput>> {
        let caller = Caller::of(&req);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(&[("encryption with a customer's key", input.sse_customer_algorithm.is_some())])?;
        let names: Vec<String> = input
            .object_attributes
            .iter()
            .flat_map(|value| value.as_str().split(','))
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() || names.iter().any(|name| !KNOWN.contains(&name.as_str())) {
            return Err(s3_error!(InvalidArgument, "Invalid attribute name specified."));
        }
        let asked = |name: &str| names.iter().any(|asked| asked == name);
        let limit = limit(input.max_parts, "max-parts")?;
        let after = input.part_number_marker.unwrap_or(0);
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (info, parts) = self
            .run_for_reader(&caller, &input.bucket, move |storage| {
                let info = storage.object(&bucket, &key, input.version_id.as_deref())?;
                let parts = storage.stored_parts(&info)?;
                Ok((info, parts))
            })
            .await?;
        let mut output = d::GetObjectAttributesOutput {
            last_modified: Some(timestamp(info.modified_ms)),
            version_id: info.shown_version(),
            ..d::GetObjectAttributesOutput::default()
        };
        if asked("ETag") {
            output.e_tag = Some(etag(&info.etag));
        }
        if asked("ObjectSize") {
            output.object_size = Some(info.size as i64);
        }
        if asked("StorageClass") {
            output.storage_class = Some(d::StorageClass::from_static("STANDARD"));
        }
        if asked("Checksum") && info.checksum.is_some() {
            let mut checksum = d::Checksum::default();
            fill_checksums!(checksum, ChecksumFields::of(info.checksum.as_ref()), typed);
            output.checksum = Some(checksum);
        }
        if asked("ObjectParts")
            && let Some(count) = info.part_count()
        {
            output.object_parts = Some(page(&info, parts, count as i32, after, limit));
        }
        Ok(S3Response::new(output))
    }
}

/// S3 lists the parts of objects that were uploaded with a checksum, and counts the others'.
fn page(
    info: &ObjectInfo,
    parts: Option<Vec<StoredPart>>,
    total: i32,
    after: i32,
    limit: i32,
) -> d::GetObjectAttributesParts {
    let mut output = d::GetObjectAttributesParts {
        total_parts_count: Some(total),
        ..d::GetObjectAttributesParts::default()
    };
    let (Some(mut parts), Some(checksum)) = (parts, &info.checksum) else { return output };
    parts.retain(|part| part.number as i32 > after);
    let truncated = parts.len() > limit as usize;
    parts.truncate(limit as usize);
    output.is_truncated = Some(truncated);
    output.max_parts = Some(limit);
    output.part_number_marker = Some(after);
    output.next_part_number_marker = parts.last().map(|part| part.number as i32);
    let listed = parts
        .into_iter()
        .map(|part| {
            let mut entry = d::ObjectPart {
                part_number: Some(part.number as i32),
                size: Some(part.size as i64),
                ..d::ObjectPart::default()
            };
            let checksums = BTreeMap::from([(checksum.algorithm, part.checksum)]);
            fill_checksums!(entry, ChecksumFields::of_part(&checksums, None));
            entry
        })
        .collect();
    output.parts = Some(listed);
    output
}
