"""Who is let in: signature version 4, its clock, its hash, what it must cover; and how errors look."""

import base64
import hashlib
import hmac
import re

import pytest

from raw import EMPTY, Raw, sign


@pytest.fixture(scope="module")
def stored(s3, bucket) -> str:
    s3.put_object(Bucket=bucket, Key="stored", Body=b"stored")
    return f"/{bucket}/stored"


def test_a_right_signature(raw, stored) -> None:
    assert raw("GET", stored).body == b"stored"


@pytest.mark.parametrize("skew", [-1000, -3600, -86400, 1000, 3600, 86400])
def test_a_clock_that_is_wrong_is_refused(raw, stored, skew) -> None:
    assert raw("GET", stored, skew=skew).outcome == "403 RequestTimeTooSkewed"


@pytest.mark.parametrize("skew", [-800, -60, 60, 800])
def test_a_clock_that_is_nearly_right_is_accepted(raw, stored, skew) -> None:
    assert raw("GET", stored, skew=skew).status == 200


def test_a_wrong_secret(cloud, stored) -> None:
    assert Raw(cloud.endpoint, cloud.access_key_id, "wrong")("GET", stored).outcome == "403 SignatureDoesNotMatch"


def test_an_unknown_key_id(cloud, stored) -> None:
    assert Raw(cloud.endpoint, "AKIAIOSFODNN7EXAMPLE", cloud.secret_access_key)("GET", stored).outcome == "403 InvalidAccessKeyId"


def test_a_token_that_was_never_issued(cloud, stored) -> None:
    given = Raw(cloud.endpoint, cloud.access_key_id, cloud.secret_access_key, token="made up")
    assert given("GET", stored).outcome == "400 InvalidToken"


def test_no_signature(raw, stored) -> None:
    assert raw.send("GET", stored).outcome == "403 AccessDenied"


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/BUCKET"), ("PUT", "/BUCKET/k"), ("DELETE", "/BUCKET/stored"), ("PUT", "/new-bucket-1"), ("DELETE", "/BUCKET"), ("HEAD", "/BUCKET")])
def test_nothing_is_done_without_a_signature(raw, bucket, stored, method, path) -> None:
    assert raw.send(method, path.replace("BUCKET", bucket), body=b"x" if method == "PUT" else b"").status == 403
    assert raw("GET", stored).status == 200


# What a signature covers: the part that is changed on the way.
def test_a_changed_path(raw, bucket, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    assert raw.send("GET", f"/{bucket}/other", headers=headers).outcome == "403 SignatureDoesNotMatch"


def test_a_changed_method(raw, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    assert raw.send("DELETE", stored, headers=headers).outcome == "403 SignatureDoesNotMatch"


@pytest.mark.parametrize("query", [[("versionId", "null")], [("acl", "")], [("tagging", "")], [("uploads", "")]])
def test_a_changed_query(raw, stored, query) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    assert raw.send("GET", stored, query, headers).outcome == "403 SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["x-amz-meta-a", "content-type", "x-amz-date", "x-amz-content-sha256", "host"])
def test_a_changed_header(raw, bucket, key, name) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {"x-amz-meta-a": "1", "content-type": "a/b"}, b"x")
    port = raw.host.split(":")[1]
    changed = {"x-amz-date": raw.stamp(-10), "x-amz-content-sha256": EMPTY, "host": f"localhost:{port}"}.get(name, "2")
    answer = raw.send("PUT", path, headers=headers | {name: changed}, body=b"x")
    assert answer.outcome == "403 SignatureDoesNotMatch"
    assert raw("HEAD", path).status == 404


@pytest.mark.parametrize("name", ["x-amz-meta-a", "x-amz-acl", "x-amz-copy-source", "x-amz-tagging", "x-amz-storage-class", "x-amz-security-token"])
def test_an_added_header_that_means_something(raw, bucket, key, name) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"x")
    answer = raw.send("PUT", path, headers=headers | {name: f"{bucket}/stored"}, body=b"x")
    assert answer.status in (400, 403) and answer.code in ("AccessDenied", "InvalidToken")
    assert raw("HEAD", path).status == 404


@pytest.mark.parametrize("name", ["user-agent", "accept", "x-forwarded-for", "amz-sdk-request"])
def test_an_added_header_that_means_nothing(raw, stored, name) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    assert raw.send("GET", stored, headers=headers | {name: "anything"}).status == 200


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-content-sha256"])
def test_what_must_be_signed(raw, stored, name) -> None:
    assert raw("GET", stored, unsigned=(name,)).outcome == "403 AccessDenied"


def test_a_body_that_is_not_the_signed_one(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"signed")
    answer = raw.send("PUT", path, headers=headers, body=b"others")
    assert answer.outcome == "400 XAmzContentSHA256Mismatch"
    assert raw("HEAD", path).status == 404


@pytest.mark.parametrize("query", [{"delete": ""}, {"tagging": ""}], ids=["delete", "tagging"])
def test_a_document_that_is_not_the_signed_one(raw, bucket, stored, query) -> None:
    method, path = ("POST", f"/{bucket}") if "delete" in query else ("PUT", stored)
    headers = raw.signed_headers(method, path, list(query.items()), {}, b"<Delete><Object><Key>harmless</Key></Object></Delete>")
    body = b"<Delete><Object><Key>stored</Key></Object>  </Delete>"
    answer = raw.send(method, path, query.items(), headers | {"content-length": str(len(body))}, body)
    assert answer.outcome == "400 XAmzContentSHA256Mismatch"
    assert raw("GET", stored).body == b"stored"


def test_an_unsigned_payload_is_accepted(raw, s3, bucket, key) -> None:
    assert raw("PUT", f"/{bucket}/{key}", body=b"x", payload="UNSIGNED-PAYLOAD").status == 200
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


