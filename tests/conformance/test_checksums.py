"""Checksums: stored, told, refused when wrong; of parts and of the whole; in trailers."""

import base64
import hashlib
import zlib

import pytest

from raw import refused

BODY = b"the quick brown fox"
FIVE = 5 * 1024 * 1024


def crc(data: bytes, polynomial: int, bits: int) -> bytes:
    """A reflected CRC, bit by bit."""
    mask = (1 << bits) - 1
    value = mask
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return (value ^ mask).to_bytes(bits // 8, "big")


DIGEST = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crc(data, 0x82F63B78, 32),
    "CRC64NVME": lambda data: crc(data, 0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
ALL = pytest.mark.parametrize("algorithm", list(DIGEST))


def text(algorithm: str, data: bytes) -> str:
    return base64.b64encode(DIGEST[algorithm](data)).decode()


def header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


@ALL
def test_a_right_checksum_is_kept_and_told(s3, bucket, key, algorithm) -> None:
    field = f"Checksum{algorithm}"
    value = text(algorithm, BODY)
    assert s3.put_object(Bucket=bucket, Key=key, Body=BODY, **{field: value})[field] == value
    for operation in (s3.head_object, s3.get_object):
        answer = operation(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert (answer[field], answer["ChecksumType"]) == (value, "FULL_OBJECT")


@ALL
def test_a_checksum_is_told_only_when_asked_for(s3, bucket, key, algorithm) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY, **{f"Checksum{algorithm}": text(algorithm, BODY)})
    assert f"Checksum{algorithm}" not in s3.head_object(Bucket=bucket, Key=key)


@ALL
def test_a_wrong_checksum_is_refused(s3, bucket, key, algorithm) -> None:
    wrong = text(algorithm, b"other bytes")
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=BODY, **{f"Checksum{algorithm}": wrong}) == "400 BadDigest"
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"


@ALL
@pytest.mark.parametrize("value", ["", "AAA=", "not base64!", "A" * 200], ids=["empty", "short", "no-base64", "long"])
def test_a_malformed_checksum_is_refused(raw, bucket, key, algorithm, value) -> None:
    answer = raw("PUT", f"/{bucket}/{key}", headers={header(algorithm): value}, body=BODY)
    assert answer.outcome == "400 InvalidRequest"


@ALL
def test_the_named_algorithm_is_computed(s3, bucket, key, algorithm) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY, ChecksumAlgorithm=algorithm)
    assert s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == text(algorithm, BODY)


@ALL
def test_an_empty_object_has_a_checksum(s3, bucket, key, algorithm) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"", ChecksumAlgorithm=algorithm)
    assert s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == text(algorithm, b"")


def test_without_any_it_is_crc64nvme(raw, bucket, key) -> None:
    raw("PUT", f"/{bucket}/{key}", body=BODY)
    answer = raw("HEAD", f"/{bucket}/{key}", headers={"x-amz-checksum-mode": "ENABLED"})
    assert answer.headers["x-amz-checksum-crc64nvme"] == text("CRC64NVME", BODY)


def chunked(body: bytes, trailer: str, value: str, size: int = 8) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)] + [b""]
    lines = b"".join(b"%x\r\n" % len(piece) + (piece + b"\r\n" if piece else b"") for piece in pieces)
    return lines + f"{trailer}:{value}\r\n\r\n".encode()


