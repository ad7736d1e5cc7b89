//! A recipe, and its pictures, in a bucket: read once, before the first event.
//! Owns `s3://bucket/key`; refuses what is too large to be either.

use minilab_handler::Store as _;
use minilab_handler::store::Object;
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store};
use std::collections::BTreeMap;
use std::io;

/// Far above any recipe and any watermark.
const MOST_BYTES: u64 = 32 << 20;

/// Bucket and key of `s3://bucket/key`; `None` for the path of a file.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))
}

/// Reads an object with the function's own role; `None` when there is none.
pub(crate) fn read(
    variables: &BTreeMap<String, String>,
    bucket: &str,
    key: &str,
) -> io::Result<Option<Vec<u8>>> {
    if bucket.is_empty() || key.is_empty() {
        return Err(io::Error::other("write it as s3://bucket/key"));
    }
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let required = |name: &str| {
        value(name).cloned().ok_or_else(|| io::Error::other(format!("{name} is not set, and S3 asks for it")))
    };
    let endpoint = value("AWS_ENDPOINT_URL_S3").or_else(|| value("AWS_ENDPOINT_URL"));
    let access = S3Access {
        credentials: Credentials {
            access_key_id: required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: required("AWS_SECRET_ACCESS_KEY")?,
            session_token: value("AWS_SESSION_TOKEN").cloned(),
        },
        region: required("AWS_REGION").or_else(|_| required("AWS_DEFAULT_REGION"))?,
        endpoint: endpoint.map(|url| Endpoint::parse(url)).transpose().map_err(io::Error::other)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let found = runtime.block_on(async { S3Store::new(access).get(bucket, key, MOST_BYTES).await });
    match found.map_err(|error| io::Error::other(error.to_string()))? {
        None => Ok(None),
        Some(Object::Whole { bytes, .. }) => Ok(Some(bytes.to_vec())),
        Some(Object::Oversize { head }) => {
            Err(io::Error::other(format!("it has {} bytes, and at most {MOST_BYTES} are read", head.size)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_objects_are_split() {
        for (path, expected) in [
            ("s3://b/k", Some(("b", "k"))),
            ("s3://b/a/k.toml", Some(("b", "a/k.toml"))),
            ("s3://b", Some(("b", ""))),
            ("/var/task/minilab.toml", None),
            ("s3.toml", None),
        ] {
            assert_eq!(split(path), expected, "{path}");
        }
    }

    #[test]
    fn a_url_without_a_key_is_refused_before_anything_is_asked() {
        let error = read(&BTreeMap::new(), "b", "").unwrap_err().to_string();
        assert_eq!(error, "write it as s3://bucket/key");
        let error = read(&BTreeMap::new(), "b", "k").unwrap_err().to_string();
        assert!(error.starts_with("AWS_ACCESS_KEY_ID is not set"), "{error}");
    }
}
