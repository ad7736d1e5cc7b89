//! The S3 endpoint as a client meets it: signed requests over HTTP.

mod s3_client;

use s3_client::endpoint::{Endpoint, FUNCTION};
use s3_client::{Answer, Client, Keys};

fn get(client: &Client, path: &str) -> Answer {
    client.send("GET", path, &[], &[], b"")
}

fn put(client: &Client, path: &str, body: &[u8]) -> Answer {
    client.send("PUT", path, &[], &[], body)
}

#[test]
fn what_is_put_is_got_with_its_headers() {
    let endpoint = Endpoint::start();
    let client = endpoint.root();
    let headers = [
        ("content-type", "image/jpeg"),
        ("cache-control", "max-age=60"),
        ("x-amz-meta-author", "someone"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    let stored = client.send("PUT", "/photos/a//b (ü)+%.jpg", &[], &headers, b"hello");
    assert_eq!(stored.status, 200, "{}", stored.text());
    let got = client.send("GET", "/photos/a//b (ü)+%.jpg", &[], &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!((got.status, got.body.as_slice()), (200, &b"hello"[..]));
    let expected = [
        ("content-type", "image/jpeg"),
        ("cache-control", "max-age=60"),
        ("x-amz-meta-author", "someone"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-type", "FULL_OBJECT"),
        ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("content-length", "5"),
        ("accept-ranges", "bytes"),
    ];
    for (name, value) in expected {
        assert_eq!(got.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let part = client.send("GET", "/photos/a//b (ü)+%.jpg", &[], &[("range", "bytes=1-3")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"ell"[..]));
    assert_eq!(part.headers["content-range"], "bytes 1-3/5");
}

#[test]
fn refusals_carry_s3s_own_codes() {
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], (u16, &'a str));
    let endpoint = Endpoint::start();
    let client = endpoint.root();
    put(&client, "/photos/k", b"hello");
    let long = format!("/photos/{}", "k".repeat(1025));
    let cases: &[Case<'_>] = &[
        ("GET", "/photos/absent", &[], &[], (404, "NoSuchKey")),
        ("GET", "/nowhere/k", &[], &[], (404, "NoSuchBucket")),
        ("PUT", "/photos", &[], &[], (409, "BucketAlreadyOwnedByYou")),
        ("DELETE", "/photos", &[], &[], (409, "BucketNotEmpty")),
        ("GET", "/photos/k", &[], &[("range", "bytes=9-")], (416, "InvalidRange")),
        ("GET", "/photos/k", &[], &[("if-match", "\"x\"")], (412, "PreconditionFailed")),
        ("PUT", "/photos/k", &[], &[("if-none-match", "*")], (412, "PreconditionFailed")),
        ("PUT", "/photos/k", &[], &[("x-amz-checksum-crc32", "AAAAAQ==")], (400, "BadDigest")),
        ("PUT", "/photos/k", &[], &[("content-md5", "nonsense")], (400, "InvalidDigest")),
        ("PUT", &long, &[], &[], (400, "KeyTooLongError")),
        ("PUT", "/photos/k", &[("partNumber", "1"), ("uploadId", "none")], &[], (404, "NoSuchUpload")),
        ("GET", "/photos/k", &[("versionId", "none")], &[], (404, "NoSuchVersion")),
        ("GET", "/photos", &[("policy", "")], &[], (404, "NoSuchBucketPolicy")),
        ("GET", "/photos", &[("inventory", "")], &[], (501, "NotImplemented")),
        ("PUT", "/photos/k", &[], &[("x-amz-server-side-encryption", "aws:kms")], (501, "NotImplemented")),
        ("PUT", "/photos/k", &[], &[("x-amz-acl", "public-read")], (400, "AccessControlListNotSupported")),
    ];
    for &(method, path, query, headers, (status, code)) in cases {
        let answer = client.send(method, path, query, headers, b"");
        assert_eq!(
            answer.outcome(),
            (status, code.to_owned()),
            "{method} {path} {query:?} {headers:?}: {}",
            answer.text()
        );
        assert_eq!(answer.element("RequestId"), answer.headers["x-amz-request-id"]);
        assert!(answer.element("Resource").starts_with('/'), "{}", answer.text());
    }
    assert_eq!(get(&client, "/photos/k").body, b"hello", "no refusal changed the object");
    let head = client.send("HEAD", "/photos/absent", &[], &[], b"");
    assert_eq!((head.status, head.body.len()), (404, 0));
    let same = client.send("GET", "/photos/k", &[], &[("if-none-match", "*")], b"");
    assert_eq!((same.status, same.body.len()), (304, 0));
}

#[test]
fn every_request_needs_a_signature_and_a_session_its_token() {
    let endpoint = Endpoint::start();
    put(&endpoint.root(), "/photos/k", b"hello");
    let with = |change: &dyn Fn(&mut Keys)| {
        let mut client = endpoint.root();
        change(client.keys.as_mut().unwrap());
        client
    };
    let anonymous = Client { address: endpoint.address, keys: None };
    let session = endpoint.session(&["s3:GetObject"], &["arn:aws:s3:::photos/*"]);
    let strip = |token: Option<&str>| {
        let mut client = session.clone();
        client.keys.as_mut().unwrap().token = token.map(str::to_owned);
        client
    };
    let cases = [
        (anonymous, (403, "AccessDenied")),
        (with(&|keys| keys.secret = "other".to_owned()), (403, "SignatureDoesNotMatch")),
        (with(&|keys| keys.id = "AKIANOBODY".to_owned()), (403, "InvalidAccessKeyId")),
        (with(&|keys| keys.token = Some("made up".to_owned())), (400, "InvalidToken")),
        (strip(None), (400, "InvalidToken")),
        (strip(Some("made up")), (400, "InvalidToken")),
    ];
    for (client, (status, code)) in cases {
        let answer = get(&client, "/photos/k");
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{}", answer.text());
    }
    assert_eq!(get(&session, "/photos/k").body, b"hello");

    let unsigned = Client { address: endpoint.address, keys: None };
    let url = |client: &Client| client.presign("GET", "/photos/k", 60);
    let fetch = |query: &[(String, String)]| {
        let query: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        unsigned.send("GET", "/photos/k", &query, &[], b"")
    };
    assert_eq!(fetch(&url(&endpoint.root())).body, b"hello");
    assert_eq!(fetch(&url(&session)).body, b"hello");
    assert_eq!(fetch(&url(&strip(None))).outcome(), (400, "InvalidToken".to_owned()));
}

#[test]
fn a_role_does_what_its_policy_allows_and_nothing_else() {
    let endpoint = Endpoint::start();
    let root = endpoint.root();
    put(&root, "/photos/in/a", b"a");
    put(&root, "/photos/out/a", b"a");
    let worker = endpoint.session(
        &["s3:GetObject", "s3:PutObject"],
        &["arn:aws:s3:::photos/in/*", "arn:aws:s3:::photos/new/*"],
    );
    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(get(&worker, "/photos/in/a").status, 200);
    assert_eq!(put(&worker, "/photos/new/b", b"b").status, 200);
    let refused = get(&worker, "/photos/out/a");
    assert_eq!(refused.outcome(), denied);
    assert!(refused.text().contains("s3:GetObject"), "the answer names what is missing: {}", refused.text());
    assert_eq!(get(&worker, "/photos/in/absent").outcome(), denied, "absence is told to those who may list");
    let head = worker.send("HEAD", "/photos/in/absent", &[], &[], b"");
    assert_eq!((head.status, head.body.len()), (403, 0));
    assert_eq!(worker.send("GET", "/photos", &[("list-type", "2")], &[], b"").outcome(), denied);
    assert_eq!(worker.send("DELETE", "/photos/in/a", &[], &[], b"").outcome(), denied);
    let copy =
        |from: &str| worker.send("PUT", "/photos/new/c", &[], &[("x-amz-copy-source", from)], b"").status;
    assert_eq!((copy("/photos/in/a"), copy("/photos/out/a")), (200, 403));
    assert_eq!(worker.send("GET", "/photos/in/a", &[("versionId", "null")], &[], b"").outcome(), denied);
    let delete = b"<Delete><Object><Key>in/a</Key></Object></Delete>";
    let partly = worker.send(
        "POST",
        "/photos",
        &[("delete", "")],
        &[("content-md5", "DOLEpbHWC75gnbDV4PVWXg==")],
        delete,
    );
    assert!(partly.text().contains("AccessDenied"), "{}", partly.text());
    assert_eq!(get(&root, "/photos/in/a").status, 200);
}

#[test]
fn a_multipart_upload_becomes_one_object() {
    let endpoint = Endpoint::start();
    let client = endpoint.root();
    let started = client.send("POST", "/photos/big", &[("uploads", "")], &[], b"");
    let id = started.element("UploadId");
    let first = vec![1_u8; 5 * 1024 * 1024];
    let part = |number: &str, data: &[u8]| {
        client.send("PUT", "/photos/big", &[("partNumber", number), ("uploadId", &id)], &[], data).headers["etag"].clone()
    };
    let (one, two) = (part("1", &first), part("2", b"tail"));
    assert_eq!(get(&client, "/photos/big").outcome(), (404, "NoSuchKey".to_owned()));
    let complete = |parts: &[(u32, &str)]| {
        let listed: Vec<String> = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        let listed = listed.concat();
        let document = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
        client.send("POST", "/photos/big", &[("uploadId", &id)], &[], document.as_bytes())
    };
    assert_eq!(complete(&[(2, &two), (1, &one)]).outcome(), (400, "InvalidPartOrder".to_owned()));
    assert_eq!(complete(&[(1, &two)]).outcome(), (400, "InvalidPart".to_owned()));
    let done = complete(&[(1, &one), (2, &two)]);
    assert_eq!(done.status, 200, "{}", done.text());
    let got = get(&client, "/photos/big");
    assert_eq!(got.body.len(), first.len() + 4);
    assert!(got.headers["etag"].ends_with("-2\""), "{:?}", got.headers);
    let across = client.send("GET", "/photos/big", &[], &[("range", "bytes=5242878-5242881")], b"");
    assert_eq!(across.body, [1, 1, b't', b'a']);
    // A repetition is answered as the first was; anything else finds no upload.
    let again = complete(&[(1, &one), (2, &two)]);
    assert_eq!((again.status, again.text()), (200, done.text()));
    assert_eq!(complete(&[(1, &one)]).outcome(), (404, "NoSuchUpload".to_owned()));
}

#[test]
fn listings_page_and_roll_up() {
    let endpoint = Endpoint::start();
    let client = endpoint.root();
    for key in ["a b", "dir/1", "dir/2", "e", "zü"] {
        put(&client, &format!("/photos/{key}"), b"");
    }
    let list = |query: &[(&str, &str)]| {
        let mut all = vec![("list-type", "2")];
        all.extend_from_slice(query);
        client.send("GET", "/photos", &all, &[], b"").text()
    };
    let page = list(&[("delimiter", "/"), ("max-keys", "2"), ("encoding-type", "url")]);
    assert!(page.contains("<Key>a%20b</Key>"), "{page}");
    assert!(page.contains("<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes>"), "{page}");
    assert!(page.contains("<IsTruncated>true</IsTruncated>") && !page.contains("<Key>e</Key>"), "{page}");
    let token = page.split_once("<NextContinuationToken>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let rest = list(&[("delimiter", "/"), ("continuation-token", &token)]);
    assert!(rest.contains("<Key>e</Key><") && rest.contains("<Key>zü</Key>"), "{rest}");
    assert!(!rest.contains("dir/") && rest.contains("<IsTruncated>false</IsTruncated>"), "{rest}");
}

#[test]
fn notification_rules_are_checked_when_they_are_set() {
    let endpoint = Endpoint::start();
    let client = endpoint.root();
    let rule = |id: &str, function: &str, event: &str, prefix: &str| {
        format!(
            "<CloudFunctionConfiguration><Id>{id}</Id><CloudFunction>{function}</CloudFunction><Event>{event}</Event>\
             <Filter><S3Key><FilterRule><Name>prefix</Name><Value>{prefix}</Value></FilterRule></S3Key></Filter>\
             </CloudFunctionConfiguration>"
        )
    };
    let set = |rules: &[String]| {
        let document = format!("<NotificationConfiguration>{}</NotificationConfiguration>", rules.concat());
        client.send("PUT", "/photos", &[("notification", "")], &[], document.as_bytes()).outcome()
    };
    let created = "s3:ObjectCreated:*";
    let invalid = (400, "InvalidArgument".to_owned());
    assert_eq!(
        set(&[rule("1", FUNCTION, created, "a/"), rule("2", FUNCTION, "s3:ObjectCreated:Put", "a/b")]),
        invalid
    );
    assert_eq!(
        set(&[rule("1", "arn:aws:lambda:us-east-1:123456789012:function:other", created, "")]),
        invalid
    );
    assert_eq!(set(&[rule("1", FUNCTION, "s3:ObjectBorn:*", "")]), invalid);
    assert_eq!(set(&[rule("1", FUNCTION, created, "a/"), rule("2", FUNCTION, created, "b/")]).0, 200);
    let read = client.send("GET", "/photos", &[("notification", "")], &[], b"").text();
    assert!(read.contains(FUNCTION) && read.contains("<Value>b/</Value>"), "{read}");
}

#[test]
fn a_header_that_is_ignored_changes_no_decision() {
    let endpoint = Endpoint::start();
    put(&endpoint.root(), "/photos/k", b"hello");
    put(&endpoint.root(), "/photos/other", b"hello");
    let session = endpoint.session(&["s3:GetObject"], &["arn:aws:s3:::photos/k"]);
    let mut without_token = session.clone();
    without_token.keys.as_mut().unwrap().token = None;
    let mut wrong_secret = session.clone();
    wrong_secret.keys.as_mut().unwrap().secret = "wrong".to_owned();
    let nobody = Client { address: endpoint.address, keys: None };
    let cases = [
        (&session, "/photos/k", 200),
        (&session, "/photos/other", 403),
        (&session, "/photos/missing", 403),
        (&without_token, "/photos/k", 400),
        (&wrong_secret, "/photos/k", 403),
        (&nobody, "/photos/k", 403),
    ];
    for (client, path, status) in cases {
        let answer = client.send("GET", path, &[], &[("range", "nonsense")], b"");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}

#[test]
fn a_bucket_policy_lets_a_role_in_and_shuts_it_out() {
    let endpoint = Endpoint::start();
    let root = endpoint.root();
    put(&root, "/photos/k", b"hello");
    let session = endpoint.session(&["s3:GetObject"], &["arn:aws:s3:::photos/*"]);
    let policy = |effect: &str, action: &str| {
        let document = serde_json::json!({ "Version": "2012-10-17", "Statement": {
            "Effect": effect,
            "Principal": { "AWS": "arn:aws:iam::123456789012:role/worker" },
            "Action": action,
            "Resource": "arn:aws:s3:::photos/*" } });
        let set = root.send("PUT", "/photos", &[("policy", "")], &[], document.to_string().as_bytes());
        assert_eq!(set.status, 204, "{}", set.text());
    };
    assert_eq!(put(&session, "/photos/new", b"x").status, 403);
    policy("Allow", "s3:PutObject");
    assert_eq!(put(&session, "/photos/new", b"x").status, 200);
    assert_eq!(get(&session, "/photos/k").status, 200);
    policy("Deny", "s3:GetObject");
    assert_eq!(get(&session, "/photos/k").status, 403);
    assert_eq!(put(&session, "/photos/new", b"x").status, 403);
    assert_eq!(root.send("DELETE", "/photos", &[("policy", "")], &[], b"").status, 204);
    assert_eq!(get(&session, "/photos/k").status, 200);
}
