"""PutObject, GetObject, HeadObject, DeleteObject: bytes, names, headers, metadata."""

import base64
import datetime
import hashlib

import pytest

from raw import refused

SIZES = [0, 1, 2, 1023, 1024, 65535, 65536, 65537, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_come_back(s3, bucket, key, size) -> None:
    body = hashlib.shake_256(b"bytes").digest(size)
    etag = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"'
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert answer["Body"].read() == body
    assert (answer["ContentLength"], answer["ETag"]) == (size, etag)


KEYS = {
    "plain": "plain.txt",
    "space": "a b",
    "leading-space": " a",
    "trailing-space": "a ",
    "plus": "a+b",
    "percent": "100%",
    "percent-encoded": "a%20b",
    "percent-encoded-slash": "a%2Fb",
    "question-mark": "a?b=c",
    "hash": "a#b",
    "ampersand": "a&b",
    "equals": "a=b",
    "semicolon": "a;b",
    "quotes": "a\"b'c",
    "angle-brackets": "<a>",
    "backslash": "a\\b",
    "colon": "a:b",
    "star": "a*b",
    "tilde": "~a",
    "pipe": "a|b",
    "braces": "{a}[b]^`",
    "umlaut": "ümläut",
    "decomposed": "u\u0308",
    "japanese": "写真/日本語.jpg",
    "emoji": "🦊.png",
    "cyrillic": "привет",
    "folders": "a/b/c/d.txt",
    "double-slash": "a//b",
    "leading-slash": "/a",
    "trailing-slash": "folder/",
    "only-slash-inside": "a/",
    "dot": "a/./b",
    "dots": "a/../b",
    "only-dots": "..",
    "one-dot": ".",
    "climbing": "../../etc/passwd",
    "hidden": ".hidden",
    "looks-like-query": "k?uploads",
    "dollar": "$a,b",
    "tab": "a\tb",
    "longest": "x" * 1024,
    "longest-in-utf8": "ü" * 512,
    "long-segments": "/".join(["s" * 200] * 5),
}


@pytest.mark.parametrize("name", KEYS.values(), ids=KEYS.keys())
def test_any_key_names_its_object(s3, fresh, name) -> None:
    s3.put_object(Bucket=fresh, Key=name, Body=name.encode())
    assert s3.get_object(Bucket=fresh, Key=name)["Body"].read() == name.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=fresh)["Contents"]] == [name]
    s3.delete_object(Bucket=fresh, Key=name)
    assert s3.list_objects_v2(Bucket=fresh)["KeyCount"] == 0


@pytest.mark.parametrize("name", ["x" * 1025, "ü" * 513], ids=["ascii", "utf8"])
def test_a_key_has_at_most_1024_bytes(s3, bucket, name) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key=name, Body=b"") == "400 KeyTooLongError"


def test_similar_keys_are_different_objects(s3, fresh) -> None:
    names = ["a", "A", "a ", "a/", "a//", "ä", "a\u0308"]
    for name in names:
        s3.put_object(Bucket=fresh, Key=name, Body=name.encode())
    for name in names:
        assert s3.get_object(Bucket=fresh, Key=name)["Body"].read() == name.encode()


HEADERS = [
    ("ContentType", "image/jpeg"),
    ("ContentType", "text/plain; charset=utf-8"),
    ("CacheControl", "public, max-age=3600"),
    ("CacheControl", "no-cache"),
    ("ContentDisposition", 'attachment; filename="a b.jpg"'),
    ("ContentLanguage", "de-CH, en"),
    ("ContentEncoding", "gzip"),
    ("ContentEncoding", "br"),
    ("WebsiteRedirectLocation", "/other"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS, ids=[f"{name}-{value}" for name, value in HEADERS])
def test_a_header_comes_back(s3, bucket, key, name, value) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", **{name: value})
    assert s3.get_object(Bucket=bucket, Key=key)[name] == value
    assert s3.head_object(Bucket=bucket, Key=key)[name] == value


def test_expires_comes_back(s3, bucket, key) -> None:
    at = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Expires=at)
    assert s3.get_object(Bucket=bucket, Key=key)["Expires"] == at


def test_without_a_type_it_is_a_stream_of_bytes(raw, bucket, key) -> None:
    assert raw("PUT", f"/{bucket}/{key}", body=b"x").status == 200
    assert raw("GET", f"/{bucket}/{key}").headers["content-type"] == "binary/octet-stream"


