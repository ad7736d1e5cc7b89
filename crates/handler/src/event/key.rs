//! Keys as the stores write them in their records. Owns which store encodes
//! and how; refuses a key that is no UTF-8, or none at all.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The key of a record from `source` (its `eventSource`).
///
/// AWS writes keys as forms do, and so do MinIO and RustFS, which encode the
/// slash too; LocalStack and moto write a space as `%20`. One decoding reads
/// all of them. Ceph alone sends the key as it is: decoded, `100%.jpg` could not
/// be read and `a+b.jpg` would be another key. A source that is not known
/// follows AWS.
pub(super) fn decode(source: &str, written: &str) -> Result<String, &'static str> {
    let key = if source == "ceph:s3" { Cow::Borrowed(written) } else { Cow::Owned(form(written)?) };
    if key.is_empty() { Err("it is empty") } else { Ok(key.into_owned()) }
}

/// `+` is a space, then percent-decoding.
fn form(encoded: &str) -> Result<String, &'static str> {
    let bytes = encoded.as_bytes();
    for (at, _) in encoded.match_indices('%') {
        let hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
        if !hex(at + 1) || !hex(at + 2) {
            return Err("a % is not followed by two hexadecimal digits");
        }
    }
    let spaced = encoded.replace('+', " ");
    let key = percent_decode_str(&spaced).decode_utf8().map_err(|_| "it is not UTF-8 after decoding")?;
    Ok(key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_decoded_as_forms_are() {
        for (encoded, key) in [
            ("plain.jpg", Ok("plain.jpg")),
            ("with+space.jpg", Ok("with space.jpg")),
            ("plus%2Bsign.jpg", Ok("plus+sign.jpg")),
            ("per%25cent.jpg", Ok("per%cent.jpg")),
            ("twice%2520.jpg", Ok("twice%20.jpg")),
            ("%C3%9Cber%2F%E6%97%A5.jpg", Ok("Über/日.jpg")),
            ("Über.jpg", Ok("Über.jpg")),
            ("a//b/../c", Ok("a//b/../c")),
            ("50%", Err("a % is not followed by two hexadecimal digits")),
            ("%4", Err("a % is not followed by two hexadecimal digits")),
            ("%zz", Err("a % is not followed by two hexadecimal digits")),
            ("%é", Err("a % is not followed by two hexadecimal digits")),
            ("%ff", Err("it is not UTF-8 after decoding")),
            ("", Err("it is empty")),
        ] {
            for source in ["aws:s3", ""] {
                assert_eq!(decode(source, encoded).as_deref(), key.as_ref().copied(), "{encoded}");
            }
        }
    }

    /// One key as each store writes it.
    #[test]
    fn every_store_writes_the_same_key_in_its_own_way() {
        const KEY: &str = "in/a b+c%20d & é=?~*.jpg";
        for (source, written) in [
            // Amazon S3, as `minilab up` and its conformance tests write it.
            ("aws:s3", "in/a+b%2Bc%2520d+%26+%C3%A9%3D%3F~*.jpg"),
            // Go's url.QueryEscape in MinIO's internal/event.
            ("minio:s3", "in%2Fa+b%2Bc%2520d+%26+%C3%A9%3D%3F~%2A.jpg"),
            // form_urlencoded in RustFS's crates/notify.
            ("rustfs:s3", "in%2Fa+b%2Bc%2520d+%26+%C3%A9%3D%3F%7E*.jpg"),
            // Python's urllib.parse.quote in LocalStack.
            ("aws:s3", "in/a%20b%2Bc%2520d%20%26%20%C3%A9%3D%3F~%2A.jpg"),
            // As it is: rgw_pubsub.cc in Ceph.
            ("ceph:s3", KEY),
        ] {
            assert_eq!(decode(source, written).as_deref(), Ok(KEY), "{source}: {written}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_as_s3_does_comes_back(key in ".{1,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%20", "+");
            prop_assert_eq!(decode("aws:s3", &encoded), Ok(key));
        }
    }

    #[test]
    fn ceph_keys_that_look_encoded_are_not() {
        for key in ["100%.jpg", "a+b.jpg", "twice%20.jpg", "%zz"] {
            assert_eq!(decode("ceph:s3", key).as_deref(), Ok(key));
        }
        assert_eq!(decode("ceph:s3", ""), Err("it is empty"));
    }
}
