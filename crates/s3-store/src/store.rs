//! The [`Store`] over S3's HTTP API. Owns the client's settings and the
//! translation of S3's error codes into causes; decides nothing.

use crate::access::{Endpoint, S3Access};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::{StreamExt, stream};
use minilab_handler::Store;
use minilab_handler::store::{Body, Cause, Head, Metadata, Object, Opened, Operation, Page, Put, StoreError};
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// A [`Store`] over S3, or over anything that speaks its protocol.
///
/// The client is built with the first request: building it reads the machine's
/// root certificates, which a plain-HTTP endpoint never needs and a cold start
/// does not wait for.
#[derive(Debug)]
pub struct S3Store {
    access: Access,
    client: OnceLock<Client>,
}

#[derive(Debug)]
enum Access {
    /// One set of credentials for as long as the process lives: a function's.
    Fixed(S3Access),
    /// Credentials that are asked for again when they have expired.
    Renewing { credentials: SharedCredentialsProvider, region: String, endpoint: Option<Endpoint> },
}

/// An object as a listing shows it, without its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Entity tag, without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// One page of [`S3Store::list_objects`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// In the order of their keys' UTF-8 bytes.
    pub objects: Vec<Listed>,
    /// Where the next page starts; `None` on the last. Opaque.
    pub next: Option<String>,
}

const CONNECT: Duration = Duration::from_secs(3);
/// From a request's first byte to the answer's first. A write's grows with its size.
const READ: Duration = Duration::from_secs(15);
/// A whole operation but for the body of a read.
const ATTEMPT: Duration = Duration::from_mins(1);
/// The slowest line that one of several uploads may have a share of, in bytes a second.
const SLOWEST: u64 = 64 << 10;

impl S3Store {
    /// A store that is not connected yet.
    pub const fn new(access: S3Access) -> Self {
        Self { access: Access::Fixed(access), client: OnceLock::new() }
    }

    /// A store that asks `credentials` whenever they have expired, for programs
    /// that outlive them. Without an `endpoint`, AWS's own.
    pub const fn renewing(
        credentials: SharedCredentialsProvider,
        region: String,
        endpoint: Option<Endpoint>,
    ) -> Self {
        Self { access: Access::Renewing { credentials, region, endpoint }, client: OnceLock::new() }
    }

    /// Lists the objects whose keys start with `prefix`: one page of at most a
    /// thousand, from `from` (a [`Listing::next`]), else behind the key `after`,
    /// else from the start.
    pub async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        from: Option<&str>,
        after: Option<&str>,
    ) -> Result<Listing, StoreError> {
        let output = self
            .client()
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .set_start_after(after.filter(|_| from.is_none()).map(str::to_owned))
            .set_continuation_token(from.map(str::to_owned))
            .send()
            .await
            .map_err(|error| At { operation: Operation::List, bucket, key: prefix }.error(&error))?;
        let next = output.next_continuation_token.filter(|_| output.is_truncated == Some(true));
        let listed = |object: aws_sdk_s3::types::Object| {
            Some(Listed {
                key: object.key?,
                etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
                size: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                modified: object
                    .last_modified
                    .and_then(|time| SystemTime::try_from(time).ok())
                    .unwrap_or(SystemTime::UNIX_EPOCH),
            })
        };
        Ok(Listing { objects: output.contents.into_iter().flatten().filter_map(listed).collect(), next })
    }

    /// Whether there is no object where HEAD said so. That answer has no body, so that
    /// a proxy without a route gives the same; GET's names the reason.
    async fn confirmed_absence(&self, at: &At<'_>) -> Result<(), StoreError> {
        match self.client().get_object().bucket(at.bucket).key(at.key).send().await {
            Err(error) => at.absent_or::<(), _>(&error).map(|_| ()),
            // Its body is dropped, unread.
            Ok(_) => Err(at.fail(Cause::Unavailable, "HEAD says that there is no such object, GET shows it")),
        }
    }

    /// Builds the client now, so that the first request does not wait for it.
    pub fn warm(&self) {
        self.client();
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| build(&self.access))
    }
}

fn build(access: &Access) -> Client {
    let config = match access {
        Access::Fixed(S3Access { credentials, region, endpoint }) => {
            let fixed = aws_credential_types::Credentials::new(
                credentials.access_key_id.clone(),
                credentials.secret_access_key.clone(),
                credentials.session_token.clone(),
                None,
                "environment",
            );
            config(SharedCredentialsProvider::new(fixed), region, endpoint.as_ref())
                .identity_cache(IdentityCache::no_cache())
        }
        Access::Renewing { credentials, region, endpoint } => {
            config(credentials.clone(), region, endpoint.as_ref())
        }
    };
    Client::from_conf(config.build())
}

