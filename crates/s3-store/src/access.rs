//! How to reach an S3: credentials, region and server. Owns what is a valid
//! endpoint; refuses to look for any of the three.

use std::fmt;

/// How to reach an S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Access {
    /// Who asks.
    pub credentials: Credentials,
    /// The bucket's region.
    pub region: String,
    /// Another server than AWS's own; addressed in path style.
    pub endpoint: Option<Endpoint>,
}

/// An access key. Its secrets never show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary credentials, as every Lambda role's are.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The URL of an S3 server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Takes `http://…` and `https://…`; the error says what is wrong.
    pub fn parse(url: &str) -> Result<Self, String> {
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(Self(url.to_owned())),
            _ => Err(format!("{url:?} is not an endpoint; write it as http://host:port or https://host")),
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether requests go unencrypted, so that no root certificate is needed.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_of_a_host() {
        for (url, plain) in [("http://127.0.0.1:9000", true), ("https://s3.example.com", false)] {
            assert_eq!(Endpoint::parse(url).map(|endpoint| endpoint.is_plain_http()), Ok(plain), "{url}");
        }
        for url in ["localhost:9000", "http://", "https:///path", ""] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
