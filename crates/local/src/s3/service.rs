//! The `s3s` trait over storage: one line per operation.
//!
//! Owns: which operations exist; `s3s` answers `NotImplemented` for the rest.
//! Refuses: behaviour; the operations' own modules have it.

use super::access::Gate;
use super::error::translate;
use super::exchange::Exchange;
use super::tolerance::Verified;
use crate::notify::Origin;
use crate::storage::{Storage, StorageError};
use s3s::auth::Credentials;
use s3s::dto as d;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use std::collections::BTreeSet;
use std::sync::Arc;

/// S3's behaviour over a [`Storage`].
pub(crate) struct Service {
    pub(super) storage: Arc<Storage>,
    pub(super) gate: Gate,
    pub(super) functions: BTreeSet<String>,
}

/// Who asks, taken from a request before its input is.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) credentials: Option<Credentials>,
    pub(super) exchange: Exchange,
}

impl Caller {
    pub(super) fn of<T>(request: &S3Request<T>) -> Self {
        Self {
            credentials: request
                .credentials
                .clone()
                .or_else(|| request.extensions.get::<Verified>().map(|signer| signer.credentials().clone())),
            exchange: request.extensions.get::<Exchange>().cloned().unwrap_or_default(),
        }
    }
}

type Answer<T> = S3Result<S3Response<T>>;

impl Service {
    pub(super) fn new(storage: Arc<Storage>, gate: Gate, functions: BTreeSet<String>) -> Self {
        Self { storage, gate, functions }
    }

