"""Uploads in parts: creating, parts, listing, copying, completing, aborting."""

import hashlib

import pytest

from raw import refused

FIVE = 5 * 1024 * 1024
BIG = hashlib.shake_256(b"big").digest(FIVE)


def start(s3, bucket: str, key: str, **arguments) -> dict:
    answer = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)
    return {"Bucket": bucket, "Key": key, "UploadId": answer["UploadId"]}


def put(s3, upload: dict, number: int, body: bytes, **arguments) -> dict:
    return {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body, **arguments)["ETag"]}


def complete(s3, upload: dict, parts: list, **arguments):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **arguments)


@pytest.fixture(scope="module")
def in_parts(s3, bucket) -> dict:
    """An object of two parts."""
    upload = start(s3, bucket, "in-parts", ContentType="a/b", Metadata={"m": "n"}, Tagging="t=u")
    complete(s3, upload, [put(s3, upload, 1, BIG), put(s3, upload, 2, b"tail")])
    return {"Bucket": bucket, "Key": "in-parts"}


def test_create_names_the_upload(s3, bucket, key) -> None:
    answer = s3.create_multipart_upload(Bucket=bucket, Key=key)
    assert (answer["Bucket"], answer["Key"]) == (bucket, key) and answer["UploadId"]


def test_parts_become_the_object(s3, in_parts) -> None:
    assert s3.get_object(**in_parts)["Body"].read() == BIG + b"tail"


def test_the_etag_is_that_of_the_parts(s3, in_parts) -> None:
    digests = hashlib.md5(BIG).digest() + hashlib.md5(b"tail").digest()
    assert s3.head_object(**in_parts)["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'


def test_headers_metadata_and_tags_are_those_of_the_start(s3, in_parts) -> None:
    head = s3.head_object(**in_parts)
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"m": "n"})
    assert s3.get_object_tagging(**in_parts)["TagSet"] == [{"Key": "t", "Value": "u"}]


@pytest.mark.parametrize(("number", "size"), [(1, FIVE), (2, 4)])
def test_a_part_can_be_read(s3, in_parts, number, size) -> None:
    answer = s3.get_object(**in_parts, PartNumber=number)
    assert (answer["ContentLength"], answer["PartsCount"]) == (size, 2)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == (BIG if number == 1 else b"tail")


def test_a_part_that_is_not_there_cannot_be_read(s3, in_parts) -> None:
    assert refused(s3.get_object, **in_parts, PartNumber=3) == "416 InvalidRange"


@pytest.mark.parametrize(("given", "body"), [("bytes=5242878-5242881", BIG[-2:] + b"ta"), ("bytes=-6", BIG[-2:] + b"tail"), ("bytes=0-3", BIG[:4])])
def test_a_range_spans_parts(s3, in_parts, given, body) -> None:
    assert s3.get_object(**in_parts, Range=given)["Body"].read() == body


