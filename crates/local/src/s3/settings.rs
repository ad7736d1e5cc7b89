//! Bucket settings that clients and infrastructure tools ask for: tags,
//! public access, ownership, access control lists, and what is never configured here.
//!
//! Owns: truthful answers. Refuses: to accept what nothing here would do:
//! encryption, lifecycle, replication, websites, logging and object lock can
//! be read as "not configured" and not be set.

use super::exchange::NoContent;
use super::fields::{bucket_tags_of_set, refuse, refuse_acl};
use super::public_access::PublicAccess;
use super::service::Service;
use crate::storage::Setting;
use s3s::dto as d;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

/// The error of a setting that a bucket does not have.
fn not_configured<T>(code: &'static str, message: &'static str) -> S3Result<T> {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(http::StatusCode::NOT_FOUND);
    Err(error)
}

/// Whether a request sets grants beside a canned ACL, those excepted that hold anyway: s3cmd copies an object and
/// then sends back the ACL that it has read (Amazon S3 User Guide, "Disabling ACLs": a document that says the same as
/// `bucket-owner-full-control` is accepted).
macro_rules! grants {
    ($service:expr, $input:expr) => {
        $input.access_control_policy.as_ref().is_some_and(|policy| !$service.holds_anyway(policy))
            || $input.grant_full_control.is_some()
            || $input.grant_read.is_some()
            || $input.grant_read_acp.is_some()
            || $input.grant_write.is_some()
            || $input.grant_write_acp.is_some()
    };
}

/// Handlers that find the bucket and then answer the same to everyone.
macro_rules! constant {
    ($($name:ident: $input:ident -> $output:ident = $answer:expr;)*) => {
        impl Service {
            $(
                pub(super) async fn $name(
                    &self,
                    req: S3Request<d::$input>,
                ) -> S3Result<S3Response<d::$output>> {
                    self.check_owner(req.input.expected_bucket_owner.as_deref())?;
                    self.run(move |storage| storage.bucket(&req.input.bucket)).await?;
                    $answer
                }
            )*
        }
    };
}

