//! Headers that S3 ignores when it cannot understand them.
//!
//! Owns: dropping such headers after the signature over them was verified.
//! Refuses: deciding: the request goes on to a service whose gate decides it
//! like any other. `s3s` answers 400 to a malformed `Range` before our code is
//! asked, and the header cannot be dropped earlier: it may be signed.

use super::signing;
use http::header::{IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, RANGE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use s3s::auth::Credentials;
use s3s::dto::{Range, Timestamp, TimestampFormat};
use s3s::route::S3Route;
use s3s::service::S3Service;
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

/// Who signed a request that is handed on without its signature. Only this module makes one, so a client cannot.
#[derive(Clone)]
pub(super) struct Verified(Credentials);

impl Verified {
    /// The signer.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.0
    }
}

/// Hands requests with ignorable headers to a service that trusts [`Verified`].
pub(super) struct Tolerance {
    pub(super) inner: S3Service,
}

/// The headers that cannot be understood, of those that S3 then ignores.
fn ignorable(method: &Method, headers: &HeaderMap) -> Vec<HeaderName> {
    if method != Method::GET && method != Method::HEAD {
        return Vec::new();
    }
    let unreadable = |name: &HeaderName, reads: &dyn Fn(&str) -> bool| {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek().is_some() && !values.all(|value: &HeaderValue| value.to_str().is_ok_and(reads))
    };
    // `s3s` reads a suffix without a number as one of no bytes.
    let range = |text: &str| text != "bytes=-" && Range::parse(text).is_ok();
    let date = |text: &str| Timestamp::parse(TimestampFormat::HttpDate, text).is_ok();
    [(RANGE, &range as &dyn Fn(&str) -> bool), (IF_MODIFIED_SINCE, &date), (IF_UNMODIFIED_SINCE, &date)]
        .into_iter()
        .filter(|(name, reads)| unreadable(name, *reads))
        .map(|(name, _)| name)
        .collect()
}

/// The query without what authenticated it; the session's token stays for the gate.
fn without_signature(uri: &Uri) -> Option<Uri> {
    const VERSION_2: [&str; 3] = ["Signature", "AWSAccessKeyId", "Expires"];
    let query = uri.query()?;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            !signing::PARAMETERS.contains(&decoded.as_ref()) && !VERSION_2.contains(&decoded.as_ref())
        })
        .collect();
    format!("{}?{}", uri.path(), kept.join("&")).parse().ok()
}

#[async_trait::async_trait]
impl S3Route for Tolerance {
    fn is_match(&self, method: &Method, _uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        !ignorable(method, headers).is_empty()
    }

    /// What only the request as it came can show; all else is decided by the inner service's gate.
    async fn check_access(&self, req: &mut S3Request<Body>) -> S3Result<()> {
        let query = req.uri.query().unwrap_or_default().to_owned();
        signing::check(&req.headers, &|name| signing::parameter(&query, name))
    }

    async fn call(&self, req: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let mut headers = req.headers;
        for name in ignorable(&req.method, &headers) {
            headers.remove(name);
        }
        headers.remove(http::header::AUTHORIZATION);
        let mut request = http::Request::new(req.input);
        *request.method_mut() = req.method;
        *request.uri_mut() = without_signature(&req.uri).unwrap_or(req.uri);
        *request.headers_mut() = headers;
        *request.extensions_mut() = req.extensions;
        if let Some(credentials) = req.credentials {
            request.extensions_mut().insert(Verified(credentials));
        }
        let response = self
            .inner
            .call(request)
            .await
            .map_err(|error| s3_error!(InternalError, "the request could not be served: {error:?}"))?;
        let (parts, body) = response.into_parts();
        let mut answer = S3Response::new(body);
        answer.status = Some(parts.status);
        answer.headers = parts.headers;
        answer.extensions = parts.extensions;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_read_is_ignored() {
        let cases = [
            ("range", "bytes=0-4", false),
            ("range", "bytes=-4", false),
            ("range", "bytes=4-2", true),
            ("range", "bytes=0-1,3-4", true),
            ("range", "lines=0-4", true),
            ("range", "bytes=-", true),
            ("range", "", true),
            ("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT", false),
            ("if-modified-since", "yesterday", true),
            ("if-unmodified-since", "0", true),
            ("if-match", "nonsense", false),
        ];
        for (name, value, ignored) in cases {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(!ignorable(&Method::GET, &headers).is_empty(), ignored, "{name}: {value}");
            assert!(ignorable(&Method::PUT, &headers).is_empty());
        }
    }

    #[test]
    fn the_signature_leaves_the_query_and_nothing_else_does() {
        let uri = "/b/k%20x?versionId=v&X-Amz-Signature=0&X%2DAmz-Date=d&X-Amz-Security-Token=t&Expires=1";
        assert_eq!(
            without_signature(&uri.parse().unwrap()).unwrap().to_string(),
            "/b/k%20x?versionId=v&X-Amz-Security-Token=t"
        );
    }
}
