//! What the handler asks of an object store, and how a store says no. Owns the
//! [`Store`] trait and [`StoreError`]; refuses to know any protocol, and never
//! decides what a failure means (that is `verdict`).

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use thiserror::Error;

/// User metadata of an object: lower-case ASCII names without any protocol's
/// prefix, ASCII values.
pub type Metadata = BTreeMap<String, String>;

/// An object's state without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Entity tag, without quotes. Two states of one key with equal tags have
    /// equal bytes.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// User metadata.
    pub metadata: Metadata,
}

/// An object's state, with its bytes when they were asked for and fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// The whole object.
    Whole {
        /// Its state.
        head: Head,
        /// Its bytes; `head.size` of them.
        bytes: Bytes,
    },
    /// Larger than the bound that was asked for: nothing was read.
    Oversize {
        /// Its state.
        head: Head,
    },
}

impl Object {
    /// The state without the bytes.
    pub const fn head(&self) -> &Head {
        match self {
            Self::Whole { head, .. } | Self::Oversize { head } => head,
        }
    }
}

/// The bytes of an object as they come: as many as were announced, or an error.
pub type Body = BoxStream<'static, Result<Bytes, StoreError>>;

/// An object that is being read.
pub enum Opened {
    /// What is there at once.
    There(Object),
    /// Its state, and its bytes on their way.
    Coming {
        /// Its state.
        head: Head,
        /// Its bytes; `head.size` of them.
        body: Body,
    },
}

impl Opened {
    /// The state without the bytes.
    pub const fn head(&self) -> &Head {
        match self {
            Self::There(object) => object.head(),
            Self::Coming { head, .. } => head,
        }
    }

    /// The object once all of its bytes have come, in one allocation.
    pub async fn whole(self) -> Result<Object, StoreError> {
        match self {
            Self::There(object) => Ok(object),
            Self::Coming { head, mut body } => {
                let mut bytes = BytesMut::with_capacity(usize::try_from(head.size).unwrap_or(0));
                while let Some(chunk) = body.try_next().await? {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(Object::Whole { head, bytes: bytes.freeze() })
            }
        }
    }
}

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The bytes. Cloning them does not copy.
    pub bytes: Bytes,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`; absent when empty.
    pub cache_control: String,
    /// User metadata.
    pub metadata: Metadata,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Keys, in the order of their UTF-8 bytes.
    pub keys: Vec<String>,
    /// Where the next page starts; `None` on the last. Opaque.
    pub next: Option<String>,
}

/// An object store with read-after-write consistency. A key is any string of 1
/// to 1,024 bytes and reaches the store unchanged: `a//b` and `../x` are keys
/// like any other.
///
/// Every operation can be tried again after an error: none is left half done
/// in a way that a reader can see.
pub trait Store: Send + Sync {
    /// Reads an object of at most `max_bytes` bytes; `None` when there is none.
    /// A larger one is refused from its announced size, before its bytes are read.
    fn get(
        &self,
        bucket: &str,
        key: &str,
        max_bytes: u64,
    ) -> impl Future<Output = Result<Option<Object>, StoreError>> + Send;

    /// The same, without waiting for the bytes where the store can hand them on as
    /// they come.
    fn open(
        &self,
        bucket: &str,
        key: &str,
        max_bytes: u64,
    ) -> impl Future<Output = Result<Option<Opened>, StoreError>> + Send {
        let got = self.get(bucket, key, max_bytes);
        async move { Ok(got.await?.map(Opened::There)) }
    }

    /// Reads an object's state; `None` when there is none.
    fn head(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Option<Head>, StoreError>> + Send;

    /// Stores an object, replacing what was there in one step.
    fn put(&self, bucket: &str, key: &str, put: Put) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes an object. Deleting none is not an error.
    fn delete(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lists the keys that start with `prefix`, one page from `from` (a
    /// [`Page::next`]) or from the start.
    fn list(
        &self,
        bucket: &str,
        prefix: &str,
        from: Option<&str>,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;
}

impl<S: Store> Store for std::sync::Arc<S> {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        (**self).get(bucket, key, max_bytes).await
    }

    async fn open(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Opened>, StoreError> {
        (**self).open(bucket, key, max_bytes).await
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        (**self).head(bucket, key).await
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        (**self).put(bucket, key, put).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        (**self).delete(bucket, key).await
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        (**self).list(bucket, prefix, from).await
    }
}

/// An operation of a [`Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Store::get`]
    Get,
    /// [`Store::head`]
    Head,
    /// [`Store::put`]
    Put,
    /// [`Store::delete`]
    Delete,
    /// [`Store::list`]
    List,
}

impl Operation {
    /// The operation as a verb, for messages.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Get => "read",
            Self::Head => "look up",
            Self::Put => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }

    /// The permission it takes, in the words of S3's policies (Service
    /// Authorization Reference, "Actions defined by Amazon S3").
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Get | Self::Head => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::List => "s3:ListBucket",
        }
    }
}

/// Why a store said no, by who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nobody: the store asks for fewer requests.
    Throttled,
    /// Nobody: the store is away or has failed for a moment.
    Unavailable,
    /// Nobody: no answer in time. The operation may have happened.
    TimedOut,
    /// Whoever grants permissions.
    Denied,
    /// Whoever hands out credentials: they are wrong, expired, or the clock is.
    Credentials,
    /// Whoever configured the bucket's name.
    NoSuchBucket,
    /// Whoever configured the region or the endpoint.
    WrongRegion,
    /// Whoever archived the object: its bytes cannot be read until it is restored.
    Archived,
    /// Unknown: `detail` says what the store said.
    Other,
}

