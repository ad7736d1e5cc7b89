//! PUT, POST, COPY and DELETE of objects.
//!
//! Owns: the order of checks around storage's writes. Refuses: what
//! `refuse_unsupported` names.

use super::access::Gate;
use super::actions::{self, Need, object_arn};
use super::condition_keys;
use super::conditions::{ReadConditions, Verdict, etag_match};
use super::error::{precondition_failed, translate};
use super::exchange::Placed;
use super::facts::Facts;
use super::fields::{
    self, ChecksumFields, Claims, attributes_of, etag, fill_checksums, refuse, refuse_unsupported, seconds,
    tags_of_header, timestamp,
};
use super::listings::path_of;
use super::service::{Caller, Service};
use super::whole;
use crate::iam::RequestContext;
use crate::notify::{EventName, Origin};
use crate::storage::{
    Algorithm, BodyError, NewObject, ObjectInfo, ObjectReader, Received, Reception, Storage, StorageError,
    WriteCondition,
};
use http::{HeaderMap, HeaderValue};
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};
use std::sync::Arc;

/// Most bytes of a single upload, part or copy: 5 GiB.
pub(super) const MAX_SINGLE: u64 = 5 * 1024 * 1024 * 1024;

/// A copy's source.
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) info: ObjectInfo,
    pub(super) reader: ObjectReader,
}

