//! What `s3s` leaves out when it verifies a signature.
//!
//! Owns: that every header that means something is signed, that there is one
//! mechanism, its version and its longest life. Refuses: computing signatures.
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use super::whole;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use s3s::{S3Result, s3_error};

/// Longest life of a presigned URL: a week, in seconds.
const MAX_EXPIRES: u64 = 604_800;

/// The query parameters of a presigned URL by version 4.
pub(super) const PARAMETERS: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// Checks a request whose signature, if it has one, was found to be right.
///
/// A request that a client signed cannot be given other meaning on its way by adding `x-amz-*` headers: those
/// must all be signed, and so must `host`.
pub(crate) fn check(headers: &HeaderMap, query: &dyn Fn(&str) -> Option<String>) -> S3Result<()> {
    let header = headers.get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let by_query =
        ["X-Amz-Signature", "X-Amz-Algorithm", "Signature"].iter().any(|name| query(name).is_some());
    match (header, by_query) {
        (Some(_), true) => Err(s3_error!(
            InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
        )),
        (Some(header), false) => check_header(&header, headers),
        (None, true) => check_query(headers, query),
        (None, false) => Ok(()),
    }
}

fn check_header(authorization: &str, headers: &HeaderMap) -> S3Result<()> {
    // Version 2 covers neither the body nor the time, so what it signed could be sent again for ever.
    let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256") else {
        return Err(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        ));
    };
    let signed =
        fields.split(',').find_map(|field| field.trim().strip_prefix("SignedHeaders=")).unwrap_or_default();
    check_signed(signed, headers, &[])
}

fn check_query(headers: &HeaderMap, query: &dyn Fn(&str) -> Option<String>) -> S3Result<()> {
    if query("Signature").is_some() {
        // Version 2 signs every x-amz-* header by itself.
        return Ok(());
    }
    if PARAMETERS.iter().any(|name| query(name).is_none()) {
        return Err(s3_error!(
            AuthorizationQueryParametersError,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        ));
    }
    let expires = query("X-Amz-Expires").and_then(|value| value.parse::<u64>().ok());
    if expires.is_none_or(|expires| expires > MAX_EXPIRES) {
        return Err(s3_error!(
            AuthorizationQueryParametersError,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        ));
    }
    // The body's hash only adds a check that the URL's maker did not ask for.
    check_signed(&query("X-Amz-SignedHeaders").unwrap_or_default(), headers, &["x-amz-content-sha256"])
}

fn check_signed(signed: &str, headers: &HeaderMap, exempt: &[&str]) -> S3Result<()> {
    let signed: Vec<&str> = signed.split(';').collect();
    let open = std::iter::once("host")
        .chain(headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")))
        .filter(|name| !whole::announces_nothing(name, headers))
        .find(|name| !exempt.contains(name) && !signed.iter().any(|given| given.eq_ignore_ascii_case(name)));
    match open {
        Some(name) => Err(s3_error!(
            AccessDenied,
            "There were headers present in the request which were not signed: {name}"
        )),
        None => Ok(()),
    }
}

/// The first value of a query parameter, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn outcome(headers: &[(&'static str, &'static str)], query: &[(&str, &str)]) -> String {
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let find = |name: &str| query.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        match check(&map, &find) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.code().as_str().to_owned(),
        }
    }

    #[test]
    fn what_means_something_must_be_signed() {
        let by = |signed: &'static str| ("authorization", signed);
        let host = by("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0");
        let date = by("AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host;x-amz-date,Signature=0");
        let none = by("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=x-amz-date, Signature=0");
        let at = ("x-amz-date", "20260101T000000Z");
        assert_eq!(outcome(&[], &[]), "ok");
        assert_eq!(outcome(&[host], &[]), "ok");
        assert_eq!(outcome(&[host, at], &[]), "AccessDenied");
        assert_eq!(outcome(&[date, at], &[]), "ok");
        assert_eq!(outcome(&[none, at], &[]), "AccessDenied");
        assert_eq!(outcome(&[date, at, ("x-amz-acl", "private")], &[]), "AccessDenied");
        assert_eq!(outcome(&[by("AWS AKIA:c2ln")], &[]), "InvalidRequest");
        assert_eq!(outcome(&[host], &[("X-Amz-Signature", "0")]), "InvalidArgument");
    }

    #[test]
    fn presigned_urls_are_complete_and_live_for_a_week_at_most() {
        let url = |expires: &'static str| {
            [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", "c"),
                ("X-Amz-Date", "d"),
                ("X-Amz-Expires", expires),
                ("X-Amz-SignedHeaders", "host"),
                ("X-Amz-Signature", "0"),
            ]
        };
        assert_eq!(outcome(&[], &url("604800")), "ok");
        for expires in ["604801", "-1", "", "soon"] {
            assert_eq!(outcome(&[], &url(expires)), "AuthorizationQueryParametersError", "{expires}");
        }
        assert_eq!(outcome(&[], &url("60")[..3]), "AuthorizationQueryParametersError");
        assert_eq!(outcome(&[("x-amz-meta-a", "b")], &url("60")), "AccessDenied");
        assert_eq!(outcome(&[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], &url("60")), "ok");
        assert_eq!(outcome(&[], &[("Signature", "s"), ("Expires", "1")]), "ok");
    }
}