/// An HTTPS client that trusts the machine's root certificates, for whoever
/// looks for credentials.
pub fn https_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn config(
    credentials: SharedCredentialsProvider,
    region: &str,
    endpoint: Option<&Endpoint>,
) -> aws_sdk_s3::config::Builder {
    let plain = endpoint.is_some_and(Endpoint::is_plain_http);
    let mut http =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    if plain && let Ok(context) = TlsContext::builder().with_trust_store(TrustStore::empty()).build() {
        http = http.tls_context(context);
    }
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.build_https())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        // The handler's backoff is the only one: it knows the deadline.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(Duration::ZERO))
        // A print's SHA-256 is part of its request's signature and verified by
        // the store; a source's length is compared and TLS authenticates its
        // bytes. A second checksum of each would guard against nothing more.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint.as_str()).force_path_style(true);
    }
    config
}

/// For requests whose bodies take `more` to be sent.
fn timeouts(more: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ + more)
        .operation_attempt_timeout(ATTEMPT + more)
        .build()
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

impl Store for S3Store {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        match self.open(bucket, key, max_bytes).await? {
            None => Ok(None),
            Some(opened) => opened.whole().await.map(Some),
        }
    }

    async fn open(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Opened>, StoreError> {
        let at = At { operation: Operation::Get, bucket, key };
        let mut output = match self.client().get_object().bucket(bucket).key(key).send().await {
            Ok(output) => output,
            Err(error) => return at.absent_or(&error),
        };
        let head = at.head(output.e_tag.take(), output.content_length, output.metadata.take())?;
        Ok(Some(if head.size > max_bytes {
            // Dropping the body closes the connection: nothing more is read.
            Opened::There(Object::Oversize { head })
        } else {
            let body = body(output.body, head.size, (bucket.to_owned(), key.to_owned()));
            Opened::Coming { head, body }
        }))
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        let at = At { operation: Operation::Head, bucket, key };
        match self.client().head_object().bucket(bucket).key(key).send().await {
            Ok(output) => at.head(output.e_tag, output.content_length, output.metadata).map(Some),
            Err(error) if status(&error) == Some(404) => self.confirmed_absence(&at).await.map(|()| None),
            Err(error) => Err(at.error(&error)),
        }
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        let Put { bytes, content_type, cache_control, metadata } = put;
        let size = bytes.len() as u64;
        let request = self
            .client()
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(content_type)
            .set_cache_control((!cache_control.is_empty()).then_some(cache_control))
            .set_metadata(Some(metadata.into_iter().collect()))
            .body(ByteStream::from(bytes));
        let timeouts = timeouts(Duration::from_secs(size / SLOWEST));
        let patient = aws_sdk_s3::Config::builder().timeout_config(timeouts);
        match request.customize().config_override(patient).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(At { operation: Operation::Put, bucket, key }.error(&error)),
        }
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let at = At { operation: Operation::Delete, bucket, key };
        match self.client().delete_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(()),
            // S3 says 204 for an absent key; some other stores say NoSuchKey.
            Err(error) => at.absent_or::<(), _>(&error).map(|_| ()),
        }
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        let Listing { objects, next } = self.list_objects(bucket, prefix, from, None).await?;
        let keys = objects.into_iter().map(|object| object.key).collect();
        Ok(Page { keys, next })
    }
}

/// Exactly `size` bytes of the object at a bucket and key, or an error.
fn body(body: ByteStream, size: u64, at: (String, String)) -> Body {
    let chunks = stream::try_unfold((body, 0), move |(mut body, came)| {
        let (bucket, key) = at.clone();
        async move {
            let at = At { operation: Operation::Get, bucket: &bucket, key: &key };
            match body.next().await {
                Some(Ok(chunk)) => {
                    let came = came + chunk.len() as u64;
                    if came > size {
                        return Err(at.fail(Cause::Other, "the body is longer than its Content-Length"));
                    }
                    Ok(Some((chunk, (body, came))))
                }
                Some(Err(error)) => Err(at.fail(Cause::Unavailable, root(&error))),
                None if came < size => {
                    let detail = format!("the body ended after {came} of {size} bytes");
                    Err(at.fail(Cause::Unavailable, detail))
                }
                None => Ok(None),
            }
        }
    });
    chunks.boxed()
}

/// An operation on an object, for errors.
struct At<'a> {
    operation: Operation,
    bucket: &'a str,
    key: &'a str,
}

