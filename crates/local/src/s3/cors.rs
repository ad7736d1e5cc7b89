//! Browsers of other origins: a bucket's CORS rules, preflight requests, and
//! the headers that let a page read an answer.
//!
//! Owns: the rules' documented limits and which rule answers. Refuses:
//! permissions: a request that a rule lets through is decided like any other.
//! `s3s` knows no OPTIONS, so `server` asks here before it.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>

use super::service::Service;
use crate::storage::Setting;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// Rules that a bucket may have.
const MAX_RULES: usize = 100;
/// The methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CorsRule {
    id: Option<String>,
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    max_age: Option<i32>,
}

/// Why a preflight request is refused, in S3's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No `Origin`.
    NoOrigin,
    /// No `Access-Control-Request-Method`, or one that S3 does not know.
    NoMethod,
    /// The bucket has no rules, or is not there.
    Disabled,
    /// No rule matches.
    NoRule,
}

impl Refusal {
    /// Status, code and message.
    pub(crate) fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NoOrigin => (400, "BadRequest", "Insufficient information. Origin request header needed."),
            Self::NoMethod => (400, "BadRequest", "Invalid Access-Control-Request-Method: null"),
            Self::Disabled => (403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket."),
            Self::NoRule => (
                403,
                "AccessForbidden",
                "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            ),
        }
    }
}

/// Does `pattern`, with at most one `*`, cover `text`?
fn covers(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

impl CorsRule {
    fn matches(&self, origin: &str, method: &str, wanted: &[String]) -> bool {
        self.origins.iter().any(|pattern| covers(pattern, origin))
            && self.methods.iter().any(|allowed| allowed == method)
            && wanted.iter().all(|header| {
                self.headers.iter().any(|pattern| covers(&pattern.to_ascii_lowercase(), header))
            })
    }

    /// The headers of an answer to `origin` under this rule.
    fn headers(&self, origin: &str, wanted: &[String]) -> Vec<(HeaderName, String)> {
        // A rule for everyone says so and sends no credentials; others repeat the origin.
        let everyone = self.origins.iter().any(|pattern| pattern == "*");
        let mut headers = vec![
            (ACCESS_CONTROL_ALLOW_ORIGIN, if everyone { "*".to_owned() } else { origin.to_owned() }),
            (ACCESS_CONTROL_ALLOW_METHODS, self.methods.join(", ")),
            (VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()),
        ];
        if !everyone {
            headers.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned()));
        }
        if !wanted.is_empty() {
            headers.push((ACCESS_CONTROL_ALLOW_HEADERS, wanted.join(", ")));
        }
        if !self.exposed.is_empty() {
            headers.push((ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.join(", ")));
        }
        if let Some(seconds) = self.max_age {
            headers.push((ACCESS_CONTROL_MAX_AGE, seconds.to_string()));
        }
        headers
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

fn put(answer: &mut HeaderMap, pairs: Vec<(HeaderName, String)>) {
    for (name, value) in pairs {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.insert(name, value);
        }
    }
}

