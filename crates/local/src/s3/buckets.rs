//! Bucket operations: create, head, delete, list, location, versioning.
//!
//! Owns: their inputs and outputs. Refuses: object lock, ACLs, other regions.

use super::fields::{refuse, refuse_acl, timestamp};
use super::service::Service;
use crate::storage::Versioning;
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};

impl Service {
    pub(super) async fn do_list_buckets(
        &self,
        req: S3Request<d::ListBucketsInput>,
    ) -> S3Result<S3Response<d::ListBucketsOutput>> {
        let input = req.input;
        let limit = match input.max_buckets {
            None => 10_000,
            Some(limit @ 1..=10_000) => limit as usize,
            Some(_) => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Argument max-buckets must be an integer between 1 and 10000"
                ));
            }
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.unwrap_or_default();
        let region = self.storage.place().region.clone();
        let mut buckets = self.run(crate::storage::Storage::buckets).await?;
        buckets.retain(|bucket| bucket.name.starts_with(&prefix) && bucket.name > after);
        let more = buckets.len() > limit;
        buckets.truncate(limit);
        let continuation_token = buckets.last().filter(|_| more).map(|bucket| bucket.name.clone());
        let buckets = buckets
            .into_iter()
            .map(|bucket| d::Bucket {
                bucket_region: Some(region.clone()),
                creation_date: Some(timestamp(bucket.created_ms)),
                name: Some(bucket.name),
            })
            .collect();
        Ok(S3Response::new(d::ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token,
            owner: Some(self.owner()),
            prefix: input.prefix,
        }))
    }

    /// The account, as listings name owners.
    pub(super) fn owner(&self) -> d::Owner {
        let account = self.gate.authority.account();
        d::Owner { display_name: Some(account.to_owned()), id: Some(account.to_owned()) }
    }

    pub(super) async fn do_create_bucket(
        &self,
        req: S3Request<d::CreateBucketInput>,
    ) -> S3Result<S3Response<d::CreateBucketOutput>> {
        let input = req.input;
        refuse(&[("object lock", input.object_lock_enabled_for_bucket == Some(true))])?;
        let grants = input.grant_full_control.is_some()
            || input.grant_read.is_some()
            || input.grant_read_acp.is_some()
            || input.grant_write.is_some()
            || input.grant_write_acp.is_some();
        refuse_acl(input.acl.as_ref().map(d::BucketCannedACL::as_str), grants)?;
        let region = &self.storage.place().region;
        if let Some(place) = input.create_bucket_configuration.and_then(|config| config.location_constraint)
            && place.as_str() != region
        {
            return Err(s3_error!(
                IllegalLocationConstraintException,
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                place.as_str()
            ));
        }
        let name = input.bucket.clone();
        self.run(move |storage| storage.create_bucket(&name)).await?;
        Ok(S3Response::new(d::CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
    }

    pub(super) async fn do_head_bucket(
        &self,
        req: S3Request<d::HeadBucketInput>,
    ) -> S3Result<S3Response<d::HeadBucketOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(d::HeadBucketOutput {
            bucket_region: Some(self.storage.place().region.clone()),
            ..d::HeadBucketOutput::default()
        }))
    }

    pub(super) async fn do_delete_bucket(
        &self,
        req: S3Request<d::DeleteBucketInput>,
    ) -> S3Result<S3Response<d::DeleteBucketOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let bucket = req.input.bucket.clone();
        self.change_access(&req.input.bucket, move |storage| storage.delete_bucket(&bucket)).await?;
        Ok(S3Response::new(d::DeleteBucketOutput::default()))
    }

    /// `us-east-1` is told by an empty element, for history's sake.
    pub(super) async fn do_get_bucket_location(
        &self,
        req: S3Request<d::GetBucketLocationInput>,
    ) -> S3Result<S3Response<d::GetBucketLocationOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.bucket(&req.input.bucket)).await?;
        let region = &self.storage.place().region;
        let constraint = if region == "us-east-1" { String::new() } else { region.clone() };
        Ok(S3Response::new(d::GetBucketLocationOutput {
            location_constraint: Some(d::BucketLocationConstraint::from(constraint)),
        }))
    }

    pub(super) async fn do_get_bucket_versioning(
        &self,
        req: S3Request<d::GetBucketVersioningInput>,
    ) -> S3Result<S3Response<d::GetBucketVersioningOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let bucket = self.run(move |storage| storage.bucket(&req.input.bucket)).await?;
        let status = match bucket.versioning {
            Versioning::Unversioned => None,
            Versioning::Enabled => Some(d::BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(d::BucketVersioningStatus::SUSPENDED),
        };
        Ok(S3Response::new(d::GetBucketVersioningOutput {
            mfa_delete: None,
            status: status.map(d::BucketVersioningStatus::from_static),
        }))
    }

    pub(super) async fn do_put_bucket_versioning(
        &self,
        req: S3Request<d::PutBucketVersioningInput>,
    ) -> S3Result<S3Response<d::PutBucketVersioningOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let wanted = input.versioning_configuration;
        refuse(&[("MFA delete", wanted.mfa_delete.is_some_and(|state| state.as_str() == "Enabled"))])?;
        let enabled = match wanted.status.as_ref().map(d::BucketVersioningStatus::as_str) {
            Some("Enabled") => true,
            Some("Suspended") => false,
            _ => {
                return Err(s3_error!(
                    IllegalVersioningConfigurationException,
                    "The versioning configuration needs a Status of Enabled or Suspended."
                ));
            }
        };
        self.run(move |storage| storage.set_versioning(&input.bucket, enabled)).await?;
        Ok(S3Response::new(d::PutBucketVersioningOutput::default()))
    }
}