OVERRIDES = [
    ("ResponseContentType", "ContentType", "text/css"),
    ("ResponseContentLanguage", "ContentLanguage", "fr"),
    ("ResponseCacheControl", "CacheControl", "no-store"),
    ("ResponseContentDisposition", "ContentDisposition", "inline"),
    ("ResponseContentEncoding", "ContentEncoding", "deflate"),
]


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize(("parameter", "header", "value"), OVERRIDES, ids=[case[0] for case in OVERRIDES])
def test_a_response_header_is_overridden(s3, bucket, key, operation, parameter, header, value) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", ContentType="image/png")
    assert getattr(s3, operation)(Bucket=bucket, Key=key, **{parameter: value})[header] == value
    assert s3.head_object(Bucket=bucket, Key=key)["ContentType"] == "image/png"


METADATA = {
    "one": {"a": "b"},
    "several": {"a": "1", "b-c": "2", "d_e": "3"},
    "value-with-spaces": {"a": "one two"},
    "value-with-comma": {"a": "one, two"},
    "empty-value": {"a": ""},
    "long-value": {"a": "x" * 1900},
    "equals-and-semicolon": {"a": "b=c;d"},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA.keys())
def test_user_metadata_comes_back(s3, bucket, key, metadata) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata=metadata)
    assert s3.head_object(Bucket=bucket, Key=key)["Metadata"] == metadata
    assert s3.get_object(Bucket=bucket, Key=key)["Metadata"] == metadata


def test_names_of_metadata_are_told_in_lower_case(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"Author": "A"})
    assert s3.head_object(Bucket=bucket, Key=key)["Metadata"] == {"author": "A"}


def test_an_overwrite_replaces_metadata(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"a": "1"}, ContentType="image/png")
    s3.put_object(Bucket=bucket, Key=key, Body=b"y")
    head = s3.head_object(Bucket=bucket, Key=key)
    assert head["Metadata"] == {} and head["ContentType"] != "image/png"


@pytest.mark.parametrize(("size", "outcome"), [(2047, "accepted: 200"), (2048, "400 MetadataTooLarge"), (5000, "400 MetadataTooLarge")])
def test_user_metadata_has_at_most_2_kilobytes(s3, bucket, key, size, outcome) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"", Metadata={"a": "x" * size}) == outcome


def test_get_of_a_missing_key(s3, bucket, key) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key=key) == "404 NoSuchKey"


def test_head_of_a_missing_key(s3, bucket, key) -> None:
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"


def test_delete_of_a_missing_key_succeeds(s3, bucket, key) -> None:
    assert s3.delete_object(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_deleted_object_is_gone(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(s3.get_object, Bucket=bucket, Key=key) == "404 NoSuchKey"


def test_an_object_without_versions_shows_none(s3, bucket, key) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert "VersionId" not in s3.get_object(Bucket=bucket, Key=key)
    assert "VersionId" not in s3.delete_object(Bucket=bucket, Key=key)


def test_the_time_of_change_is_now(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    modified = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    assert abs((datetime.datetime.now(datetime.UTC) - modified).total_seconds()) < 60


def test_head_tells_what_get_tells(raw, bucket, key) -> None:
    raw("PUT", f"/{bucket}/{key}", headers={"content-type": "a/b", "x-amz-meta-c": "d"}, body=b"hello")
    get, head = raw("GET", f"/{bucket}/{key}"), raw("HEAD", f"/{bucket}/{key}")
    for name in ("content-type", "content-length", "etag", "last-modified", "x-amz-meta-c", "accept-ranges"):
        assert get.headers[name] == head.headers[name], name
    assert head.body == b""


MD5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
DIGESTS = [
    ("right", MD5, "200"),
    ("of-other-bytes", base64.b64encode(hashlib.md5(b"other").digest()).decode(), "400 BadDigest"),
    ("too-short", "YWJj", "400 InvalidDigest"),
    ("not-base64", "!!!", "400 InvalidDigest"),
    ("hexadecimal", hashlib.md5(b"hello").hexdigest(), "400 InvalidDigest"),
]


@pytest.mark.parametrize(("value", "outcome"), [case[1:] for case in DIGESTS], ids=[case[0] for case in DIGESTS])
def test_content_md5_is_checked(raw, bucket, key, value, outcome) -> None:
    assert raw("PUT", f"/{bucket}/{key}", headers={"content-md5": value}, body=b"hello").outcome == outcome
    assert raw("HEAD", f"/{bucket}/{key}").status == (200 if outcome == "200" else 404)


@pytest.mark.parametrize("storage_class", ["STANDARD"])
def test_the_standard_class_is_accepted(s3, bucket, key, storage_class) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", StorageClass=storage_class)
    assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]["StorageClass"] == "STANDARD"


UNSUPPORTED = {
    "glacier": {"StorageClass": "GLACIER"},
    "infrequent": {"StorageClass": "STANDARD_IA"},
    "one-zone": {"StorageClass": "ONEZONE_IA"},
    "sse-s3": {"ServerSideEncryption": "AES256"},
    "sse-kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"},
    "sse-c": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
    "object-lock": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime.datetime(2030, 1, 1)},
    "legal-hold": {"ObjectLockLegalHoldStatus": "ON"},
}


