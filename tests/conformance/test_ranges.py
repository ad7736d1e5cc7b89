"""Range on GetObject and HeadObject: bytes of an object of ten."""

import pytest

from raw import refused

BODY = b"0123456789"
VALID = [
    ("bytes=0-0", "0", "bytes 0-0/10"),
    ("bytes=0-9", "0123456789", "bytes 0-9/10"),
    ("bytes=0-", "0123456789", "bytes 0-9/10"),
    ("bytes=3-5", "345", "bytes 3-5/10"),
    ("bytes=9-9", "9", "bytes 9-9/10"),
    ("bytes=9-", "9", "bytes 9-9/10"),
    ("bytes=5-100", "56789", "bytes 5-9/10"),
    ("bytes=0-18446744073", "0123456789", "bytes 0-9/10"),
    ("bytes=-1", "9", "bytes 9-9/10"),
    ("bytes=-3", "789", "bytes 7-9/10"),
    ("bytes=-10", "0123456789", "bytes 0-9/10"),
    ("bytes=-100", "0123456789", "bytes 0-9/10"),
]
BEYOND = ["bytes=10-", "bytes=10-20", "bytes=100-", "bytes=-0"]
MALFORMED = ["bytes=5-3", "bytes=a-b", "bytes=", "bytes=-", "0-5", "lines=0-5", "bytes 0-5", "bytes=0-2,4-6", "nonsense", "bytes=0x1-5", "bytes=1-2-3"]


@pytest.fixture(scope="module")
def ten(s3, bucket) -> str:
    s3.put_object(Bucket=bucket, Key="ten", Body=BODY)
    return "ten"


@pytest.mark.parametrize(("given", "body", "content_range"), VALID, ids=[case[0] for case in VALID])
def test_get_sends_the_range(s3, bucket, ten, given, body, content_range) -> None:
    answer = s3.get_object(Bucket=bucket, Key=ten, Range=given)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == body.encode()
    assert (answer["ContentRange"], answer["ContentLength"]) == (content_range, len(body))


@pytest.mark.parametrize(("given", "body", "content_range"), VALID, ids=[case[0] for case in VALID])
def test_head_describes_the_range(s3, bucket, ten, given, body, content_range) -> None:
    answer = s3.head_object(Bucket=bucket, Key=ten, Range=given)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["ContentRange"], answer["ContentLength"]) == (content_range, len(body))


@pytest.mark.parametrize("given", BEYOND)
def test_a_range_beyond_the_end_is_refused(raw, bucket, ten, given) -> None:
    answer = raw("GET", f"/{bucket}/{ten}", headers={"range": given})
    assert answer.outcome == "416 InvalidRange"
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("given", MALFORMED)
def test_a_malformed_range_is_ignored(raw, bucket, ten, given) -> None:
    answer = raw("GET", f"/{bucket}/{ten}", headers={"range": given})
    assert (answer.status, answer.body) == (200, BODY)
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("given", MALFORMED[:4])
def test_a_malformed_range_is_ignored_by_head(raw, bucket, ten, given) -> None:
    answer = raw("HEAD", f"/{bucket}/{ten}", headers={"range": given})
    assert (answer.status, answer.headers["content-length"]) == (200, "10")


def test_a_malformed_range_opens_no_door(raw, bucket, ten) -> None:
    given = {"range": "nonsense"}
    assert raw.send("GET", f"/{bucket}/{ten}", headers=given).outcome == "403 AccessDenied"
    signed = raw.signed_headers("GET", f"/{bucket}/{ten}", [], given, b"")
    signed["authorization"] = signed["authorization"][:-4] + "0000"
    assert raw.send("GET", f"/{bucket}/{ten}", headers=signed).outcome == "403 SignatureDoesNotMatch"


def test_a_malformed_range_and_a_missing_key(raw, bucket, key) -> None:
    assert raw("GET", f"/{bucket}/{key}", headers={"range": "nonsense"}).outcome == "404 NoSuchKey"


def test_a_malformed_range_with_a_presigned_url(raw, bucket, ten) -> None:
    answer = raw.send("GET", f"/{bucket}/{ten}", raw.presigned("GET", f"/{bucket}/{ten}"), {"range": "nonsense"})
    assert (answer.status, answer.body) == (200, BODY)


def test_an_empty_object_has_no_range(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert refused(s3.get_object, Bucket=bucket, Key=key, Range="bytes=0-0") == "416 InvalidRange"


def test_a_range_and_a_part_are_one_too_many(s3, bucket, ten) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key=ten, Range="bytes=0-1", PartNumber=1) == "400 InvalidRequest"


def test_the_first_part_of_a_single_upload_is_all_of_it(s3, bucket, ten) -> None:
    answer = s3.get_object(Bucket=bucket, Key=ten, PartNumber=1)
    assert answer["Body"].read() == BODY


def test_a_second_part_of_a_single_upload_is_none(s3, bucket, ten) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key=ten, PartNumber=2) == "416 InvalidRange"


def test_ranges_are_announced(s3, bucket, ten) -> None:
    assert s3.get_object(Bucket=bucket, Key=ten)["AcceptRanges"] == "bytes"