def test_nothing_is_seen_before_completion(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    put(s3, upload, 1, b"x")
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0


def test_a_part_is_replaced(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    put(s3, upload, 1, b"first")
    complete(s3, upload, [put(s3, upload, 1, b"second")])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"second"


def test_parts_that_are_not_listed_are_left_out(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    parts = [put(s3, upload, number, str(number).encode()) for number in (1, 2, 3)]
    complete(s3, upload, parts[1:2])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"2"


def test_numbers_may_have_gaps(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    complete(s3, upload, [put(s3, upload, 3, BIG), put(s3, upload, 10000, b"x")])
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == FIVE + 1


@pytest.mark.parametrize("number", [0, -1, 10001])
def test_a_part_number_out_of_range(s3, bucket, key, number) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.upload_part, **upload, PartNumber=number, Body=b"x") == "400 InvalidArgument"


def test_repeated_completion_is_answered_as_the_first(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    parts = [put(s3, upload, 1, b"x")]
    first, second = (complete(s3, upload, parts) for _ in range(2))
    assert [first[name] == second[name] for name in ("ETag", "Location", "Bucket", "Key")] == [True] * 4


def test_repeated_completion_undoes_nothing(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    parts = [put(s3, upload, 1, b"x")]
    complete(s3, upload, parts)
    s3.put_object(Bucket=bucket, Key=key, Body=b"later")
    complete(s3, upload, parts)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"later"


def test_a_completed_upload_is_not_completed_otherwise(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    complete(s3, upload, [put(s3, upload, 1, b"x")])
    other = [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]
    assert refused(complete, s3=s3, upload=upload, parts=other) == "404 NoSuchUpload"


def test_a_completed_upload_takes_no_part(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    complete(s3, upload, [put(s3, upload, 1, b"x")])
    assert refused(s3.upload_part, **upload, PartNumber=2, Body=b"y") == "404 NoSuchUpload"


def test_the_location_is_told(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    answer = complete(s3, upload, [put(s3, upload, 1, b"x")])
    assert answer["Location"].endswith(f"/{bucket}/{key}")


REFUSED = {
    "no-parts": ([], "400 MalformedXML"),
    "wrong-order": ([2, 1], "400 InvalidPartOrder"),
    "twice-the-same": ([1, 1], "400 InvalidPartOrder"),
    "never-uploaded": ([1, 3], "400 InvalidPart"),
    "too-small": ([1, 2], "400 EntityTooSmall"),
}


@pytest.mark.parametrize(("numbers", "outcome"), REFUSED.values(), ids=REFUSED.keys())
def test_a_list_of_parts_is_refused(s3, bucket, key, numbers, outcome) -> None:
    upload = start(s3, bucket, key)
    known = {number: put(s3, upload, number, b"x") for number in (1, 2)}
    parts = [known.get(number, {"PartNumber": number, "ETag": known[1]["ETag"]}) for number in numbers]
    assert refused(complete, s3=s3, upload=upload, parts=parts) == outcome
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"


def test_a_wrong_etag_is_an_invalid_part(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    put(s3, upload, 1, b"x")
    parts = [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]
    assert refused(complete, s3=s3, upload=upload, parts=parts) == "400 InvalidPart"


def test_an_etag_without_quotes_is_accepted(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    part = put(s3, upload, 1, b"x")
    complete(s3, upload, [{"PartNumber": 1, "ETag": part["ETag"].strip('"')}])


@pytest.mark.parametrize("operation", ["upload_part", "complete_multipart_upload", "abort_multipart_upload", "list_parts"])
def test_an_upload_that_never_was(s3, bucket, key, operation) -> None:
    more = {
        "upload_part": {"PartNumber": 1, "Body": b"x"},
        "complete_multipart_upload": {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]}},
    }
    assert refused(getattr(s3, operation), Bucket=bucket, Key=key, UploadId="never", **more.get(operation, {})) == "404 NoSuchUpload"


def test_an_upload_belongs_to_its_key(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.upload_part, **(upload | {"Key": f"{key}-2"}), PartNumber=1, Body=b"x") == "404 NoSuchUpload"


def test_an_upload_belongs_to_its_bucket(s3, bucket, fresh, key) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.list_parts, **(upload | {"Bucket": fresh})) == "404 NoSuchUpload"


def test_an_aborted_upload_is_gone(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    put(s3, upload, 1, b"x")
    assert s3.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.abort_multipart_upload, **upload) == "404 NoSuchUpload"
    assert refused(s3.list_parts, **upload) == "404 NoSuchUpload"


def test_parts_are_listed(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    for number in (2, 1, 5):
        put(s3, upload, number, b"x" * number)
    answer = s3.list_parts(**upload)
    assert [(part["PartNumber"], part["Size"]) for part in answer["Parts"]] == [(1, 1), (2, 2), (5, 5)]
    assert answer["IsTruncated"] is False and answer["StorageClass"] == "STANDARD"
    assert answer["Owner"]["ID"] and answer["Initiator"]["ID"]


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6])
def test_pages_of_parts_join(s3, bucket, key, size) -> None:
    upload = start(s3, bucket, key)
    for number in range(1, 6):
        put(s3, upload, number, b"x")
    found, marker, truncated = [], 0, True
    while truncated:
        page = s3.list_parts(**upload, MaxParts=size, PartNumberMarker=marker)
        found += [part["PartNumber"] for part in page["Parts"]]
        truncated, marker = page["IsTruncated"], page.get("NextPartNumberMarker")
    assert found == [1, 2, 3, 4, 5]


def test_uploads_are_listed(s3, fresh) -> None:
    uploads = [start(s3, fresh, name) for name in ("b", "a", "a")]
    found = s3.list_multipart_uploads(Bucket=fresh)["Uploads"]
    assert [upload["Key"] for upload in found] == ["a", "a", "b"]
    assert {upload["UploadId"] for upload in found} == {upload["UploadId"] for upload in uploads}


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_pages_of_uploads_join(s3, fresh, size) -> None:
    wanted = sorted((name, start(s3, fresh, name)["UploadId"]) for name in ("a", "a", "b", "c", "c"))
    found, markers = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=fresh, MaxUploads=size, **markers)
        found += [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", [])]
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert sorted(found) == wanted and len(found) == 5


def test_uploads_are_folded_and_filtered(s3, fresh) -> None:
    for name in ("a/1", "a/2", "b", "c/1"):
        start(s3, fresh, name)
    answer = s3.list_multipart_uploads(Bucket=fresh, Delimiter="/")
    assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == ["a/", "c/"]
    assert [entry["Key"] for entry in answer["Uploads"]] == ["b"]
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=fresh, Prefix="a/")["Uploads"]] == ["a/1", "a/2"]


def test_a_part_is_copied(s3, bucket, in_parts, key) -> None:
    upload = start(s3, bucket, key)
    answer = s3.upload_part_copy(**upload, PartNumber=1, CopySource=in_parts)
    complete(s3, upload, [{"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BIG + b"tail"


def test_a_range_is_copied_as_a_part(s3, bucket, in_parts, key) -> None:
    upload = start(s3, bucket, key)
    answer = s3.upload_part_copy(**upload, PartNumber=1, CopySource=in_parts, CopySourceRange="bytes=5242878-5242881")
    complete(s3, upload, [{"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BIG[-2:] + b"ta"


@pytest.mark.parametrize("given", ["bytes=0-99999999", "bytes=2-", "bytes=-2", "0-2", "bytes=3-2", "bytes=a-b"])
def test_a_range_to_copy_lies_within_the_source(s3, bucket, in_parts, key, given) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.upload_part_copy, **upload, PartNumber=1, CopySource=in_parts, CopySourceRange=given) == "400 InvalidArgument"


def test_a_missing_source_of_a_part(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.upload_part_copy, **upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "missing"}) == "404 NoSuchKey"


@pytest.mark.parametrize(("size", "outcome"), [(1, "accepted: 200"), (2, "400 InvalidArgument")])
def test_the_announced_size_is_checked(s3, bucket, key, size, outcome) -> None:
    upload = start(s3, bucket, key)
    part = put(s3, upload, 1, b"x")
    assert refused(complete, s3=s3, upload=upload, parts=[part], MpuObjectSize=size) == outcome


@pytest.mark.parametrize("arguments", [{"ServerSideEncryption": "aws:kms"}, {"StorageClass": "GLACIER"}, {"ACL": "public-read"}], ids=["sse", "class", "acl"])
def test_what_is_not_done_is_not_promised(s3, bucket, key, arguments) -> None:
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key=key, **arguments) in ("501 NotImplemented", "400 AccessControlListNotSupported")


def test_an_upload_overwrites_an_object(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"before")
    upload = start(s3, bucket, key)
    complete(s3, upload, [put(s3, upload, 1, b"after")])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"after"


def test_a_part_with_a_wrong_md5_is_refused(s3, bucket, key) -> None:
    upload = start(s3, bucket, key)
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"x", ContentMD5="XrY7u+Ae7tCTyyK7j1rNww==") == "400 BadDigest"
    assert "Parts" not in s3.list_parts(**upload)