impl Service {
    pub(super) async fn do_put_object(
        &self,
        req: S3Request<d::PutObjectInput>,
    ) -> S3Result<S3Response<d::PutObjectOutput>> {
        let caller = Caller::of(&req);
        let posted = req.method == http::Method::POST;
        let mut input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if posted {
            for need in form_needs(&input)? {
                self.gate.require(caller.credentials.as_ref(), &need, &caller.exchange)?;
            }
        }
        check_key(&input.key)?;
        refuse_unsupported!(input);
        // `s3s` keeps the file's name to itself, and the key as it is written would be a wrong one.
        refuse(&[("${filename} in the key of a form", posted && input.key.contains("${filename}"))])?;
        refuse(&[("appending at an offset", input.write_offset_bytes.is_some())])?;
        let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let attributes = attributes_of!(input)?;
        let tags = tags_of_header(input.tagging.as_deref())?;
        let claims = Claims::read(&req.headers)?;
        let algorithm = claims.algorithm.unwrap_or(Algorithm::Crc64Nvme);
        let bucket = input.bucket.clone();
        self.run(move |storage| storage.bucket(&bucket)).await?;
        let received = self
            .receive(
                input.body.take(),
                // A form's length is that of all its fields.
                if posted { None } else { Some(whole::announced(&req.headers, input.content_length)?) },
                vec![algorithm],
                &claims,
                req.trailing_headers.as_ref(),
            )
            .await?;
        let object = NewObject {
            bucket: input.bucket,
            key: input.key,
            attributes,
            tags,
            algorithm,
            condition,
            event: if posted { EventName::CreatedPost } else { EventName::CreatedPut },
        };
        let origin = self.origin(&caller);
        let location = format!("/{}/{}", object.bucket, path_of(&object.key));
        let stored = self.run(move |storage| storage.put(&object, received, &origin)).await?;
        let mut headers = HeaderMap::new();
        if posted {
            let told = [
                (http::header::ETAG, Some(format!("\"{}\"", stored.etag))),
                (http::HeaderName::from_static("x-amz-version-id"), stored.version.clone()),
            ];
            for (name, value) in told {
                if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                    headers.insert(name, value);
                }
            }
        }
        let mut output = d::PutObjectOutput {
            e_tag: Some(etag(&stored.etag)),
            version_id: stored.version,
            ..d::PutObjectOutput::default()
        };
        fill_checksums!(output, ChecksumFields::of(stored.checksum.as_ref()), typed);
        let mut response = S3Response::new(output);
        response.headers = headers;
        if posted {
            response.extensions.insert(Placed(location));
        }
        Ok(response)
    }

    /// Streams a request's body to disk and checks what the client claimed about it.
    pub(super) async fn receive(
        &self,
        body: Option<d::StreamingBlob>,
        announced: Option<u64>,
        algorithms: Vec<Algorithm>,
        claims: &Claims,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<Received> {
        if announced.is_some_and(|length| length > MAX_SINGLE) {
            return Err(translate(StorageError::TooLarge { limit: MAX_SINGLE }));
        }
        let reception = Reception { algorithms, limit: MAX_SINGLE };
        let received = match body {
            Some(body) => self.storage.receive(body, reception).await,
            None => self.storage.receive(futures::stream::empty::<Result<_, BodyError>>(), reception).await,
        };
        let received = received.map_err(translate)?;
        if let Some(announced) = announced {
            whole::check_length(announced, received.size())?;
        }
        claims.verify(received.digests(), trailers)?;
        Ok(received)
    }

    /// Opens and judges the source of a copy.
    pub(super) async fn open_source(
        &self,
        source: &d::CopySource,
        conditions: ReadConditions,
        caller: &Caller,
    ) -> S3Result<Source> {
        let d::CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "copying from an access point is not supported here"));
        };
        let (name, key, version) =
            (bucket.to_string(), key.to_string(), version_id.as_deref().map(str::to_owned));
        let storage: Arc<Storage> = Arc::clone(&self.storage);
        let opened =
            tokio::task::spawn_blocking(move || storage.open_object(&name, &key, version.as_deref()))
                .await
                .map_err(|error| s3_error!(InternalError, "the storage task ended early: {error}"))?;
        let (info, reader) = opened.map_err(|error| match error {
            StorageError::NoSuchKey { .. }
                if !self.gate.may_list(caller.credentials.as_ref(), bucket, &caller.exchange) =>
            {
                s3_error!(AccessDenied, "Access Denied")
            }
            StorageError::IsDeleteMarker { .. } => s3_error!(
                InvalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id."
            ),
            other => translate(other),
        })?;
        match conditions.judge(&info.etag, info.modified_ms.div_euclid(1000)) {
            Verdict::Proceed => Ok(Source { bucket: bucket.to_string(), info, reader }),
            Verdict::NotModified => {
                Err(precondition_failed("x-amz-copy-source-If-None-Match or If-Modified-Since"))
            }
            Verdict::Failed(condition) => Err(precondition_failed(condition)),
        }
    }

    pub(super) async fn do_copy_object(
        &self,
        req: S3Request<d::CopyObjectInput>,
    ) -> S3Result<S3Response<d::CopyObjectOutput>> {
        let caller = Caller::of(&req);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_owner(input.expected_source_bucket_owner.as_deref())?;
        check_key(&input.key)?;
        refuse_unsupported!(input);
        refuse(&[("encryption with a customer's key", input.copy_source_sse_customer_algorithm.is_some())])?;
        let replaces = replaces(input.metadata_directive.as_ref().map(d::MetadataDirective::as_str))?;
        let retags = replaces_tags(input.tagging_directive.as_ref().map(d::TaggingDirective::as_str))?;
        if let d::CopySource::Bucket { bucket, key, version_id: None } = &input.copy_source
            && **bucket == *input.bucket
            && **key == *input.key
            && !replaces
            && input.website_redirect_location.is_none()
        {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let conditions = source_conditions!(input);
        let source = self.open_source(&input.copy_source, conditions, &caller).await?;
        if source.info.size > MAX_SINGLE {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
            ));
        }
        let tags = if retags {
            tags_of_header(input.tagging.as_deref())?
        } else {
            if !source.info.tags.is_empty() {
                let need = object_need("s3:GetObjectTagging", &source.bucket, &source.info.key, None);
                self.gate.require(caller.credentials.as_ref(), &need, &caller.exchange)?;
                let mut need = object_need("s3:PutObjectTagging", &input.bucket, &input.key, None);
                condition_keys::insert_tags(
                    &mut need.context,
                    source.info.tags.iter().map(|(key, value)| (key, value)),
                );
                self.gate.require(caller.credentials.as_ref(), &need, &caller.exchange)?;
            }
            source.info.tags.clone()
        };
        let mut attributes = if replaces { attributes_of!(input)? } else { source.info.attributes.clone() };
        if input.website_redirect_location.is_some() || !replaces {
            attributes.website_redirect.clone_from(&input.website_redirect_location);
        }
        let asked =
            input.checksum_algorithm.as_ref().map(|name| fields::algorithm(name.as_str())).transpose()?;
        let kept = source.info.checksum.as_ref().map(|checksum| checksum.algorithm);
        let algorithm = asked.or(kept).unwrap_or(Algorithm::Crc64Nvme);
        let object = NewObject {
            bucket: input.bucket,
            key: input.key,
            attributes,
            tags,
            algorithm,
            condition: WriteCondition::default(),
            event: EventName::CreatedCopy,
        };
        let origin = self.origin(&caller);
        let source_version = source.info.shown_version();
        let stored = self.run(move |storage| copy(storage, &source, &object, &origin)).await?;
        let mut result = d::CopyObjectResult {
            e_tag: Some(etag(&stored.etag)),
            last_modified: Some(timestamp(stored.modified_ms)),
            ..d::CopyObjectResult::default()
        };
        fill_checksums!(result, ChecksumFields::of(stored.checksum.as_ref()), typed);
        Ok(S3Response::new(d::CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: source_version,
            version_id: stored.version,
            ..d::CopyObjectOutput::default()
        }))
    }

    pub(super) async fn do_delete_object(
        &self,
        req: S3Request<d::DeleteObjectInput>,
    ) -> S3Result<S3Response<d::DeleteObjectOutput>> {
        let origin = self.origin(&Caller::of(&req));
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(&[
            ("x-amz-if-match-last-modified-time", input.if_match_last_modified_time.is_some()),
            ("x-amz-if-match-size", input.if_match_size.is_some()),
            ("MFA delete", input.mfa.is_some()),
        ])?;
        if input.version_id.as_deref() == Some("") {
            return Err(s3_error!(InvalidArgument, "Version id cannot be the empty string"));
        }
        let condition =
            WriteCondition { if_match: input.if_match.as_ref().map(etag_match), if_none_match: None };
        let deleted = self
            .run(move |storage| {
                storage.delete(&input.bucket, &input.key, input.version_id.as_deref(), &condition, &origin)
            })
            .await?;
        Ok(S3Response::new(d::DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            request_charged: None,
            version_id: deleted.version,
        }))
    }

    /// Each key is decided and deleted by itself; what fails is listed beside what does not.
    pub(super) async fn do_delete_objects(
        &self,
        req: S3Request<d::DeleteObjectsInput>,
    ) -> S3Result<S3Response<d::DeleteObjectsOutput>> {
        let caller = Caller::of(&req);
        let origin = self.origin(&caller);
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let wanted = input.delete.objects;
        if wanted.is_empty() || wanted.len() > 1000 {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our published schema: from 1 to 1000 keys."
            ));
        }
        let bucket = input.bucket.clone();
        self.run(move |storage| storage.bucket(&bucket)).await?;
        let gate = self.gate.clone();
        let bucket = input.bucket.clone();
        let (deleted, errors) = self
            .run(move |storage| {
                let mut deleted = Vec::new();
                let mut errors = Vec::new();
                for object in wanted {
                    match delete_one(storage, &gate, &caller, &origin, &bucket, &object) {
                        Ok(entry) => deleted.push(entry),
                        Err(error) => errors.push(d::Error {
                            code: Some(error.code().as_str().to_owned()),
                            key: Some(object.key),
                            message: error.message().map(str::to_owned),
                            version_id: object.version_id,
                        }),
                    }
                }
                Ok((deleted, errors))
            })
            .await?;
        let quiet = input.delete.quiet == Some(true);
        Ok(S3Response::new(d::DeleteObjectsOutput {
            deleted: (!quiet && !deleted.is_empty()).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            request_charged: None,
        }))
    }
}