    /// Runs storage's blocking work off the async threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> S3Result<T> {
        let storage = Arc::clone(&self.storage);
        tokio::task::spawn_blocking(move || work(&storage))
            .await
            .map_err(|error| s3_error!(InternalError, "the storage task ended early: {error}"))?
            .map_err(translate)
    }

    /// Like [`Service::run`] for reads: a missing key is told only to those who may list the bucket.
    pub(super) async fn run_for_reader<T: Send + 'static>(
        &self,
        caller: &Caller,
        bucket: &str,
        work: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> S3Result<T> {
        let storage = Arc::clone(&self.storage);
        let done = tokio::task::spawn_blocking(move || work(&storage))
            .await
            .map_err(|error| s3_error!(InternalError, "the storage task ended early: {error}"))?;
        done.map_err(|error| match error {
            StorageError::NoSuchKey { .. }
                if !self.gate.may_list(caller.credentials.as_ref(), bucket, &caller.exchange) =>
            {
                s3_error!(
                    AccessDenied,
                    "Access Denied: whether the key exists is told only to those who have s3:ListBucket on the bucket"
                )
            }
            other => translate(other),
        })
    }

    /// The request as events name it.
    pub(super) fn origin(&self, caller: &Caller) -> Origin {
        caller.exchange.origin(self.gate.principal_id(caller.credentials.as_ref()))
    }

    /// `AccessDenied` when the request names another owner of the bucket.
    pub(super) fn check_owner(&self, expected: Option<&str>) -> S3Result<()> {
        match expected {
            Some(account) if account != self.gate.authority.account() => {
                Err(s3_error!(AccessDenied, "Access Denied: the bucket is not owned by {account}"))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn list_buckets(&self, req: S3Request<d::ListBucketsInput>) -> Answer<d::ListBucketsOutput> {
        self.do_list_buckets(req).await
    }

    async fn create_bucket(&self, req: S3Request<d::CreateBucketInput>) -> Answer<d::CreateBucketOutput> {
        self.do_create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<d::HeadBucketInput>) -> Answer<d::HeadBucketOutput> {
        self.do_head_bucket(req).await
    }

    async fn delete_bucket(&self, req: S3Request<d::DeleteBucketInput>) -> Answer<d::DeleteBucketOutput> {
        self.do_delete_bucket(req).await
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<d::GetBucketLocationInput>,
    ) -> Answer<d::GetBucketLocationOutput> {
        self.do_get_bucket_location(req).await
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<d::GetBucketVersioningInput>,
    ) -> Answer<d::GetBucketVersioningOutput> {
        self.do_get_bucket_versioning(req).await
    }

    async fn put_bucket_versioning(
        &self,
        req: S3Request<d::PutBucketVersioningInput>,
    ) -> Answer<d::PutBucketVersioningOutput> {
        self.do_put_bucket_versioning(req).await
    }

    async fn get_bucket_notification_configuration(
        &self,
        req: S3Request<d::GetBucketNotificationConfigurationInput>,
    ) -> Answer<d::GetBucketNotificationConfigurationOutput> {
        self.do_get_notifications(req).await
    }

    async fn put_bucket_notification_configuration(
        &self,
        req: S3Request<d::PutBucketNotificationConfigurationInput>,
    ) -> Answer<d::PutBucketNotificationConfigurationOutput> {
        self.do_put_notifications(req).await
    }

    async fn list_objects(&self, req: S3Request<d::ListObjectsInput>) -> Answer<d::ListObjectsOutput> {
        self.do_list_objects(req).await
    }

    async fn list_objects_v2(&self, req: S3Request<d::ListObjectsV2Input>) -> Answer<d::ListObjectsV2Output> {
        self.do_list_objects_v2(req).await
    }

    async fn list_object_versions(
        &self,
        req: S3Request<d::ListObjectVersionsInput>,
    ) -> Answer<d::ListObjectVersionsOutput> {
        self.do_list_versions(req).await
    }

    async fn get_object(&self, req: S3Request<d::GetObjectInput>) -> Answer<d::GetObjectOutput> {
        self.do_get_object(req).await
    }

    async fn head_object(&self, req: S3Request<d::HeadObjectInput>) -> Answer<d::HeadObjectOutput> {
        self.do_head_object(req).await
    }

    async fn put_object(&self, req: S3Request<d::PutObjectInput>) -> Answer<d::PutObjectOutput> {
        self.do_put_object(req).await
    }

    async fn copy_object(&self, req: S3Request<d::CopyObjectInput>) -> Answer<d::CopyObjectOutput> {
        self.do_copy_object(req).await
    }

    async fn delete_object(&self, req: S3Request<d::DeleteObjectInput>) -> Answer<d::DeleteObjectOutput> {
        self.do_delete_object(req).await
    }

    async fn delete_objects(&self, req: S3Request<d::DeleteObjectsInput>) -> Answer<d::DeleteObjectsOutput> {
        self.do_delete_objects(req).await
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<d::GetObjectTaggingInput>,
    ) -> Answer<d::GetObjectTaggingOutput> {
        self.do_get_tagging(req).await
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<d::PutObjectTaggingInput>,
    ) -> Answer<d::PutObjectTaggingOutput> {
        self.do_put_tagging(req).await
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<d::DeleteObjectTaggingInput>,
    ) -> Answer<d::DeleteObjectTaggingOutput> {
        self.do_delete_tagging(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<d::CreateMultipartUploadInput>,
    ) -> Answer<d::CreateMultipartUploadOutput> {
        self.do_create_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<d::UploadPartInput>) -> Answer<d::UploadPartOutput> {
        self.do_upload_part(req).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<d::UploadPartCopyInput>,
    ) -> Answer<d::UploadPartCopyOutput> {
        self.do_upload_part_copy(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<d::CompleteMultipartUploadInput>,
    ) -> Answer<d::CompleteMultipartUploadOutput> {
        self.do_complete_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<d::AbortMultipartUploadInput>,
    ) -> Answer<d::AbortMultipartUploadOutput> {
        self.do_abort_upload(req).await
    }

    async fn list_parts(&self, req: S3Request<d::ListPartsInput>) -> Answer<d::ListPartsOutput> {
        self.do_list_parts(req).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<d::ListMultipartUploadsInput>,
    ) -> Answer<d::ListMultipartUploadsOutput> {
        self.do_list_uploads(req).await
    }

    async fn get_bucket_cors(&self, req: S3Request<d::GetBucketCorsInput>) -> Answer<d::GetBucketCorsOutput> {
        self.do_get_cors(req).await
    }

    async fn put_bucket_cors(&self, req: S3Request<d::PutBucketCorsInput>) -> Answer<d::PutBucketCorsOutput> {
        self.do_put_cors(req).await
    }

    async fn delete_bucket_cors(
        &self,
        req: S3Request<d::DeleteBucketCorsInput>,
    ) -> Answer<d::DeleteBucketCorsOutput> {
        self.do_delete_cors(req).await
    }

    async fn get_bucket_tagging(
        &self,
        req: S3Request<d::GetBucketTaggingInput>,
    ) -> Answer<d::GetBucketTaggingOutput> {
        self.do_get_bucket_tags(req).await
    }

    async fn put_bucket_tagging(
        &self,
        req: S3Request<d::PutBucketTaggingInput>,
    ) -> Answer<d::PutBucketTaggingOutput> {
        self.do_put_bucket_tags(req).await
    }

    async fn delete_bucket_tagging(
        &self,
        req: S3Request<d::DeleteBucketTaggingInput>,
    ) -> Answer<d::DeleteBucketTaggingOutput> {
        self.do_delete_bucket_tags(req).await
    }

    async fn get_public_access_block(
        &self,
        req: S3Request<d::GetPublicAccessBlockInput>,
    ) -> Answer<d::GetPublicAccessBlockOutput> {
        self.do_get_public_access(req).await
    }

    async fn put_public_access_block(
        &self,
        req: S3Request<d::PutPublicAccessBlockInput>,
    ) -> Answer<d::PutPublicAccessBlockOutput> {
        self.do_put_public_access(req).await
    }

    async fn delete_public_access_block(
        &self,
        req: S3Request<d::DeletePublicAccessBlockInput>,
    ) -> Answer<d::DeletePublicAccessBlockOutput> {
        self.do_delete_public_access(req).await
    }

    async fn get_bucket_ownership_controls(
        &self,
        req: S3Request<d::GetBucketOwnershipControlsInput>,
    ) -> Answer<d::GetBucketOwnershipControlsOutput> {
        self.do_get_ownership(req).await
    }

    async fn put_bucket_ownership_controls(
        &self,
        req: S3Request<d::PutBucketOwnershipControlsInput>,
    ) -> Answer<d::PutBucketOwnershipControlsOutput> {
        self.do_put_ownership(req).await
    }

    async fn get_bucket_acl(&self, req: S3Request<d::GetBucketAclInput>) -> Answer<d::GetBucketAclOutput> {
        self.do_get_bucket_acl(req).await
    }

    async fn put_bucket_acl(&self, req: S3Request<d::PutBucketAclInput>) -> Answer<d::PutBucketAclOutput> {
        self.do_put_bucket_acl(req).await
    }

    async fn get_object_acl(&self, req: S3Request<d::GetObjectAclInput>) -> Answer<d::GetObjectAclOutput> {
        self.do_get_object_acl(req).await
    }

    async fn put_object_acl(&self, req: S3Request<d::PutObjectAclInput>) -> Answer<d::PutObjectAclOutput> {
        self.do_put_object_acl(req).await
    }

    async fn get_bucket_request_payment(
        &self,
        req: S3Request<d::GetBucketRequestPaymentInput>,
    ) -> Answer<d::GetBucketRequestPaymentOutput> {
        self.do_get_request_payment(req).await
    }

    async fn get_bucket_logging(
        &self,
        req: S3Request<d::GetBucketLoggingInput>,
    ) -> Answer<d::GetBucketLoggingOutput> {
        self.do_get_logging(req).await
    }

    async fn get_bucket_accelerate_configuration(
        &self,
        req: S3Request<d::GetBucketAccelerateConfigurationInput>,
    ) -> Answer<d::GetBucketAccelerateConfigurationOutput> {
        self.do_get_accelerate(req).await
    }

    async fn get_bucket_encryption(
        &self,
        req: S3Request<d::GetBucketEncryptionInput>,
    ) -> Answer<d::GetBucketEncryptionOutput> {
        self.do_get_encryption(req).await
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        req: S3Request<d::GetBucketLifecycleConfigurationInput>,
    ) -> Answer<d::GetBucketLifecycleConfigurationOutput> {
        self.do_get_lifecycle(req).await
    }

    async fn get_bucket_website(
        &self,
        req: S3Request<d::GetBucketWebsiteInput>,
    ) -> Answer<d::GetBucketWebsiteOutput> {
        self.do_get_website(req).await
    }

    async fn get_bucket_replication(
        &self,
        req: S3Request<d::GetBucketReplicationInput>,
    ) -> Answer<d::GetBucketReplicationOutput> {
        self.do_get_replication(req).await
    }

    async fn get_object_lock_configuration(
        &self,
        req: S3Request<d::GetObjectLockConfigurationInput>,
    ) -> Answer<d::GetObjectLockConfigurationOutput> {
        self.do_get_object_lock(req).await
    }

    async fn get_object_attributes(
        &self,
        req: S3Request<d::GetObjectAttributesInput>,
    ) -> Answer<d::GetObjectAttributesOutput> {
        self.do_get_attributes(req).await
    }

    async fn get_bucket_policy(
        &self,
        req: S3Request<d::GetBucketPolicyInput>,
    ) -> Answer<d::GetBucketPolicyOutput> {
        self.do_get_policy(req).await
    }

    async fn get_bucket_policy_status(
        &self,
        req: S3Request<d::GetBucketPolicyStatusInput>,
    ) -> Answer<d::GetBucketPolicyStatusOutput> {
        self.do_get_policy_status(req).await
    }

    async fn put_bucket_policy(
        &self,
        req: S3Request<d::PutBucketPolicyInput>,
    ) -> Answer<d::PutBucketPolicyOutput> {
        self.do_put_policy(req).await
    }

    async fn delete_bucket_policy(
        &self,
        req: S3Request<d::DeleteBucketPolicyInput>,
    ) -> Answer<d::DeleteBucketPolicyOutput> {
        self.do_delete_policy(req).await
    }
}