/// The answer to a preflight request; `rules` are the bucket's, none if it has none.
pub(crate) fn preflight(rules: &[CorsRule], asked: &HeaderMap) -> Result<HeaderMap, Refusal> {
    let origin = text(asked, &ORIGIN).ok_or(Refusal::NoOrigin)?;
    let method = text(asked, &ACCESS_CONTROL_REQUEST_METHOD)
        .filter(|method| METHODS.contains(method))
        .ok_or(Refusal::NoMethod)?;
    let wanted: Vec<String> = text(asked, &ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if rules.is_empty() {
        return Err(Refusal::Disabled);
    }
    let rule = rules.iter().find(|rule| rule.matches(origin, method, &wanted)).ok_or(Refusal::NoRule)?;
    let mut answer = HeaderMap::new();
    put(&mut answer, rule.headers(origin, &wanted));
    Ok(answer)
}

/// Adds to the answer of an actual request what the first matching rule allows.
pub(crate) fn decorate(rules: &[CorsRule], origin: &str, method: &str, answer: &mut HeaderMap) {
    if let Some(rule) = rules.iter().find(|rule| rule.matches(origin, method, &[])) {
        put(answer, rule.headers(origin, &[]));
    }
}

/// A rule from its document, with S3's refusals.
fn rule(given: d::CORSRule) -> S3Result<CorsRule> {
    let rule = CorsRule {
        id: given.id,
        origins: given.allowed_origins,
        methods: given.allowed_methods,
        headers: given.allowed_headers.unwrap_or_default(),
        exposed: given.expose_headers.unwrap_or_default(),
        max_age: given.max_age_seconds,
    };
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(s3_error!(MalformedXML, "A CORS rule needs an AllowedOrigin and an AllowedMethod"));
    }
    if rule.id.as_ref().is_some_and(|id| id.len() > 255) {
        return Err(s3_error!(InvalidArgument, "The ID of a CORS rule has at most 255 characters"));
    }
    if let Some(method) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(s3_error!(
            InvalidRequest,
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        ));
    }
    for (name, values) in [("AllowedOrigin", &rule.origins), ("AllowedHeader", &rule.headers)] {
        if let Some(value) = values.iter().find(|value| value.matches('*').count() > 1) {
            return Err(s3_error!(InvalidRequest, "{name} \"{value}\" can not have more than one wildcard."));
        }
    }
    if let Some(value) = rule.exposed.iter().find(|value| value.contains('*')) {
        return Err(s3_error!(
            InvalidRequest,
            "ExposeHeader \"{value}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        ));
    }
    let values = rule.origins.iter().chain(&rule.headers).chain(&rule.exposed);
    if let Some(value) = values.into_iter().find(|value| HeaderValue::from_str(value).is_err()) {
        return Err(s3_error!(InvalidRequest, "{value:?} cannot stand in a header"));
    }
    Ok(rule)
}

fn document(rule: CorsRule) -> d::CORSRule {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    d::CORSRule {
        allowed_headers: some(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: some(rule.exposed),
        id: rule.id,
        max_age_seconds: rule.max_age,
    }
}

impl Service {
    pub(super) async fn do_get_cors(
        &self,
        req: S3Request<d::GetBucketCorsInput>,
    ) -> S3Result<S3Response<d::GetBucketCorsOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let rules: Option<Vec<CorsRule>> =
            self.run(move |storage| storage.setting(&req.input.bucket, Setting::Cors)).await?;
        let Some(rules) = rules else {
            return Err(s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist"));
        };
        let cors_rules = Some(rules.into_iter().map(document).collect());
        Ok(S3Response::new(d::GetBucketCorsOutput { cors_rules }))
    }

    pub(super) async fn do_put_cors(
        &self,
        req: S3Request<d::PutBucketCorsInput>,
    ) -> S3Result<S3Response<d::PutBucketCorsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let given = input.cors_configuration.cors_rules;
        if given.is_empty() || given.len() > MAX_RULES {
            return Err(s3_error!(MalformedXML, "A CORS configuration has from 1 to {MAX_RULES} rules"));
        }
        let rules = given.into_iter().map(rule).collect::<S3Result<Vec<_>>>()?;
        self.run(move |storage| storage.set_setting(&input.bucket, Setting::Cors, Some(&rules))).await?;
        Ok(S3Response::new(d::PutBucketCorsOutput::default()))
    }

    pub(super) async fn do_delete_cors(
        &self,
        req: S3Request<d::DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<d::DeleteBucketCorsOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        self.run(move |storage| storage.set_setting::<()>(&req.input.bucket, Setting::Cors, None)).await?;
        Ok(S3Response::new(d::DeleteBucketCorsOutput::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        let own = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
        CorsRule {
            id: None,
            origins: own(origins),
            methods: own(methods),
            headers: own(headers),
            exposed: vec!["ETag".to_owned()],
            max_age: Some(60),
        }
    }

    fn asked(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_pattern_covers_what_its_one_wildcard_allows() {
        for (pattern, text, covered) in [
            ("*", "http://a", true),
            ("http://a", "http://a", true),
            ("http://a", "http://b", false),
            ("http://*.example", "http://www.example", true),
            ("http://*.example", "http://example", false),
            ("ab*ba", "aba", false),
            ("x-amz-*", "x-amz-date", true),
            ("https://*", "http://a", false),
        ] {
            assert_eq!(covers(pattern, text), covered, "{pattern} {text}");
        }
    }

    #[test]
    fn preflights_are_answered_by_the_first_rule_that_allows_all() {
        let rules = [
            a_rule(&["http://one.example"], &["PUT"], &["x-amz-*", "Content-Type"]),
            a_rule(&["*"], &["GET"], &[]),
        ];
        let outcome = |pairs: &[(&'static str, &'static str)]| match preflight(&rules, &asked(pairs)) {
            Ok(headers) => Ok(headers[ACCESS_CONTROL_ALLOW_ORIGIN].to_str().unwrap().to_owned()),
            Err(refusal) => Err(refusal),
        };
        let one = ("origin", "http://one.example");
        let put = ("access-control-request-method", "PUT");
        let get = ("access-control-request-method", "GET");
        assert_eq!(outcome(&[one, put]), Ok("http://one.example".to_owned()));
        let wants = ("access-control-request-headers", "X-Amz-Date, content-type");
        assert_eq!(outcome(&[one, put, wants]), Ok("http://one.example".to_owned()));
        assert_eq!(outcome(&[one, put, ("access-control-request-headers", "other")]), Err(Refusal::NoRule));
        assert_eq!(outcome(&[one, get]), Ok("*".to_owned()));
        assert_eq!(outcome(&[("origin", "http://two.example"), put]), Err(Refusal::NoRule));
        assert_eq!(outcome(&[put]), Err(Refusal::NoOrigin));
        assert_eq!(outcome(&[one]), Err(Refusal::NoMethod));
        assert_eq!(preflight(&[], &asked(&[one, put])).unwrap_err(), Refusal::Disabled);
    }
}