impl At<'_> {
    fn fail(&self, cause: Cause, detail: impl Into<String>) -> StoreError {
        StoreError {
            operation: self.operation,
            bucket: self.bucket.to_owned(),
            key: self.key.to_owned(),
            cause,
            detail: detail.into(),
        }
    }

    fn head(
        &self,
        etag: Option<String>,
        length: Option<i64>,
        metadata: Option<HashMap<String, String>>,
    ) -> Result<Head, StoreError> {
        let etag = etag.ok_or_else(|| self.fail(Cause::Other, "the answer has no ETag"))?;
        let size = length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| self.fail(Cause::Other, "the answer has no Content-Length"))?;
        let metadata: Metadata =
            metadata.into_iter().flatten().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Ok(Head { etag: etag.trim_matches('"').to_owned(), size, metadata })
    }

    /// `None` where the store says that there is no such object: in words, for a 404
    /// alone may be a gateway's.
    fn absent_or<T, E>(&self, error: &SdkError<E, HttpResponse>) -> Result<Option<T>, StoreError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let SdkError::ServiceError(service) = error
            && service.raw().status().as_u16() == 404
            && service.err().code() == Some("NoSuchKey")
        {
            return Ok(None);
        }
        Err(self.error(error))
    }

    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::TimeoutError(_) => self.fail(Cause::TimedOut, ""),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => self.fail(Cause::TimedOut, ""),
            SdkError::DispatchFailure(failure) => {
                let error = failure.as_connector_error();
                let detail = error.map(|error| root(error)).unwrap_or_default();
                // A connection that breaks may have carried the whole request.
                let sent = error.is_none_or(|error| !was_refused(error));
                self.fail(if sent { Cause::TimedOut } else { Cause::Unavailable }, detail)
            }
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().unwrap_or_default();
                let words = service.err().message().unwrap_or_default();
                let detail = match (code, words) {
                    ("", _) => format!("HTTP {status}"),
                    (code, "") => format!("{code}, HTTP {status}"),
                    (code, words) => format!("{code}: {words}"),
                };
                self.fail(cause(code, status), detail)
            }
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                self.fail(cause("", status), format!("unreadable answer, HTTP {status}"))
            }
            other => self.fail(Cause::Other, root(other)),
        }
    }
}

/// Whether no connection came about, so that nothing was sent.
fn was_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind;
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
            )
        })
    })
}

/// The innermost error: the one that says what happened.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What an S3 error code, or else an HTTP status, means ("Error responses" in
/// the Amazon S3 API Reference).
fn cause(code: &str, status: u16) -> Cause {
    match code {
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "BandwidthLimitExceeded" => Cause::Throttled,
        "InternalError"
        | "ServiceUnavailable"
        | "ServerBusy"
        | "OperationAborted"
        | "ConditionalRequestConflict" => Cause::Unavailable,
        "RequestTimeout" => Cause::TimedOut,
        "ExpiredToken"
        | "TokenRefreshRequired"
        | "InvalidToken"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "RequestExpired" => Cause::Credentials,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "KMS.AccessDeniedException" => {
            Cause::Denied
        }
        "NoSuchBucket" => Cause::NoSuchBucket,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => Cause::WrongRegion,
        "InvalidObjectState" => Cause::Archived,
        _ => match status {
            429 => Cause::Throttled,
            // What a gateway had passed on may still be done.
            408 | 502 | 504 => Cause::TimedOut,
            401 | 403 => Cause::Denied,
            301 | 307 => Cause::WrongRegion,
            // A 404 that names no reason is a gateway's.
            404 | 500 | 503 => Cause::Unavailable,
            _ => Cause::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_outranks_its_status() {
        for (code, status, expected) in [
            ("SlowDown", 503, Cause::Throttled),
            ("ServiceUnavailable", 503, Cause::Unavailable),
            ("", 503, Cause::Unavailable),
            ("", 500, Cause::Unavailable),
            ("", 502, Cause::TimedOut),
            ("", 504, Cause::TimedOut),
            ("", 404, Cause::Unavailable),
            ("", 501, Cause::Other),
            ("NotImplemented", 501, Cause::Other),
            ("RequestTimeout", 400, Cause::TimedOut),
            ("ExpiredToken", 400, Cause::Credentials),
            ("RequestTimeTooSkewed", 403, Cause::Credentials),
            ("SignatureDoesNotMatch", 403, Cause::Credentials),
            ("AccessDenied", 403, Cause::Denied),
            ("", 403, Cause::Denied),
            ("InvalidObjectState", 403, Cause::Archived),
            ("NoSuchBucket", 404, Cause::NoSuchBucket),
            ("PermanentRedirect", 301, Cause::WrongRegion),
            ("", 301, Cause::WrongRegion),
            ("", 429, Cause::Throttled),
            ("InvalidRequest", 400, Cause::Other),
        ] {
            assert_eq!(cause(code, status), expected, "{code} {status}");
        }
    }
}
