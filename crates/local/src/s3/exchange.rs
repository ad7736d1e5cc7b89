//! One request and its response: ids, the peer, and how errors go out.
//!
//! Owns: `x-amz-request-id`, what S3 adds to error bodies and `s3s` does not.
//! Refuses: deciding which error it is.

use crate::notify::Origin;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use s3s::{Body, HttpResponse};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// What is known of a request before it is parsed.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// `x-amz-request-id`: 16 characters.
    pub(crate) request_id: String,
    /// `x-amz-id-2`.
    pub(crate) host_id: String,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The region that this endpoint is in.
    pub(crate) region: Arc<str>,
    /// What the client calls itself.
    pub(crate) user_agent: Option<String>,
    /// Where it comes from, by its word.
    pub(crate) referer: Option<String>,
    /// What is asked for, as S3 names it, once that is known.
    operation: Arc<OnceLock<String>>,
}

/// Marks a response that S3 answers with 204 and `s3s` with 200.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoContent;

/// Where a form's object is, told unless the form redirects.
#[derive(Debug, Clone)]
pub(crate) struct Placed(pub(crate) String);

/// Marks a document whose `ETag` S3 writes without quotes and `s3s` with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BareEtag;

impl Default for Exchange {
    fn default() -> Self {
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self::new(nobody, "us-east-1".into(), &HeaderMap::new())
    }
}

