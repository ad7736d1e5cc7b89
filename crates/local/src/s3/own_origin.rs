//! Browsers on the console's own page, which uploads to this endpoint.
//!
//! Owns: the answers to their preflights, and the headers that let the page
//! read an answer. Refuses: any other origin; those are the buckets' to allow.
//! Signatures are asked for all the same.

use std::collections::BTreeSet;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use s3s::Body;

/// The origin of a request, when it is one of `origins`.
pub(crate) fn own(origins: &BTreeSet<String>, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins.contains(origin.to_str().ok()?).then(|| origin.clone())
}

/// The answer to a preflight.
pub(crate) fn preflight(
    origin: &HeaderValue,
    method: &Method,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    allow(origin, answer);
    Some(response)
}

/// Lets the page read the answer.
pub(crate) fn allow(origin: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
    headers.append(VARY, HeaderValue::from_static("origin"));
}