def put_with_trailer(raw, bucket, key, algorithm, value, announced=None):
    body = chunked(BODY, header(algorithm), value)
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": announced or header(algorithm),
    }
    return raw("PUT", f"/{bucket}/{key}", headers=headers, body=body, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")


@ALL
def test_a_trailer_is_checked_and_kept(raw, s3, bucket, key, algorithm) -> None:
    answer = put_with_trailer(raw, bucket, key, algorithm, text(algorithm, BODY))
    assert answer.status == 200, answer.body
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY
    assert s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == text(algorithm, BODY)


@ALL
def test_a_wrong_trailer_is_refused(raw, bucket, key, algorithm) -> None:
    assert put_with_trailer(raw, bucket, key, algorithm, text(algorithm, b"other")).outcome == "400 BadDigest"
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


@ALL
def test_a_malformed_trailer_is_refused(raw, bucket, key, algorithm) -> None:
    assert put_with_trailer(raw, bucket, key, algorithm, "AAA=").outcome == "400 InvalidRequest"


def test_an_announced_trailer_must_come(raw, bucket, key) -> None:
    answer = put_with_trailer(raw, bucket, key, "CRC32", text("CRC32", BODY), announced="x-amz-checksum-sha256")
    assert answer.status == 400
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


def test_two_checksums_are_one_too_many(raw, bucket, key) -> None:
    headers = {header(algorithm): text(algorithm, BODY) for algorithm in ("CRC32", "SHA256")}
    assert raw("PUT", f"/{bucket}/{key}", headers=headers, body=BODY).outcome == "400 InvalidRequest"


def test_an_algorithm_that_contradicts_its_value(raw, bucket, key) -> None:
    headers = {header("CRC32"): text("CRC32", BODY), "x-amz-sdk-checksum-algorithm": "SHA256"}
    assert raw("PUT", f"/{bucket}/{key}", headers=headers, body=BODY).outcome == "400 InvalidRequest"


def test_an_unknown_algorithm(raw, bucket, key) -> None:
    assert raw("PUT", f"/{bucket}/{key}", headers={"x-amz-sdk-checksum-algorithm": "MD4"}, body=BODY).outcome == "400 InvalidRequest"


def test_a_range_has_no_checksum_of_the_whole(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY, ChecksumAlgorithm="SHA256")
    assert "ChecksumSHA256" not in s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-3", ChecksumMode="ENABLED")


def in_parts(s3, bucket: str, key: str, algorithm: str, kind: str | None, bodies: list[bytes]) -> dict:
    more = {"ChecksumType": kind} if kind else {}
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm, **more)["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload}
    field = f"Checksum{algorithm}"
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(**where, PartNumber=number, Body=body, **{field: text(algorithm, body)})
        parts.append({"PartNumber": number, "ETag": answer["ETag"], field: answer[field]})
    return s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


# The CRCs that are computed here bit by bit are too slow for parts of 5 MiB: one small part shows the same.
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_a_composite_checksum_is_that_of_the_parts(s3, bucket, key, algorithm) -> None:
    answer = in_parts(s3, bucket, key, algorithm, "COMPOSITE", [BODY])
    expected = text(algorithm, DIGEST[algorithm](BODY)) + "-1"
    assert (answer[f"Checksum{algorithm}"], answer["ChecksumType"]) == (expected, "COMPOSITE")
    assert s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == expected


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_full_checksum_is_that_of_the_object(s3, bucket, key, algorithm) -> None:
    answer = in_parts(s3, bucket, key, algorithm, "FULL_OBJECT", [BODY])
    assert (answer[f"Checksum{algorithm}"], answer["ChecksumType"]) == (text(algorithm, BODY), "FULL_OBJECT")


def test_a_full_checksum_of_two_parts(s3, bucket, key) -> None:
    bodies = [bytes(FIVE), b"tail"]
    assert in_parts(s3, bucket, key, "CRC32", "FULL_OBJECT", bodies)["ChecksumCRC32"] == text("CRC32", b"".join(bodies))


def test_a_composite_checksum_of_two_parts(s3, bucket, key) -> None:
    bodies = [bytes(FIVE), b"tail"]
    expected = text("SHA256", b"".join(DIGEST["SHA256"](body) for body in bodies)) + "-2"
    assert in_parts(s3, bucket, key, "SHA256", None, bodies)["ChecksumSHA256"] == expected


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("CRC32", "SOMETHING")]
)
def test_a_kind_that_the_algorithm_cannot_have(s3, bucket, key, algorithm, kind) -> None:
    answer = refused(s3.create_multipart_upload, Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert answer == "400 InvalidRequest"


def test_a_part_of_another_algorithm_is_refused(s3, bucket, key) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    answer = refused(
        s3.upload_part, Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=BODY, ChecksumCRC32=text("CRC32", BODY)
    )
    assert answer == "400 InvalidRequest"


@ALL
def test_a_wrong_checksum_of_a_part_is_refused(s3, bucket, key, algorithm) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm)["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": 1}
    assert refused(s3.upload_part, **where, Body=BODY, **{f"Checksum{algorithm}": text(algorithm, b"other")}) == "400 BadDigest"