constant! {
    do_get_request_payment: GetBucketRequestPaymentInput -> GetBucketRequestPaymentOutput =
        Ok(S3Response::new(d::GetBucketRequestPaymentOutput { payer: Some(d::Payer::from_static("BucketOwner")) }));
    do_get_logging: GetBucketLoggingInput -> GetBucketLoggingOutput =
        Ok(S3Response::new(d::GetBucketLoggingOutput::default()));
    do_get_accelerate: GetBucketAccelerateConfigurationInput -> GetBucketAccelerateConfigurationOutput =
        Ok(S3Response::new(d::GetBucketAccelerateConfigurationOutput::default()));
    do_get_encryption: GetBucketEncryptionInput -> GetBucketEncryptionOutput = not_configured(
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    );
    do_get_lifecycle: GetBucketLifecycleConfigurationInput -> GetBucketLifecycleConfigurationOutput =
        not_configured("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
    do_get_website: GetBucketWebsiteInput -> GetBucketWebsiteOutput = not_configured(
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    );
    do_get_replication: GetBucketReplicationInput -> GetBucketReplicationOutput = not_configured(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    );
    do_get_object_lock: GetObjectLockConfigurationInput -> GetObjectLockConfigurationOutput = not_configured(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    );
    do_get_ownership: GetBucketOwnershipControlsInput -> GetBucketOwnershipControlsOutput =
        Ok(S3Response::new(d::GetBucketOwnershipControlsOutput {
            ownership_controls: Some(d::OwnershipControls {
                rules: vec![d::OwnershipControlsRule {
                    object_ownership: d::ObjectOwnership::from_static(d::ObjectOwnership::BUCKET_OWNER_ENFORCED),
                }],
            }),
        }));
}

impl Service {
    /// The one grant of a bucket or object whose owner owns everything.
    fn full_control(&self) -> Vec<d::Grant> {
        let account = self.gate.authority.account().to_owned();
        vec![d::Grant {
            grantee: Some(d::Grantee {
                display_name: Some(account.clone()),
                email_address: None,
                id: Some(account),
                type_: d::Type::from_static(d::Type::CANONICAL_USER),
                uri: None,
            }),
            permission: Some(d::Permission::from_static(d::Permission::FULL_CONTROL)),
        }]
    }

    /// Whether an ACL grants its owner everything, and nobody else anything.
    fn holds_anyway(&self, policy: &d::AccessControlPolicy) -> bool {
        let account = self.gate.authority.account();
        let [grant] = policy.grants.as_deref().unwrap_or_default() else { return false };
        let is_owner = |grantee: &d::Grantee| {
            grantee.id.as_deref() == Some(account) && grantee.uri.is_none() && grantee.email_address.is_none()
        };
        grant.grantee.as_ref().is_some_and(is_owner)
            && grant.permission.as_ref().is_some_and(|one| one.as_str() == d::Permission::FULL_CONTROL)
    }

    pub(super) async fn do_get_bucket_acl(
        &self,
        req: S3Request<d::GetBucketAclInput>,
    ) -> S3Result<S3Response<d::GetBucketAclOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(d::GetBucketAclOutput {
            grants: Some(self.full_control()),
            owner: Some(self.owner()),
        }))
    }

    pub(super) async fn do_put_bucket_acl(
        &self,
        req: S3Request<d::PutBucketAclInput>,
    ) -> S3Result<S3Response<d::PutBucketAclOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.bucket(&input.bucket)).await?;
        let grants = grants!(self, input);
        refuse_acl(input.acl.as_ref().map(d::BucketCannedACL::as_str), grants)?;
        Ok(S3Response::new(d::PutBucketAclOutput::default()))
    }

    pub(super) async fn do_get_object_acl(
        &self,
        req: S3Request<d::GetObjectAclInput>,
    ) -> S3Result<S3Response<d::GetObjectAclOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.object(&input.bucket, &input.key, input.version_id.as_deref()))
            .await?;
        Ok(S3Response::new(d::GetObjectAclOutput {
            grants: Some(self.full_control()),
            owner: Some(self.owner()),
            request_charged: None,
        }))
    }

    pub(super) async fn do_put_object_acl(
        &self,
        req: S3Request<d::PutObjectAclInput>,
    ) -> S3Result<S3Response<d::PutObjectAclOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.object(&input.bucket, &input.key, input.version_id.as_deref()))
            .await?;
        let grants = grants!(self, input);
        refuse_acl(input.acl.as_ref().map(d::ObjectCannedACL::as_str), grants)?;
        Ok(S3Response::new(d::PutObjectAclOutput::default()))
    }

    pub(super) async fn do_put_ownership(
        &self,
        req: S3Request<d::PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<d::PutBucketOwnershipControlsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.bucket(&input.bucket)).await?;
        let rules = &input.ownership_controls.rules;
        if rules.len() != 1 {
            return Err(s3_error!(MalformedXML, "Ownership controls have exactly one rule"));
        }
        let enforced = rules[0].object_ownership.as_str() == d::ObjectOwnership::BUCKET_OWNER_ENFORCED;
        refuse(&[("an object ownership other than BucketOwnerEnforced", !enforced)])?;
        Ok(S3Response::new(d::PutBucketOwnershipControlsOutput::default()))
    }

    pub(super) async fn do_get_bucket_tags(
        &self,
        req: S3Request<d::GetBucketTaggingInput>,
    ) -> S3Result<S3Response<d::GetBucketTaggingOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let tags: Option<Vec<(String, String)>> =
            self.run(move |storage| storage.setting(&req.input.bucket, Setting::Tags)).await?;
        let Some(tags) = tags else {
            return Err(s3_error!(NoSuchTagSet, "The TagSet does not exist"));
        };
        let tag_set =
            tags.into_iter().map(|(key, value)| d::Tag { key: Some(key), value: Some(value) }).collect();
        Ok(S3Response::new(d::GetBucketTaggingOutput { tag_set }))
    }

    pub(super) async fn do_put_bucket_tags(
        &self,
        req: S3Request<d::PutBucketTaggingInput>,
    ) -> S3Result<S3Response<d::PutBucketTaggingOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let tags = bucket_tags_of_set(input.tagging.tag_set)?;
        self.run(move |storage| storage.set_setting(&input.bucket, Setting::Tags, Some(&tags))).await?;
        let mut response = S3Response::new(d::PutBucketTaggingOutput::default());
        response.extensions.insert(NoContent);
        Ok(response)
    }

    pub(super) async fn do_delete_bucket_tags(
        &self,
        req: S3Request<d::DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<d::DeleteBucketTaggingOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.set_setting::<()>(&req.input.bucket, Setting::Tags, None)).await?;
        Ok(S3Response::new(d::DeleteBucketTaggingOutput::default()))
    }

    pub(super) async fn do_get_public_access(
        &self,
        req: S3Request<d::GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<d::GetPublicAccessBlockOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let stored: Option<Option<PublicAccess>> =
            self.run(move |storage| storage.setting(&req.input.bucket, Setting::PublicAccess)).await?;
        let Some(access) = stored.unwrap_or(Some(PublicAccess::NEW)) else {
            return not_configured(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            );
        };
        Ok(S3Response::new(d::GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(d::PublicAccessBlockConfiguration {
                block_public_acls: Some(access.block_acls),
                block_public_policy: Some(access.block_policy),
                ignore_public_acls: Some(access.ignore_acls),
                restrict_public_buckets: Some(access.restrict),
            }),
        }))
    }

    pub(super) async fn do_put_public_access(
        &self,
        req: S3Request<d::PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<d::PutPublicAccessBlockOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let wanted = input.public_access_block_configuration;
        let access = PublicAccess {
            block_acls: wanted.block_public_acls == Some(true),
            ignore_acls: wanted.ignore_public_acls == Some(true),
            block_policy: wanted.block_public_policy == Some(true),
            restrict: wanted.restrict_public_buckets == Some(true),
        };
        let bucket = input.bucket.clone();
        self.change_access(&input.bucket, move |storage| {
            storage.set_setting(&bucket, Setting::PublicAccess, Some(&Some(access)))
        })
        .await?;
        Ok(S3Response::new(d::PutPublicAccessBlockOutput::default()))
    }

    pub(super) async fn do_delete_public_access(
        &self,
        req: S3Request<d::DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<d::DeletePublicAccessBlockOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let bucket = req.input.bucket.clone();
        let gone: Option<PublicAccess> = None;
        self.change_access(&req.input.bucket, move |storage| {
            storage.set_setting(&bucket, Setting::PublicAccess, Some(&gone))
        })
        .await?;
        Ok(S3Response::new(d::DeletePublicAccessBlockOutput::default()))
    }
}
