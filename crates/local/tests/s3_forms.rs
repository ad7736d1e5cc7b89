//! Forms of strangers, and conditions of bucket policies: what a form needs,
//! how much of forms is held, which condition keys count.

#[expect(dead_code, reason = "`s3_endpoint` uses all of it")]
mod s3_client;

use s3_client::endpoint::Endpoint;
use s3_client::{Answer, Client};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

fn set_policy(endpoint: &Endpoint, statement: &serde_json::Value) -> Answer {
    let document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    endpoint.root().send("PUT", "/photos", &[("policy", "")], &[], document.as_bytes())
}

fn post(endpoint: &Endpoint, fields: &[(&str, &str)]) -> Answer {
    let stranger = Client { address: endpoint.address, keys: None };
    stranger.send("POST", "/photos", &[], &[("content-type", KIND)], &form(fields))
}

const KIND: &str = "multipart/form-data; boundary=b";

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut form = String::new();
    for (name, value) in fields {
        write!(form, "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
    }
    form.push_str("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n");
    form.into_bytes()
}

#[test]
fn a_form_with_tags_or_an_acl_needs_the_permission_for_them() {
    let endpoint = Endpoint::start();
    let open = endpoint.root().send("DELETE", "/photos", &[("publicAccessBlock", "")], &[], b"");
    assert_eq!(open.status, 204, "{}", open.text());
    let allow = |actions: &[&str], path: &str| {
        let set = set_policy(
            &endpoint,
            &json!({ "Effect": "Allow", "Principal": "*", "Action": actions,
            "Resource": format!("arn:aws:s3:::photos/{path}") }),
        );
        assert_eq!(set.status, 204, "{}", set.text());
    };
    let tagged = [("key", "in/k"), ("x-amz-tagging", "team=a")];
    allow(&["s3:PutObject"], "in/*");
    assert_eq!(post(&endpoint, &[("key", "in/k")]).status, 204);
    assert_eq!(post(&endpoint, &[("key", "out/k")]).outcome(), (403, "AccessDenied".to_owned()));
    assert_eq!(post(&endpoint, &tagged).outcome(), (403, "AccessDenied".to_owned()));
    let acl = post(&endpoint, &[("key", "in/k"), ("x-amz-acl", "private")]);
    assert_eq!(acl.outcome(), (403, "AccessDenied".to_owned()));
    allow(&["s3:PutObject", "s3:PutObjectTagging"], "in/*");
    let answer = post(&endpoint, &tagged);
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[test]
fn a_deny_by_a_key_that_requests_have_denies_and_by_another_is_refused() {
    type Case<'a> = (&'a str, (&'a str, &'a [(&'a str, &'a str)]), &'a [(&'a str, &'a str)]);
    let endpoint = Endpoint::start();
    let root = endpoint.root();
    root.send("PUT", "/photos/source", &[], &[], b"hello");
    let tags = "<Tagging><TagSet><Tag><Key>team</Key><Value>a</Value></Tag></TagSet></Tagging>";
    let put = ("PUT", &[][..]);
    let tagging: (&str, &[(&str, &str)]) = ("PUT", &[("tagging", "")]);
    let cases: &[Case<'_>] = &[
        ("aws:CurrentTime", put, &[]),
        ("aws:EpochTime", put, &[]),
        ("aws:PrincipalAccount", put, &[]),
        ("aws:PrincipalArn", put, &[]),
        ("aws:PrincipalIsAWSService", put, &[]),
        ("aws:PrincipalType", put, &[]),
        ("aws:Referer", put, &[("referer", "http://example.test/")]),
        ("aws:RequestedRegion", put, &[]),
        ("aws:ResourceAccount", put, &[]),
        ("aws:SecureTransport", put, &[]),
        ("aws:SourceIp", put, &[]),
        ("aws:UserAgent", put, &[("user-agent", "a client")]),
        ("aws:ViaAWSService", put, &[]),
        ("aws:userid", put, &[]),
        ("s3:ObjectCreationOperation", put, &[]),
        ("s3:ResourceAccount", put, &[]),
        ("s3:if-match", put, &[("if-match", "*")]),
        ("s3:if-none-match", put, &[("if-none-match", "*")]),
        ("s3:x-amz-acl", put, &[("x-amz-acl", "private")]),
        ("s3:x-amz-content-sha256", put, &[]),
        ("s3:x-amz-copy-source", put, &[("x-amz-copy-source", "photos/source")]),
        ("s3:x-amz-server-side-encryption", put, &[("x-amz-server-side-encryption", "AES256")]),
        ("s3:x-amz-storage-class", put, &[("x-amz-storage-class", "STANDARD")]),
        ("s3:RequestObjectTag/team", put, &[("x-amz-tagging", "team=a")]),
        ("s3:RequestObjectTagKeys", put, &[("x-amz-tagging", "team=a")]),
        ("s3:RequestObjectTag/team", tagging, &[]),
        ("s3:VersionId", ("GET", &[("versionId", "null")]), &[]),
    ];
    let deny = |key: &str| {
        json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*",
            "Condition": { "Null": { key: "false" } } })
    };
    for (key, (method, query), headers) in cases {
        let set = set_policy(&endpoint, &deny(key));
        assert_eq!(set.status, 204, "{key}: {}", set.text());
        let body = if query.is_empty() { "hello" } else { tags };
        let answer = root.send(method, "/photos/k", query, headers, body.as_bytes());
        assert_eq!(answer.outcome(), (403, "AccessDenied".to_owned()), "{key}");
    }
    for key in ["s3:ExistingObjectTag/team", "aws:MultiFactorAuthPresent", "s3:signatureAge", "a:b"] {
        let set = set_policy(&endpoint, &deny(key));
        assert_eq!(set.outcome(), (400, "MalformedPolicy".to_owned()), "{key}");
        assert!(set.text().contains(key), "{}", set.text());
    }
}

#[test]
fn four_forms_are_read_at_a_time() {
    let endpoint = Endpoint::start();
    let body = form(&[("key", "k")]);
    let begin = || {
        let mut stream = TcpStream::connect(endpoint.address).unwrap();
        let head = format!(
            "POST /photos HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {KIND}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            endpoint.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    // Whoever reads a body says so first.
    let is_read = |mut stream: &TcpStream| {
        let mut line = [0; 12];
        stream.read_exact(&mut line).is_ok_and(|()| &line == b"HTTP/1.1 100")
    };
    let mut held: Vec<TcpStream> = (0..4).map(|_| begin()).collect();
    assert!(held.iter().all(is_read));
    let fifth = begin();
    fifth.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(!is_read(&fifth));
    held.pop();
    fifth.set_read_timeout(None).unwrap();
    assert!(is_read(&fifth));
}
