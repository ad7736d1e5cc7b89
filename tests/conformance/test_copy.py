"""CopyObject: sources, directives, metadata, what a copy keeps."""

import hashlib

import pytest

from raw import quote, refused


@pytest.fixture(scope="module")
def source(s3, bucket) -> dict:
    s3.put_object(Bucket=bucket, Key="source", Body=b"source", ContentType="image/png", CacheControl="max-age=1", Metadata={"a": "b"}, Tagging="t=u")
    return {"Bucket": bucket, "Key": "source"}


def test_a_copy_has_the_bytes(s3, bucket, source, key) -> None:
    result = s3.copy_object(Bucket=bucket, Key=key, CopySource=source)["CopyObjectResult"]
    assert result["ETag"] == f'"{hashlib.md5(b"source").hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"source"


def test_a_copy_keeps_headers_metadata_and_tags(s3, bucket, source, key) -> None:
    s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentType"], head["CacheControl"], head["Metadata"]) == ("image/png", "max-age=1", {"a": "b"})
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "t", "Value": "u"}]


def test_metadata_is_replaced_when_asked(s3, bucket, source, key) -> None:
    s3.copy_object(Bucket=bucket, Key=key, CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"}, ContentType="text/css")
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentType"], head.get("CacheControl"), head["Metadata"]) == ("text/css", None, {"c": "d"})


def test_metadata_is_kept_unless_asked(s3, bucket, source, key) -> None:
    s3.copy_object(Bucket=bucket, Key=key, CopySource=source, Metadata={"c": "d"}, ContentType="text/css")
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentType"], head["Metadata"]) == ("image/png", {"a": "b"})


def test_tags_are_replaced_when_asked(s3, bucket, source, key) -> None:
    s3.copy_object(Bucket=bucket, Key=key, CopySource=source, TaggingDirective="REPLACE", Tagging="x=y")
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "x", "Value": "y"}]


@pytest.mark.parametrize("directive", ["MetadataDirective", "TaggingDirective"])
def test_an_unknown_directive_is_refused(s3, bucket, source, key, directive) -> None:
    assert refused(s3.copy_object, Bucket=bucket, Key=key, CopySource=source, **{directive: "SOMETHING"}) == "400 InvalidArgument"


def test_a_copy_onto_itself_that_changes_nothing_is_refused(s3, bucket, source) -> None:
    assert refused(s3.copy_object, Bucket=bucket, Key="source", CopySource=source) == "400 InvalidRequest"


def test_a_copy_onto_itself_changes_metadata(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"a": "1"})
    s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, MetadataDirective="REPLACE", Metadata={"a": "2"})
    assert s3.head_object(Bucket=bucket, Key=key)["Metadata"] == {"a": "2"}
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


NAMES = ["a b", "a+b", "100%", "a%20b", "ünï", "日本", "a//b", "a?b", "a&b=c", "a/../b", "'\"", "🦊"]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_with_a_difficult_name(s3, bucket, key, name) -> None:
    s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": name})
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == name.encode()


@pytest.mark.parametrize("slash", ["", "/"], ids=["without-slash", "with-slash"])
def test_the_source_may_start_with_a_slash(raw, bucket, source, key, slash) -> None:
    assert raw("PUT", f"/{bucket}/{key}", headers={"x-amz-copy-source": f"{slash}{bucket}/source"}).status == 200
    assert raw("GET", f"/{bucket}/{key}").body == b"source"


@pytest.mark.parametrize("given", ["", "nobucket", "/", "bucketonly/"])
def test_a_source_that_is_none_is_refused(raw, bucket, key, given) -> None:
    assert raw("PUT", f"/{bucket}/{key}", headers={"x-amz-copy-source": given}).outcome == "400 InvalidArgument"


def test_a_missing_source(s3, bucket, key) -> None:
    assert refused(s3.copy_object, Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": "missing"}) == "404 NoSuchKey"


def test_a_missing_source_bucket(s3, bucket, key) -> None:
    assert refused(s3.copy_object, Bucket=bucket, Key=key, CopySource={"Bucket": "no-such-bucket-1", "Key": "k"}) == "404 NoSuchBucket"


def test_a_missing_destination_bucket(s3, source, key) -> None:
    assert refused(s3.copy_object, Bucket="no-such-bucket-1", Key=key, CopySource=source) == "404 NoSuchBucket"


def test_a_copy_into_another_bucket(s3, fresh, source) -> None:
    s3.copy_object(Bucket=fresh, Key="k", CopySource=source)
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == b"source"


def test_a_copy_outlives_its_source(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 1000)
    s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.get_object(Bucket=bucket, Key=f"{key}-copy")["Body"].read() == b"x" * 1000


def test_a_copy_does_not_change_with_its_source(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource={"Bucket": bucket, "Key": key})
    s3.put_object(Bucket=bucket, Key=key, Body=b"2")
    assert s3.get_object(Bucket=bucket, Key=f"{key}-copy")["Body"].read() == b"1"


def test_a_copy_of_an_empty_object(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.head_object(Bucket=bucket, Key=f"{key}-copy")["ContentLength"] == 0


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_copy_gets_the_checksum_asked_for(s3, bucket, source, key, algorithm) -> None:
    result = s3.copy_object(Bucket=bucket, Key=key, CopySource=source, ChecksumAlgorithm=algorithm)["CopyObjectResult"]
    head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert result[f"Checksum{algorithm}"] == head[f"Checksum{algorithm}"]


UNSUPPORTED = {"sse": {"ServerSideEncryption": "aws:kms"}, "class": {"StorageClass": "GLACIER"}, "lock": {"ObjectLockLegalHoldStatus": "ON"}}


@pytest.mark.parametrize("arguments", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_is_not_done_is_not_promised(s3, bucket, source, key, arguments) -> None:
    assert refused(s3.copy_object, Bucket=bucket, Key=key, CopySource=source, **arguments) == "501 NotImplemented"


def test_another_owner_of_the_source_is_refused(s3, bucket, source, key) -> None:
    answer = refused(s3.copy_object, Bucket=bucket, Key=key, CopySource=source, ExpectedSourceBucketOwner="999999999999")
    assert answer == "403 AccessDenied"


def test_a_source_that_climbs_names_a_bucket_that_is_none(raw, bucket, key) -> None:
    answer = raw("PUT", f"/{bucket}/{key}", headers={"x-amz-copy-source": quote("../../etc/passwd", safe="/")})
    assert answer.status in (400, 404)