@pytest.mark.parametrize("payload", ["", "nonsense", "e3b0", "STREAMING-NOTHING"])
def test_a_hash_that_is_none(raw, stored, payload) -> None:
    assert raw("GET", stored, payload=payload).status in (400, 403)


def chunks(raw, pieces: list[bytes], seed: str, stamp: str) -> bytes:
    """A signed chunked body, as SDKs send it."""
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    derived = ("AWS4" + raw.secret).encode()
    for step in (stamp[:8], "us-east-1", "s3", "aws4_request"):
        derived = sign(derived, step)
    out, previous = b"", seed
    for piece in [*pieces, b""]:
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY, hashlib.sha256(piece).hexdigest()])
        previous = sign(derived, text).hex()
        out += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + b"\r\n"
    return out


@pytest.mark.parametrize("change", [None, "bytes", "order", "signature", "cut"])
def test_each_chunk_is_signed(raw, s3, bucket, key, change) -> None:
    path, pieces = f"/{bucket}/{key}", [b"a" * 8192, b"b" * 8192, b"c" * 10]
    length = str(sum(map(len, pieces)))
    headers = raw.signed_headers(
        "PUT", path, [], {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": length}, b"", payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    )
    seed = headers["authorization"].rsplit("=", 1)[1]
    body = chunks(raw, pieces, seed, headers["x-amz-date"])
    if change == "bytes":
        body = body.replace(b"b" * 8192, b"b" * 8191 + b"x")
    elif change == "order":
        body = body.replace(b"a" * 8192, b"?").replace(b"b" * 8192, b"a" * 8192).replace(b"?", b"b" * 8192)
    elif change == "signature":
        body = re.sub(rb"(chunk-signature=)[0-9a-f]{4}", rb"\g<1>0000", body, count=1)
    elif change == "cut":
        body = body[: body.index(b"c" * 10)]
    answer = raw.send("PUT", path, headers=headers | {"content-length": str(len(body))}, body=body)
    if change is None:
        assert answer.status == 200, answer.body
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"".join(pieces)
    else:
        assert answer.status in (400, 403), answer.body
        assert raw("HEAD", path).status == 404


def test_version_2_in_a_header_is_refused(raw, stored) -> None:
    date = "Tue, 27 Mar 2007 19:36:42 +0000"
    signature = base64.b64encode(hmac.new(raw.secret.encode(), f"GET\n\n\n{date}\n{stored}".encode(), hashlib.sha1).digest()).decode()
    answer = raw.send("GET", stored, headers={"date": date, "authorization": f"AWS {raw.access_key_id}:{signature}"})
    assert answer.outcome == "400 InvalidRequest"


AUTHORIZATIONS = [
    "",
    "Basic dXNlcjpwYXNz",
    "Bearer token",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
    "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
    "AWS4-HMAC-SHA512 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    "AWS4-HMAC-SHA256 " + "x" * 8000,
]


@pytest.mark.parametrize("given", AUTHORIZATIONS, ids=range(len(AUTHORIZATIONS)))
def test_an_authorization_that_is_none(raw, stored, given) -> None:
    headers = {"authorization": given, "x-amz-date": raw.stamp(), "x-amz-content-sha256": EMPTY}
    assert raw.send("GET", stored, headers=headers).status in (400, 403, 501)


def test_a_date_is_needed(raw, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    del headers["x-amz-date"]
    assert raw.send("GET", stored, headers=headers).outcome == "403 AccessDenied"


@pytest.mark.parametrize("service", ["ec2", "s3x", ""])
def test_a_signature_for_another_service(raw, stored, service) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    headers["authorization"] = headers["authorization"].replace("/s3/aws4", f"/{service}/aws4")
    assert raw.send("GET", stored, headers=headers).status in (400, 403, 501)


def test_a_guessed_region_is_put_right(raw, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    headers["authorization"] = headers["authorization"].replace("/us-east-1/", "/US/")
    answer = raw.send("GET", stored, headers=headers)
    assert answer.status in (400, 403)
    assert answer.code != "AuthorizationHeaderMalformed" or answer.element("Region") == "us-east-1"


# How errors look


ERRORS = [
    ("GET", "/BUCKET/missing", {}, "NoSuchKey"),
    ("GET", "/no-such-bucket-4", {}, "NoSuchBucket"),
    ("PUT", "/BUCKET", {}, "BucketAlreadyOwnedByYou"),
    ("GET", "/BUCKET/stored", {"range": "bytes=100-"}, "InvalidRange"),
    ("GET", "/BUCKET/stored", {"if-match": '"0"'}, "PreconditionFailed"),
    ("PUT", "/A_B", {}, "InvalidBucketName"),
    ("POST", "/", {}, "NotImplemented"),
]


@pytest.mark.parametrize(("method", "path", "headers", "code"), ERRORS, ids=[case[3] for case in ERRORS])
def test_an_error_says_what_where_and_which(raw, bucket, stored, method, path, headers, code) -> None:
    answer = raw(method, path.replace("BUCKET", bucket), headers=headers)
    assert answer.code == code
    assert answer.headers["content-type"] == "application/xml"
    assert answer.element("Message")
    assert answer.element("Resource") == path.replace("BUCKET", bucket)
    assert answer.element("RequestId") == answer.headers["x-amz-request-id"]
    assert answer.element("HostId") == answer.headers["x-amz-id-2"]


def test_no_two_requests_have_one_id(raw, stored) -> None:
    assert len({raw("GET", stored).headers["x-amz-request-id"] for _ in range(5)}) == 5


def test_an_error_escapes_what_it_repeats(raw, bucket) -> None:
    answer = raw("GET", f"/{bucket}/<script>&\"'")
    assert answer.code == "NoSuchKey" and b"<script>" not in answer.body
