//! Bucket policies: reading, setting and deleting them.
//!
//! Owns: the operations. Refuses: deciding; [`crate::iam`] does.

use super::condition_keys::CONDITION_KEYS;
use super::error::translate;
use super::exchange::NoContent;
use super::policies::{Policies, is_public};
use super::public_access::PublicAccess;
use super::service::Service;
use crate::iam::ResourcePolicy;
use crate::storage::{Setting, Storage, StorageError};
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use serde_json::Value;
use std::sync::Arc;

/// Most bytes of a bucket policy: 20 KB.
const MAX_POLICY: usize = 20 * 1024;

/// A policy that speaks of this bucket only, and of S3's actions only.
pub(super) fn check(bucket: &str, text: &str) -> S3Result<Value> {
    if text.len() > MAX_POLICY {
        return Err(s3_error!(MalformedPolicy, "A bucket policy has at most {MAX_POLICY} bytes"));
    }
    let document = serde_json::from_str(text).map_err(|_| {
        s3_error!(MalformedPolicy, "Policies must be valid JSON and the first byte must be '{{'")
    })?;
    let policy = ResourcePolicy::parse(&document)
        .and_then(|policy| policy.asking_for(&CONDITION_KEYS))
        .map_err(|error| s3_error!(MalformedPolicy, "{error}"))?;
    let own = |resource: &&str| {
        resource
            .strip_prefix("arn:aws:s3:::")
            .and_then(|rest| rest.strip_prefix(bucket))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
    };
    if let Some(resource) = policy.resources().find(|resource| !own(resource)) {
        return Err(s3_error!(MalformedPolicy, "Policy has invalid resource: {resource}"));
    }
    let of_s3 = |action: &&str| *action == "*" || action.to_ascii_lowercase().starts_with("s3:");
    if let Some(action) = policy.actions().find(|action| !of_s3(action)) {
        return Err(s3_error!(MalformedPolicy, "Policy has invalid action: {action}"));
    }
    Ok(document)
}

impl Service {
    /// Changes a bucket's settings and lets the next decision know.
    pub(super) async fn change_access<T: Send + 'static>(
        &self,
        bucket: &str,
        work: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> S3Result<T> {
        let policies = Arc::clone(&self.gate.policies);
        let bucket = bucket.to_owned();
        self.run(move |storage| {
            let value = work(storage)?;
            policies.reload(storage, &bucket)?;
            Ok(value)
        })
        .await
    }

    pub(super) async fn do_get_policy(
        &self,
        req: S3Request<d::GetBucketPolicyInput>,
    ) -> S3Result<S3Response<d::GetBucketPolicyOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let policy = self.stored_policy(req.input.bucket).await?;
        Ok(S3Response::new(d::GetBucketPolicyOutput { policy: Some(policy) }))
    }

    async fn stored_policy(&self, bucket: String) -> S3Result<String> {
        self.run(move |storage| storage.setting(&bucket, Setting::Policy))
            .await?
            .ok_or_else(|| s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"))
    }

    pub(super) async fn do_get_policy_status(
        &self,
        req: S3Request<d::GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<d::GetBucketPolicyStatusOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let policy = self.stored_policy(req.input.bucket).await?;
        let public = serde_json::from_str(&policy).is_ok_and(|document| is_public(&document));
        Ok(S3Response::new(d::GetBucketPolicyStatusOutput {
            policy_status: Some(d::PolicyStatus { is_public: Some(public) }),
        }))
    }

    pub(super) async fn do_put_policy(
        &self,
        req: S3Request<d::PutBucketPolicyInput>,
    ) -> S3Result<S3Response<d::PutBucketPolicyOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let document = check(&input.bucket, &input.policy)?;
        let (bucket, text) = (input.bucket.clone(), input.policy);
        let set = self
            .change_access(&input.bucket, move |storage| {
                let access = PublicAccess::effective(storage.setting(&bucket, Setting::PublicAccess)?);
                if access.block_policy && is_public(&document) {
                    return Ok(false);
                }
                storage.set_setting(&bucket, Setting::Policy, Some(&text))?;
                Ok(true)
            })
            .await?;
        if !set {
            return Err(s3_error!(
                AccessDenied,
                "Access Denied: public policies are blocked by the BlockPublicPolicy block public access setting"
            ));
        }
        let mut response = S3Response::new(d::PutBucketPolicyOutput::default());
        response.extensions.insert(NoContent);
        Ok(response)
    }

    pub(super) async fn do_delete_policy(
        &self,
        req: S3Request<d::DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<d::DeleteBucketPolicyOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let bucket = input.bucket.clone();
        self.change_access(&input.bucket, move |storage| {
            storage.set_setting::<()>(&bucket, Setting::Policy, None)
        })
        .await?;
        Ok(S3Response::new(d::DeleteBucketPolicyOutput::default()))
    }
}

/// The policies for a gate, or the reason why there are none.
pub(super) fn load(storage: &Storage) -> std::io::Result<Arc<Policies>> {
    Policies::load(storage).map(Arc::new).map_err(|error| std::io::Error::other(translate(error).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_speaks_of_its_own_bucket_and_of_s3() {
        let policy = |action: &str, resource: &str| {
            json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Principal": "*",
                "Action": action, "Resource": resource } })
            .to_string()
        };
        for (action, resource, accepted) in [
            ("s3:GetObject", "arn:aws:s3:::b/*", true),
            ("s3:ListBucket", "arn:aws:s3:::b", true),
            ("s3:*", "arn:aws:s3:::b*", true),
            ("s3:GetObject", "arn:aws:s3:::other/*", false),
            ("s3:GetObject", "arn:aws:s3:::bb/*", false),
            ("s3:GetObject", "*", false),
            ("sqs:SendMessage", "arn:aws:s3:::b/*", false),
        ] {
            assert_eq!(check("b", &policy(action, resource)).is_ok(), accepted, "{action} {resource}");
        }
        let unknown = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
            "Condition": { "StringEquals": { "s3:ExistingObjectTag/shut": "yes" } } } });
        let error = check("b", &unknown.to_string()).unwrap_err();
        assert_eq!(error.code().as_str(), "MalformedPolicy");
        assert!(
            error.message().is_some_and(|words| words.contains("s3:ExistingObjectTag/shut")),
            "{error:?}"
        );
        assert!(check("b", &" ".repeat(MAX_POLICY + 1)).is_err());
    }
}
