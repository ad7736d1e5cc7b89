//! Reading, setting and removing an object's tags.
//!
//! Owns: their inputs and outputs. Refuses: tags of buckets.

use super::condition_keys;
use super::fields::tags_of_set;
use super::objects::object_need;
use super::service::{Caller, Service};
use crate::notify::EventName;
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result};

impl Service {
    pub(super) async fn do_get_tagging(
        &self,
        req: S3Request<d::GetObjectTaggingInput>,
    ) -> S3Result<S3Response<d::GetObjectTaggingOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let info = self
            .run(move |storage| storage.object(&input.bucket, &input.key, input.version_id.as_deref()))
            .await?;
        let version_id = info.shown_version();
        let tag_set =
            info.tags.into_iter().map(|(key, value)| d::Tag { key: Some(key), value: Some(value) }).collect();
        Ok(S3Response::new(d::GetObjectTaggingOutput { tag_set, version_id }))
    }

    pub(super) async fn do_put_tagging(
        &self,
        req: S3Request<d::PutObjectTaggingInput>,
    ) -> S3Result<S3Response<d::PutObjectTaggingOutput>> {
        let caller = Caller::of(&req);
        let origin = self.origin(&caller);
        let input = req.input;
        let version = input.version_id.as_deref();
        let action = if version.is_some() { "s3:PutObjectVersionTagging" } else { "s3:PutObjectTagging" };
        let mut need = object_need(action, &input.bucket, &input.key, version);
        let given = input.tagging.tag_set.iter();
        let given = given
            .map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()));
        condition_keys::insert_tags(&mut need.context, given);
        self.gate.require(caller.credentials.as_ref(), &need, &caller.exchange)?;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let tags = tags_of_set(input.tagging.tag_set)?;
        let info = self
            .run(move |storage| {
                let version = input.version_id.as_deref();
                storage.set_tags(&input.bucket, &input.key, version, &tags, EventName::TaggingPut, &origin)
            })
            .await?;
        Ok(S3Response::new(d::PutObjectTaggingOutput { version_id: info.shown_version() }))
    }

    pub(super) async fn do_delete_tagging(
        &self,
        req: S3Request<d::DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<d::DeleteObjectTaggingOutput>> {
        let origin = self.origin(&Caller::of(&req));
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let info = self
            .run(move |storage| {
                let version = input.version_id.as_deref();
                storage.set_tags(&input.bucket, &input.key, version, &[], EventName::TaggingDelete, &origin)
            })
            .await?;
        Ok(S3Response::new(d::DeleteObjectTaggingOutput { version_id: info.shown_version() }))
    }
}