impl Exchange {
    /// A new request from `peer` to an endpoint in `region`.
    pub(crate) fn new(peer: SocketAddr, region: Arc<str>, headers: &HeaderMap) -> Self {
        // A socket for both protocols gives an IPv4 client as ::ffff:a.b.c.d, which no policy's IPv4 range holds.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let id = Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        Self {
            request_id: id[..16].to_owned(),
            host_id: Uuid::new_v4().simple().to_string(),
            peer,
            region,
            user_agent: text(headers, &USER_AGENT),
            referer: text(headers, &REFERER),
            operation: Arc::default(),
        }
    }

    /// Says what is asked for.
    pub(crate) fn is(&self, operation: &str) {
        let _ = self.operation.set(operation.to_owned());
    }

    /// What is asked for; `Unknown` for what was refused before it was read.
    pub(crate) fn operation(&self) -> &str {
        self.operation.get().map_or("Unknown", String::as_str)
    }

    /// The request as events name it.
    pub(crate) fn origin(&self, principal_id: String) -> Origin {
        Origin {
            principal_id,
            source_ip: self.peer.ip().to_string(),
            request_id: self.request_id.clone(),
            host_id: self.host_id.clone(),
            cause: None,
        }
    }

    /// Adds the ids, completes an error's XML, and removes the body where HTTP has none.
    pub(crate) fn finish(&self, method: &Method, path: &str, response: HttpResponse) -> HttpResponse {
        let (mut parts, mut body) = response.into_parts();
        insert(&mut parts.headers, "x-amz-request-id", &self.request_id);
        insert(&mut parts.headers, "x-amz-id-2", &self.host_id);
        // `s3s` answers 206 to a GET of a range, and forgets it for HEAD.
        if parts.status == StatusCode::OK && parts.headers.contains_key(CONTENT_RANGE) {
            parts.status = StatusCode::PARTIAL_CONTENT;
        }
        if parts.status == StatusCode::OK && parts.extensions.get::<NoContent>().is_some() {
            parts.status = StatusCode::NO_CONTENT;
            parts.headers.remove(CONTENT_LENGTH);
        }
        if let Some(Placed(location)) = parts.extensions.get::<Placed>()
            && !parts.headers.contains_key(LOCATION)
        {
            insert(&mut parts.headers, "location", &location.clone());
        }
        if parts.extensions.get::<BareEtag>().is_some()
            && let Some(document) = body.bytes()
        {
            let text = String::from_utf8_lossy(&document);
            let mut bare = text.into_owned();
            for quote in ["&quot;", "\""] {
                bare = bare
                    .replace(&format!("<ETag>{quote}"), "<ETag>")
                    .replace(&format!("{quote}</ETag>"), "</ETag>");
            }
            parts.headers.remove(CONTENT_LENGTH);
            body = Body::from(Bytes::from(bare));
        }
        let failed = parts.status.is_client_error() || parts.status.is_server_error();
        if parts.status == StatusCode::NOT_MODIFIED || (failed && method == Method::HEAD) {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.remove(CONTENT_TYPE);
            body = Body::empty();
        } else if failed && let Some(bytes) = body.bytes() {
            let mut document = bytes;
            if let Some((status, better)) = restate(&document, &self.region) {
                parts.status = status;
                document = better;
            }
            let complete = complete_error(&document, path, self);
            if parts.headers.contains_key(CONTENT_LENGTH) {
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(complete.len()));
            }
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            body = Body::from(complete);
        }
        HttpResponse::from_parts(parts, body)
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// An error that is raised before the protocol layer is asked.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
        escape(code),
        escape(message)
    );
    let mut response = HttpResponse::new(Body::from(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

/// `s3s` calls a document that it could not read to its end an internal error, without a word. It is the
/// client's: the bytes are not those that were signed, or they broke off.
pub(crate) fn unread_document(response: &HttpResponse, hashed: bool) -> Option<HttpResponse> {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return None;
    }
    let document = response.body().bytes()?;
    let text = std::str::from_utf8(&document).ok()?;
    (text.contains("<Code>InternalError</Code>") && !text.contains("<Message>")).then(|| {
        if hashed {
            let words = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            refusal(400, "XAmzContentSHA256Mismatch", words)
        } else {
            refusal(400, "IncompleteBody", default_message("IncompleteBody"))
        }
    })
}

/// What S3 answers where `s3s` has another code: by the message that it gives. Its own status and code lead
/// clients to the wrong remedy.
fn restate(document: &Bytes, region: &str) -> Option<(StatusCode, Bytes)> {
    let text = std::str::from_utf8(document).ok()?;
    let (_, message) = text.split_once("<Message>")?;
    let error = |code: &str, message: &str, more: &str| {
        Bytes::from(format!("<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"))
    };
    if message.starts_with("invalid credential region") {
        // Clients that sign for a guessed region, such as s3cmd's "US", learn the right one from this error.
        let words =
            format!("The authorization header is malformed; the region is wrong; expecting '{region}'");
        let more = format!("<Region>{region}</Region>");
        return Some((StatusCode::BAD_REQUEST, error("AuthorizationHeaderMalformed", &words, &more)));
    }
    if message.starts_with("Policy condition ") || message.starts_with("Policy condition &") {
        let words = "Invalid according to Policy: Policy Condition failed";
        return Some((StatusCode::FORBIDDEN, error("AccessDenied", words, "")));
    }
    if message.starts_with("invalid header: authorization") {
        let words = "The authorization header that you provided is not valid.";
        return Some((StatusCode::BAD_REQUEST, error("AuthorizationHeaderMalformed", words, "")));
    }
    if message.starts_with("missing header: x-amz-date") {
        let words = "AWS authentication requires a valid Date or x-amz-date header";
        return Some((StatusCode::FORBIDDEN, error("AccessDenied", words, "")));
    }
    if message.starts_with("missing presigned url") {
        let words = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
        return Some((StatusCode::BAD_REQUEST, error("AuthorizationQueryParametersError", words, "")));
    }
    if message.starts_with("request time is too far") || message.starts_with("request date is later") {
        let words = "The difference between the request time and the current time is too large.";
        return Some((StatusCode::FORBIDDEN, error("RequestTimeTooSkewed", words, "")));
    }
    None
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// An error document with `Message`, `Resource`, `RequestId` and `HostId`.
fn complete_error(document: &Bytes, path: &str, exchange: &Exchange) -> Bytes {
    let Ok(text) = std::str::from_utf8(document) else { return document.clone() };
    let Some(head) = text.strip_suffix("</Error>") else { return document.clone() };
    let mut complete = head.to_owned();
    if !head.contains("<Message>") {
        let code = head
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"))
            .map_or("", |(code, _)| code);
        complete.push_str("<Message>");
        complete.push_str(default_message(code));
        complete.push_str("</Message>");
    }
    let fields = [
        ("Resource", path),
        ("RequestId", exchange.request_id.as_str()),
        ("HostId", exchange.host_id.as_str()),
    ];
    for (name, value) in fields {
        if !head.contains(&format!("<{name}>")) {
            // Writing to a String cannot fail.
            let _ = write!(complete, "<{name}>{}</{name}>", escape(value));
        }
    }
    complete.push_str("</Error>");
    Bytes::from(complete)
}

fn escape(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control())
        .map(|char| match char {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

/// Words for errors that the protocol layer raises by code alone.
fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long.",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema."
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        }
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        _ => "The request was refused; see the error code.",
    }
}

/// A stable id of a role, in the form that AWS gives them.
pub(crate) fn role_id(role: &str) -> String {
    let mut id: String = role
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|char| char.to_ascii_uppercase())
        .take(17)
        .collect();
    while id.len() < 17 {
        id.push('A');
    }
    format!("AROA{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_gain_what_s3_says_and_keep_what_they_said() {
        let exchange =
            Exchange { request_id: "ID".to_owned(), host_id: "HOST".to_owned(), ..Exchange::default() };
        let cases = [
            (
                "<Error><Code>AccessDenied</Code></Error>",
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/b/a&amp;&lt;</Resource><RequestId>ID</RequestId><HostId>HOST</HostId></Error>",
            ),
            (
                "<Error><Code>X</Code><Message>m</Message><RequestId>own</RequestId></Error>",
                "<Error><Code>X</Code><Message>m</Message><RequestId>own</RequestId><Resource>/b/a&amp;&lt;</Resource><HostId>HOST</HostId></Error>",
            ),
            ("not xml", "not xml"),
        ];
        for (document, expected) in cases {
            assert_eq!(
                complete_error(&Bytes::from_static(document.as_bytes()), "/b/a&<", &exchange),
                expected
            );
        }
    }

    #[test]
    fn errors_are_restated_as_s3_words_them() {
        let cases = [
            ("InvalidRequest", "invalid credential region: US", Some((400, "AuthorizationHeaderMalformed"))),
            (
                "InvalidPolicyDocument",
                "Policy condition 'eq' for field 'key' failed",
                Some((403, "AccessDenied")),
            ),
            ("InvalidRequest", "invalid header: authorization", Some((400, "AuthorizationHeaderMalformed"))),
            ("InvalidRequest", "missing header: x-amz-date", Some((403, "AccessDenied"))),
            ("NoSuchKey", "The specified key does not exist.", None),
        ];
        for (code, message, expected) in cases {
            let document = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            let restated = restate(&Bytes::from(document), "eu-north-1").map(|(status, document)| {
                let text = String::from_utf8(document.to_vec()).unwrap();
                let code = text.split_once("<Code>").unwrap().1.split_once("</Code>").unwrap().0.to_owned();
                (status.as_u16(), code)
            });
            assert_eq!(restated, expected.map(|(status, code)| (status, code.to_owned())), "{message}");
        }
    }

    #[test]
    fn a_client_by_ipv4_has_an_ipv4_address_on_a_socket_for_both() {
        for (peer, ip) in [
            ("[::ffff:192.0.2.7]:5", "192.0.2.7"),
            ("192.0.2.7:5", "192.0.2.7"),
            ("[2001:db8::7]:5", "2001:db8::7"),
        ] {
            let exchange = Exchange::new(peer.parse().unwrap(), "r".into(), &HeaderMap::new());
            assert_eq!(exchange.origin(String::new()).source_ip, ip);
            assert_eq!(exchange.peer.ip().to_string(), ip);
        }
    }

    #[test]
    fn a_failed_head_has_no_body() {
        let response = http::Response::builder()
            .status(404)
            .body(Body::from(Bytes::from_static(b"<Error></Error>")))
            .unwrap();
        let finished = Exchange::default().finish(&Method::HEAD, "/", response);
        assert_eq!(finished.body().bytes().unwrap_or_default().len(), 0);
        assert!(finished.headers().contains_key("x-amz-request-id"));
    }
}