impl Cause {
    const fn words(self) -> &'static str {
        match self {
            Self::Throttled => "the store asks for fewer requests",
            Self::Unavailable => "the store is unavailable",
            Self::TimedOut => "the store did not answer in time",
            Self::Denied => "access denied",
            Self::Credentials => "the credentials were not accepted",
            Self::NoSuchBucket => "there is no such bucket",
            Self::WrongRegion => "the bucket is in another region",
            Self::Archived => "the object is archived",
            Self::Other => "the store refused",
        }
    }
}

/// A failed operation: what was tried, on which object, why it failed, and
/// what to do about it. Its text names no credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct StoreError {
    /// What was tried.
    pub operation: Operation,
    /// The bucket.
    pub bucket: String,
    /// The key, or the prefix of a listing.
    pub key: String,
    /// Why it failed.
    pub cause: Cause,
    /// What the store said, in its own words; may be empty.
    pub detail: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, bucket, key, cause, detail } = self;
        write!(f, "could not {} s3://{bucket}/{key}: {}", operation.verb(), cause.words())?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        match (cause, operation) {
            (Cause::Denied, Operation::Get | Operation::Head) => write!(
                f,
                "; allow s3:GetObject on arn:aws:s3:::{bucket}/{key}, and s3:ListBucket on arn:aws:s3:::{bucket}, \
                 without which a key that does not exist is answered with 403 as well"
            ),
            (Cause::Denied, Operation::List) => {
                write!(f, "; allow s3:ListBucket on arn:aws:s3:::{bucket}")
            }
            (Cause::Denied, _) => {
                write!(f, "; allow {} on arn:aws:s3:::{bucket}/{key}", operation.permission())
            }
            (Cause::Credentials, _) => {
                f.write_str("; check the access key, the session token's age and the machine's clock")
            }
            (Cause::NoSuchBucket, _) => {
                write!(f, "; create the bucket {bucket} or correct its name in the recipe")
            }
            (Cause::WrongRegion, _) => f.write_str("; run the function in the bucket's region"),
            (Cause::Archived, _) => {
                f.write_str("; restore it, or upload it in a storage class that can be read")
            }
            (Cause::Throttled | Cause::Unavailable | Cause::TimedOut | Cause::Other, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_read_names_both_permissions_that_can_be_missing() {
        let error = StoreError {
            operation: Operation::Get,
            bucket: "photos".to_owned(),
            key: "a/b.jpg".to_owned(),
            cause: Cause::Denied,
            detail: String::new(),
        };
        let text = error.to_string();
        assert!(text.starts_with("could not read s3://photos/a/b.jpg: access denied; "), "{text}");
        assert!(text.contains("s3:GetObject on arn:aws:s3:::photos/a/b.jpg"), "{text}");
        assert!(text.contains("s3:ListBucket on arn:aws:s3:::photos"), "{text}");
    }

    #[test]
    fn every_other_denial_names_the_permission_of_its_operation() {
        for (operation, permission) in [
            (Operation::Put, "s3:PutObject on arn:aws:s3:::b/k"),
            (Operation::Delete, "s3:DeleteObject on arn:aws:s3:::b/k"),
            (Operation::List, "s3:ListBucket on arn:aws:s3:::b"),
        ] {
            let error = StoreError {
                operation,
                bucket: "b".to_owned(),
                key: "k".to_owned(),
                cause: Cause::Denied,
                detail: "said so".to_owned(),
            };
            assert!(error.to_string().ends_with(permission), "{error}");
        }
    }
}