@ALL
def test_a_wrong_checksum_at_completion_is_refused(s3, bucket, key, algorithm) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm)["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload}
    part = s3.upload_part(**where, PartNumber=1, Body=BODY)
    parts = [{"PartNumber": 1, "ETag": part["ETag"], f"Checksum{algorithm}": text(algorithm, b"other")}]
    assert refused(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": parts}) == "400 InvalidPart"


def test_parts_list_their_checksums(s3, bucket, key) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload}
    s3.upload_part(**where, PartNumber=1, Body=BODY)
    answer = s3.list_parts(**where)
    assert answer["ChecksumAlgorithm"] == "SHA256"
    assert answer["Parts"][0]["ChecksumSHA256"] == text("SHA256", BODY)


def test_listings_name_the_algorithm(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY, ChecksumAlgorithm="SHA1")
    assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]["ChecksumAlgorithm"] == ["SHA1"]


# GetObjectAttributes
ATTRIBUTES = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_each_attribute_is_told_alone(s3, bucket, key, name) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY, ChecksumAlgorithm="SHA256")
    answer = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=[name])
    told = {attribute for attribute in ATTRIBUTES if attribute in answer}
    assert told == ({name} if name != "ObjectParts" else set())


def test_attributes_describe_the_object(s3, bucket, key) -> None:
    etag = s3.put_object(Bucket=bucket, Key=key, Body=BODY, ChecksumAlgorithm="SHA256")["ETag"]
    answer = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=ATTRIBUTES)
    assert (answer["ETag"], answer["ObjectSize"], answer["StorageClass"]) == (etag.strip('"'), len(BODY), "STANDARD")
    assert answer["Checksum"] == {"ChecksumSHA256": text("SHA256", BODY), "ChecksumType": "FULL_OBJECT"}


def test_attributes_list_the_parts(s3, bucket, key) -> None:
    bodies = [bytes(FIVE), b"tail"]
    in_parts(s3, bucket, key, "SHA256", None, bodies)
    parts = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert parts["TotalPartsCount"] == 2
    found = [(part["PartNumber"], part["Size"], part["ChecksumSHA256"]) for part in parts["Parts"]]
    assert found == [(number, len(body), text("SHA256", body)) for number, body in enumerate(bodies, 1)]
    page = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectParts"], MaxParts=1)["ObjectParts"]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], len(page["Parts"])) == (True, 1, 1)
    rest = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectParts"], PartNumberMarker=1)["ObjectParts"]
    assert [part["PartNumber"] for part in rest["Parts"]] == [2]


@pytest.mark.parametrize("names", ["Nothing", "ETag,Nothing", ""], ids=["unknown", "one-unknown", "none"])
def test_unknown_attributes_are_refused(raw, s3, bucket, key, names) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    answer = raw("GET", f"/{bucket}/{key}", {"attributes": ""}, {"x-amz-object-attributes": names})
    assert answer.outcome in ("400 InvalidArgument", "400 InvalidRequest")


def test_attributes_of_a_missing_key(s3, bucket, key) -> None:
    assert refused(s3.get_object_attributes, Bucket=bucket, Key=key, ObjectAttributes=["ETag"]) == "404 NoSuchKey"


def test_attributes_of_a_version(s3, versioned, key) -> None:
    first = s3.put_object(Bucket=versioned, Key=key, Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned, Key=key, Body=b"22")
    answer = s3.get_object_attributes(Bucket=versioned, Key=key, VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (answer["ObjectSize"], answer["VersionId"]) == (1, first)
