//! Who may talk to the console: the browser that was given the link, under
//! this machine's own names, from the console's own page.
//!
//! Owns: the checks of `Host`, `Origin` and the token, and the headers of
//! every answer. Refuses: requests under a foreign name (a name that an
//! attacker points here), anything under `/api/` without the token, and
//! changes that a page elsewhere asks for: cookies do not know ports, so a
//! page of another program on this machine counts as the same site.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};

use crate::presign::hmac;
use minilab_local::hex;
use minilab_local::iam::Credentials;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The console's secret and where it listens.
pub(crate) struct Guard {
    token: String,
    port: u16,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 421
    ForeignHost,
    /// 401
    NoToken,
    /// 403
    ForeignOrigin,
}

impl Guard {
    /// The token follows from the root user's secret: nobody who does not know
    /// that can guess it, whoever has it could sign any request anyway, and an
    /// open page outlives a restart of the cloud.
    pub(crate) fn new(credentials: &Credentials, port: u16) -> Self {
        let mut token = hex(&hmac(credentials.secret_access_key.as_bytes(), "minilab console token"));
        token.truncate(40);
        Self { token, port }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn cookie_name(&self) -> String {
        format!("minilab-console-{}", self.port)
    }

    /// What makes the browser remember the token.
    pub(crate) fn cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.token)
    }

    pub(crate) fn is_token(&self, given: &str) -> bool {
        subtle::ConstantTimeEq::ct_eq(given.as_bytes(), self.token.as_bytes()).into()
    }

    /// Whether a request may be answered.
    pub(crate) fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if !text(HOST).is_some_and(|host| is_own_host(host, self.port)) {
            return Err(Refusal::ForeignHost);
        }
        if !path.starts_with("/api/") {
            return Ok(());
        }
        if let Some(bearer) = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")) {
            // No browser sends this by itself.
            return if self.is_token(bearer) { Ok(()) } else { Err(Refusal::NoToken) };
        }
        let name = self.cookie_name();
        let cookie = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(given, value)| given == name && self.is_token(value));
        if !cookie {
            return Err(Refusal::NoToken);
        }
        // Sent by browsers alone: a page of another port is `same-site`, and may leave `Origin` out of a GET.
        if text(FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(Refusal::ForeignOrigin);
        }
        let origin = text(ORIGIN);
        let own = origin.is_some_and(|origin| {
            origin.strip_prefix("http://").is_some_and(|host| is_own_host(host, self.port))
        });
        let safe = method == Method::GET || method == Method::HEAD;
        if own || (safe && origin.is_none()) { Ok(()) } else { Err(Refusal::ForeignOrigin) }
    }
}

/// Whether `host` names this machine and this port.
fn is_own_host(host: &str, port: u16) -> bool {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()),
        _ => (host, Some(80)),
    };
    given == Some(port) && (name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        for (host, own) in [
            ("localhost:9001", true),
            ("LOCALHOST:9001", true),
            ("127.0.0.1:9001", true),
            ("[::1]:9001", true),
            ("localhost", false),
            ("localhost:9002", false),
            ("evil.example:9001", false),
            ("localhost.evil.example:9001", false),
            ("127.0.0.1.evil.example:9001", false),
            ("", false),
            ("[::1]", false),
        ] {
            assert_eq!(is_own_host(host, 9001), own, "{host}");
        }
        assert!(is_own_host("[::1]", 80) && is_own_host("localhost", 80));
    }

    #[test]
    fn the_token_and_the_origin_are_asked_for() {
        let root = Credentials::generate().unwrap();
        let guard = Guard::new(&root, 9001);
        assert_eq!(guard.token(), Guard::new(&root, 9001).token(), "the same after a restart");
        assert_ne!(guard.token(), Guard::new(&Credentials::generate().unwrap(), 9001).token());
        assert!(!root.secret_access_key.contains(guard.token()));
        let own = format!("minilab-console-9001={}", guard.token());
        let bearer = format!("Bearer {}", guard.token());
        let check = |method: &Method, path: &str, headers: &[(HeaderName, &str)]| {
            let mut map = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost:9001"))]);
            for (name, value) in headers {
                map.append(name, value.parse().unwrap());
            }
            guard.check(method, path, &map)
        };
        let (get, post) = (&Method::GET, &Method::POST);
        let here = (ORIGIN, "http://localhost:9001");
        let neighbour = (ORIGIN, "http://localhost:3000");
        let cookie = (COOKIE, own.as_str());
        assert_eq!(check(get, "/", &[]), Ok(()));
        assert_eq!(check(get, "/api/state", &[]), Err(Refusal::NoToken));
        assert_eq!(check(get, "/api/state", &[(COOKIE, "minilab-console-9001=x")]), Err(Refusal::NoToken));
        assert_eq!(check(get, "/api/state", &[(COOKIE, "a=b; c=d"), cookie.clone()]), Ok(()));
        assert_eq!(
            check(get, "/api/state", &[cookie.clone(), neighbour.clone()]),
            Err(Refusal::ForeignOrigin)
        );
        assert_eq!(check(post, "/api/x", std::slice::from_ref(&cookie)), Err(Refusal::ForeignOrigin));
        assert_eq!(check(post, "/api/x", &[cookie.clone(), neighbour]), Err(Refusal::ForeignOrigin));
        assert_eq!(check(post, "/api/x", &[cookie.clone(), (ORIGIN, "null")]), Err(Refusal::ForeignOrigin));
        for (site, answer) in [
            ("same-origin", Ok(())),
            ("none", Ok(())),
            ("same-site", Err(Refusal::ForeignOrigin)),
            ("cross-site", Err(Refusal::ForeignOrigin)),
        ] {
            assert_eq!(check(get, "/api/state", &[cookie.clone(), (FETCH_SITE, site)]), answer, "{site}");
        }
        assert_eq!(check(post, "/api/x", &[cookie, here.clone()]), Ok(()));
        assert_eq!(check(post, "/api/x", &[here]), Err(Refusal::NoToken));
        assert_eq!(check(post, "/api/x", &[(AUTHORIZATION, &bearer)]), Ok(()));
        assert_eq!(check(post, "/api/x", &[(AUTHORIZATION, "Bearer x")]), Err(Refusal::NoToken));
    }
}
