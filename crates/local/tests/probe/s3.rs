//! Signed S3 requests over a plain socket, written from the documentation
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>)
//! so that the tests share no code with what they test.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

pub(crate) struct Signer {
    /// `http://127.0.0.1:9000`
    pub(crate) endpoint: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Signer {
    /// The status and the body; `path` is already percent-encoded.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.try_send(method, path, body).expect("the server answers")
    }

    /// The same; `None` when the server goes away before its whole answer.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        self.try_exchange(method, path, &[], body).map(|(status, _, body)| (status, body))
    }

    /// The same with further headers, and with those of the answer in lower
    /// case. `path` may have a query, its parameters in order, each with `=`.
    pub(crate) fn try_exchange(
        &self,
        method: &str,
        path: &str,
        extra: &[(&str, String)],
        body: &[u8],
    ) -> Option<(u16, String, Vec<u8>)> {
        let (resource, query) = path.split_once('?').unwrap_or((path, ""));
        let host = self.endpoint.strip_prefix("http://").expect("a plain http endpoint");
        let now = time::OffsetDateTime::now_utc();
        let date = format!("{:04}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let stamp = format!("{date}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        let mut headers = vec![
            ("host", host.to_owned()),
            ("x-amz-content-sha256", hex(&Sha256::digest(body))),
            ("x-amz-date", stamp.clone()),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.extend(extra.iter().cloned());
        headers.sort_unstable_by_key(|(name, _)| *name);
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines = headers.iter().fold(String::new(), |mut lines, (name, value)| {
            let _ = writeln!(lines, "{name}:{value}");
            lines
        });
        let payload = hex(&Sha256::digest(body));
        let canonical = format!("{method}\n{resource}\n{query}\n{lines}\n{names}\n{payload}");
        let scope = format!("{date}/us-east-1/s3/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
        let key = ["us-east-1", "s3", "aws4_request"]
            .iter()
            .fold(hmac(format!("AWS4{}", self.secret_access_key).as_bytes(), &date), |key, part| {
                hmac(&key, part)
            });
        let signature = hex(&hmac(&key, &to_sign));
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(
            head,
            "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.access_key_id,
            body.len()
        );
        exchange(host, &head, body)
    }
}

/// One request and its whole answer, headers in lower case; `None` when there
/// is none.
pub(crate) fn exchange(host: &str, head: &str, body: &[u8]) -> Option<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_off(end + 4);
    if head.contains("transfer-encoding: chunked") {
        return Some((status, head, unchunk(&body)?));
    }
    // Cut off in the middle: no answer.
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    if length.is_some_and(|length: usize| body.len() < length) {
        return None;
    }
    Some((status, head, body))
}

/// The bytes of the chunks; `None` when the last one is missing.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}