fn copy(
    storage: &Storage,
    source: &Source,
    object: &NewObject,
    origin: &Origin,
) -> Result<crate::storage::Stored, StorageError> {
    // A multipart ETag and its checksum describe parts; a copy is one piece.
    let same = source.info.part_count().is_none()
        && source.info.checksum.as_ref().is_some_and(|checksum| checksum.algorithm == object.algorithm);
    let digests = if same { None } else { Some(source.reader.digest(&[object.algorithm])?) };
    storage.copy(&source.bucket, &source.info, object, digests.as_ref(), origin)
}

fn delete_one(
    storage: &Storage,
    gate: &Gate,
    caller: &Caller,
    origin: &Origin,
    bucket: &str,
    object: &d::ObjectIdentifier,
) -> S3Result<d::DeletedObject> {
    let version = object.version_id.as_deref().filter(|version| !version.is_empty());
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    let need = object_need(action, bucket, &object.key, version);
    gate.require(caller.credentials.as_ref(), &need, &caller.exchange)?;
    check_key(&object.key)?;
    refuse(&[
        ("a deletion by time of change", object.last_modified_time.is_some()),
        ("a deletion by size", object.size.is_some()),
    ])?;
    let condition = WriteCondition {
        if_match: object.e_tag.as_ref().map(|etag| crate::storage::EtagMatch::Etag(etag.value().to_owned())),
        if_none_match: None,
    };
    let deleted = storage.delete(bucket, &object.key, version, &condition, origin).map_err(translate)?;
    let made_marker = version.is_none() && deleted.marker;
    Ok(d::DeletedObject {
        delete_marker: deleted.marker.then_some(true),
        delete_marker_version_id: if deleted.marker { deleted.version } else { None },
        key: Some(object.key.clone()),
        version_id: if made_marker { None } else { version.map(str::to_owned) },
    })
}

