//! A client of the S3 endpoint over a plain socket, signing by itself, so that
//! it shares no code with the server.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

pub(crate) mod endpoint;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// A key pair, with a token if it is a session's.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// An endpoint and who asks; `None` asks anonymously.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) keys: Option<Keys>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> String {
        let text = self.text();
        text.split_once(&format!("<{name}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
            .map(|(inner, _)| inner.to_owned())
            .unwrap_or_default()
    }

    /// Status and error code.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.status, self.element("Code"))
    }
}

/// Percent-encodes all but unreserved characters and, in paths, slashes.
pub(crate) fn encode(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            b'/' if keep_slash => encoded.push('/'),
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn query_text(query: &BTreeMap<String, String>) -> String {
    query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect::<Vec<_>>()
        .join("&")
}

impl Client {
    /// Sends a request to `/bucket/key` (not encoded), signed in its headers.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let path = encode(path, true);
        let query: BTreeMap<_, _> =
            query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut all: BTreeMap<String, String> =
            headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.insert("host".to_owned(), self.address.to_string());
        if let Some(keys) = &self.keys {
            let (stamp, date) = now();
            all.insert("x-amz-content-sha256".to_owned(), hex(&Sha256::digest(body)));
            all.insert("x-amz-date".to_owned(), stamp.clone());
            if let Some(token) = &keys.token {
                all.insert("x-amz-security-token".to_owned(), token.clone());
            }
            let hash = all["x-amz-content-sha256"].clone();
            let (names, signature) = sign(keys, (&stamp, &date), method, &path, &query, &all, &hash);
            all.insert(
                "authorization".to_owned(),
                format!(
                    "AWS4-HMAC-SHA256 Credential={}/{date}/us-east-1/s3/aws4_request, SignedHeaders={names}, Signature={signature}",
                    keys.id
                ),
            );
        }
        self.exchange(method, &path, &query_text(&query), &all, body)
    }

    /// The query of a presigned URL for `/bucket/key`, good for `seconds`.
    pub(crate) fn presign(&self, method: &str, path: &str, seconds: u32) -> Vec<(String, String)> {
        let keys = self.keys.as_ref().unwrap();
        let (stamp, date) = now();
        let mut query = BTreeMap::from([
            ("X-Amz-Algorithm".to_owned(), "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential".to_owned(), format!("{}/{date}/us-east-1/s3/aws4_request", keys.id)),
            ("X-Amz-Date".to_owned(), stamp.clone()),
            ("X-Amz-Expires".to_owned(), seconds.to_string()),
            ("X-Amz-SignedHeaders".to_owned(), "host".to_owned()),
        ]);
        if let Some(token) = &keys.token {
            query.insert("X-Amz-Security-Token".to_owned(), token.clone());
        }
        let headers = BTreeMap::from([("host".to_owned(), self.address.to_string())]);
        let path = encode(path, true);
        let (_, signature) = sign(keys, (&stamp, &date), method, &path, &query, &headers, "UNSIGNED-PAYLOAD");
        query.insert("X-Amz-Signature".to_owned(), signature);
        query.into_iter().collect()
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path}");
        if !query.is_empty() {
            write!(head, "?{query}").unwrap();
        }
        head.push_str(" HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A refused request may be answered before its body was taken.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        read_answer(&answer)
    }
}

fn now() -> (String, String) {
    let now = time::OffsetDateTime::now_utc();
    let date = format!("{:04}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
    (format!("{date}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second()), date)
}

fn sign(
    keys: &Keys,
    (stamp, date): (&str, &str),
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    headers: &BTreeMap<String, String>,
    payload: &str,
) -> (String, String) {
    let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
    let lines = headers.iter().fold(String::new(), |mut lines, (name, value)| {
        writeln!(lines, "{name}:{value}").unwrap();
        lines
    });
    let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{payload}", query_text(query));
    let scope = format!("{date}/us-east-1/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = ["us-east-1", "s3", "aws4_request"]
        .iter()
        .fold(hmac(format!("AWS4{}", keys.secret).as_bytes(), date), |key, part| hmac(&key, part));
    (names, hex(&hmac(&key, &to_sign)))
}

fn read_answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer");
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        body = unchunk(&body);
    }
    Answer { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