@pytest.mark.parametrize("arguments", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_is_not_done_is_not_promised(s3, bucket, key, arguments) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"x", **arguments) == "501 NotImplemented"
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control"])
def test_acls_that_hold_anyway_are_accepted(s3, bucket, key, acl) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", ACL=acl)


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read", "aws-exec-read"])
def test_public_acls_are_refused(s3, bucket, key, acl) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"x", ACL=acl) == "400 AccessControlListNotSupported"


@pytest.mark.parametrize("operation", ["get_object", "head_object", "delete_object", "get_object_tagging"])
def test_another_owner_is_refused(s3, bucket, key, operation) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = refused(getattr(s3, operation), Bucket=bucket, Key=key, ExpectedBucketOwner="999999999999")
    assert answer in ("403 AccessDenied", "403")


def test_a_last_slash_makes_no_folder(s3, fresh) -> None:
    s3.put_object(Bucket=fresh, Key="folder/", Body=b"")
    s3.put_object(Bucket=fresh, Key="folder", Body=b"x")
    assert s3.get_object(Bucket=fresh, Key="folder")["Body"].read() == b"x"
    assert s3.get_object(Bucket=fresh, Key="folder/")["Body"].read() == b""


def test_gzip_is_not_unpacked(raw, bucket, key) -> None:
    raw("PUT", f"/{bucket}/{key}", headers={"content-encoding": "gzip"}, body=b"not really gzip")
    answer = raw("GET", f"/{bucket}/{key}")
    assert answer.body == b"not really gzip" and answer.headers["content-encoding"] == "gzip"


def test_the_transfers_coding_is_not_the_objects(raw, bucket, key) -> None:
    raw("PUT", f"/{bucket}/{key}", headers={"content-encoding": "aws-chunked"}, body=b"x")
    assert "content-encoding" not in raw("GET", f"/{bucket}/{key}").headers


@pytest.mark.parametrize("style", ["localhost", "s3.localhost"])
def test_the_host_may_name_the_bucket(raw, bucket, key, style) -> None:
    raw("PUT", f"/{bucket}/{key}", body=b"by path")
    port = raw.host.split(":")[1]
    answer = raw("GET", f"/{key}", headers={"host": f"{bucket}.{style}:{port}"})
    assert (answer.status, answer.body) == (200, b"by path")


def test_appending_is_not_supported_and_says_so(raw, bucket, key) -> None:
    answer = raw("PUT", f"/{bucket}/{key}", headers={"x-amz-write-offset-bytes": "0"}, body=b"x")
    assert answer.outcome == "501 NotImplemented"


def test_a_refused_upload_leaves_a_connection_that_says_so(raw, bucket, key) -> None:
    headers = raw.signed_headers("PUT", f"/{bucket}/{key}", [], {"x-amz-storage-class": "GLACIER"}, b"x" * 100_000)
    answer = raw.send("PUT", f"/{bucket}/{key}", headers=headers, body=b"x" * 100_000)
    assert (answer.outcome, answer.headers.get("connection")) == ("501 NotImplemented", "close")


def test_a_client_that_waits_for_100_continue_is_not_left_alone(s3, bucket, key) -> None:
    # A refused upload, and at once another request that may take the same connection.
    for number in range(20):
        assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"x", StorageClass="GLACIER") == "501 NotImplemented"
        assert refused(s3.put_object, Bucket=bucket, Key=f"{key}-{number}", Body=b"x") == "accepted: 200"