/// The permission for an action on one object.
pub(super) fn object_need(action: &str, bucket: &str, key: &str, version: Option<&str>) -> Need {
    let mut context = RequestContext::new();
    if let Some(version) = version {
        context.insert("s3:VersionId", version);
    }
    Need { action: action.to_owned(), resource: object_arn(bucket, key), context }
}

/// What a form needs: as much as a PUT whose headers are its fields.
fn form_needs(input: &d::PutObjectInput) -> S3Result<Vec<Need>> {
    fn etag(condition: &d::ETagCondition) -> &str {
        match condition {
            d::ETagCondition::Any => "*",
            d::ETagCondition::ETag(etag) => etag.value(),
        }
    }
    let field = |name: &str| match name {
        "if-match" => input.if_match.as_ref().map(etag),
        "if-none-match" => input.if_none_match.as_ref().map(etag),
        "x-amz-acl" => input.acl.as_ref().map(d::ObjectCannedACL::as_str),
        "x-amz-grant-full-control" => input.grant_full_control.as_deref(),
        "x-amz-grant-read" => input.grant_read.as_deref(),
        "x-amz-grant-read-acp" => input.grant_read_acp.as_deref(),
        "x-amz-grant-write-acp" => input.grant_write_acp.as_deref(),
        "x-amz-server-side-encryption" => {
            input.server_side_encryption.as_ref().map(d::ServerSideEncryption::as_str)
        }
        "x-amz-server-side-encryption-aws-kms-key-id" => input.ssekms_key_id.as_deref(),
        "x-amz-server-side-encryption-customer-algorithm" => input.sse_customer_algorithm.as_deref(),
        "x-amz-storage-class" => input.storage_class.as_ref().map(d::StorageClass::as_str),
        "x-amz-tagging" => input.tagging.as_deref(),
        "x-amz-website-redirect-location" => input.website_redirect_location.as_deref(),
        _ => None,
    };
    actions::needs(&Facts {
        operation: "PutObject",
        bucket: Some(&input.bucket),
        key: Some(&input.key),
        query: &|_| None,
        header: &field,
    })
}

/// Keys in paths are checked by `s3s`; those in forms and documents here.
fn check_key(key: &str) -> S3Result<()> {
    if key.len() > 1024 {
        return Err(s3_error!(KeyTooLongError, "Your key is too long"));
    }
    if key.is_empty() {
        return Err(s3_error!(InvalidArgument, "A key must have at least one character"));
    }
    Ok(())
}

/// S3 supports `If-None-Match` on writes with `*` only.
pub(super) fn write_condition(
    if_match: Option<&d::ETagCondition>,
    if_none_match: Option<&d::ETagCondition>,
) -> S3Result<WriteCondition> {
    refuse(&[(
        "If-None-Match with an ETag on a write",
        if_none_match.is_some_and(|condition| !matches!(condition, d::ETagCondition::Any)),
    )])?;
    Ok(WriteCondition { if_match: if_match.map(etag_match), if_none_match: if_none_match.map(etag_match) })
}

fn replaces(directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Unknown metadata directive.")),
    }
}

fn replaces_tags(directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Unknown tagging directive.")),
    }
}

/// The conditions on a copy's source.
macro_rules! source_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.copy_source_if_match.as_ref().map(etag_match),
            if_none_match: $input.copy_source_if_none_match.as_ref().map(etag_match),
            if_modified_since: $input.copy_source_if_modified_since.as_ref().map(seconds),
            if_unmodified_since: $input.copy_source_if_unmodified_since.as_ref().map(seconds),
        }
    };
}
pub(super) use source_conditions;
