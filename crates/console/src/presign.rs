//! Presigned S3 requests: links that work without a key for a while.
//!
//! Owns: `SigV4` in the query. Refuses: headers other than `host`.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use minilab_local::hex;
use minilab_local::iam::Credentials;

/// Everything but RFC 3986's unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same within a path.
const PATH: &AsciiSet = &VALUE.remove(b'/');

/// The longest that a link may be good for.
pub(crate) const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Signs links with one key.
pub(crate) struct Presigner {
    /// `http://127.0.0.1:9000`
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) credentials: Credentials,
}

/// What a link is for.
pub(crate) struct Link<'a> {
    pub(crate) method: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) lifetime: Duration,
    /// Further query parameters, such as `response-content-disposition`.
    pub(crate) query: &'a [(&'a str, String)],
}

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Presigner {
    /// The link, good from `now` on.
    pub(crate) fn link(&self, link: &Link<'_>, now: OffsetDateTime) -> String {
        let path = format!("/{}/{}", link.bucket, utf8_percent_encode(link.key, PATH));
        self.signed(&path, link, now)
    }

    fn signed(&self, path: &str, link: &Link<'_>, now: OffsetDateTime) -> String {
        let stamp =
            now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap_or_default();
        let date = stamp.get(..8).unwrap_or_default();
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let mut query = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", self.credentials.access_key_id)),
            ("X-Amz-Date", stamp.clone()),
            ("X-Amz-Expires", link.lifetime.min(LONGEST).as_secs().to_string()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
        ];
        query.extend(link.query.iter().map(|(name, value)| (*name, value.clone())));
        query.sort();
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| {
                format!("{}={}", utf8_percent_encode(name, VALUE), utf8_percent_encode(value, VALUE))
            })
            .collect();
        let query = query.join("&");
        let canonical = format!("{}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", link.method);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let secret = format!("AWS4{}", self.credentials.secret_access_key);
        let key = [self.region.as_str(), "s3", "aws4_request"]
            .iter()
            .fold(hmac(secret.as_bytes(), date), |key, part| hmac(&key, part));
        format!("{}{path}?{query}&X-Amz-Signature={}", self.endpoint, hex(&hmac(&key, &to_sign)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_documented_example_signs_the_same() {
        let presigner = Presigner {
            endpoint: "https://examplebucket.s3.amazonaws.com".to_owned(),
            region: "us-east-1".to_owned(),
            credentials: Credentials {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            },
        };
        let lifetime = Duration::from_hours(24);
        let link = Link { method: "GET", bucket: "", key: "", lifetime, query: &[] };
        let url = presigner.signed("/test.txt", &link, datetime!(2013-05-24 00:00:00 UTC));
        assert_eq!(
            url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn keys_are_encoded_once_and_slashes_kept() {
        let credentials = Credentials::generate().unwrap();
        let presigner =
            Presigner { endpoint: "http://127.0.0.1:9".to_owned(), region: "r".to_owned(), credentials };
        let link = Link {
            method: "PUT",
            bucket: "b",
            key: "a b/ü+%.jpg",
            lifetime: Duration::from_secs(u64::MAX),
            query: &[("response-content-disposition", "a; b".to_owned())],
        };
        let url = presigner.link(&link, datetime!(2026-01-02 03:04:05 UTC));
        assert!(url.starts_with("http://127.0.0.1:9/b/a%20b/%C3%BC%2B%25.jpg?X-Amz-Algorithm="), "{url}");
        assert!(
            url.contains("X-Amz-Expires=604800&") && url.contains("&response-content-disposition=a%3B%20b&")
        );
    }
}
