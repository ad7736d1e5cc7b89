"""If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, on reads, writes, deletions and copies."""

import datetime

import pytest

from raw import refused

OTHER = '"00000000000000000000000000000000"'
PAST = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
FUTURE = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def known(s3, bucket) -> dict:
    """An object and its ETag."""
    etag = s3.put_object(Bucket=bucket, Key="known", Body=b"known")["ETag"]
    return {"Key": "known", "ETag": etag}


# The values: SAME stands for the object's ETag.
READS = [
    ({"IfMatch": "SAME"}, 200),
    ({"IfMatch": OTHER}, 412),
    ({"IfMatch": "*"}, 200),
    ({"IfNoneMatch": "SAME"}, 304),
    ({"IfNoneMatch": OTHER}, 200),
    ({"IfNoneMatch": "*"}, 304),
    ({"IfModifiedSince": PAST}, 200),
    ({"IfModifiedSince": FUTURE}, 304),
    ({"IfUnmodifiedSince": PAST}, 412),
    ({"IfUnmodifiedSince": FUTURE}, 200),
    # The documented combinations.
    ({"IfMatch": "SAME", "IfUnmodifiedSince": PAST}, 200),
    ({"IfNoneMatch": "SAME", "IfModifiedSince": PAST}, 304),
    ({"IfNoneMatch": OTHER, "IfModifiedSince": FUTURE}, 200),
    ({"IfMatch": OTHER, "IfUnmodifiedSince": FUTURE}, 412),
    ({"IfMatch": "SAME", "IfNoneMatch": "SAME"}, 304),
    ({"IfMatch": "UNQUOTED"}, 200),
    ({"IfNoneMatch": "UNQUOTED"}, 304),
]


def filled(conditions: dict, etag: str) -> dict:
    names = {"SAME": etag, "UNQUOTED": etag.strip('"')}
    return {name: names.get(value, value) if isinstance(value, str) else value for name, value in conditions.items()}


def label(conditions: dict) -> str:
    short = {OTHER: "other", PAST: "past", FUTURE: "future"}
    return "+".join(f"{name}={short.get(value, value)}" for name, value in conditions.items())


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize(("conditions", "status"), READS, ids=[label(case[0]) for case in READS])
def test_a_read_with_conditions(s3, bucket, known, operation, conditions, status) -> None:
    answer = refused(getattr(s3, operation), Bucket=bucket, Key=known["Key"], **filled(conditions, known["ETag"]))
    assert answer.split()[-1] == str(status) if status == 200 else answer.split()[0] == str(status)


def test_not_modified_has_the_etag_and_no_body(raw, bucket, known) -> None:
    answer = raw("GET", f"/{bucket}/known", headers={"if-none-match": known["ETag"]})
    assert (answer.status, answer.headers["etag"], answer.body) == (304, known["ETag"], b"")
    assert "last-modified" in answer.headers


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
@pytest.mark.parametrize("value", ["yesterday", "0", "2020-01-01T00:00:00Z"])
def test_a_date_that_is_none_is_ignored(raw, bucket, known, name, value) -> None:
    assert raw("GET", f"/{bucket}/known", headers={name: value}).status == 200


def test_conditions_of_a_missing_key(s3, bucket, key) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key=key, IfMatch=OTHER) == "404 NoSuchKey"
    assert refused(s3.get_object, Bucket=bucket, Key=key, IfNoneMatch="*") == "404 NoSuchKey"


# Writes: what is there before, the condition, the outcome.
WRITES = [
    ("nothing", {"IfNoneMatch": "*"}, "accepted: 200"),
    ("object", {"IfNoneMatch": "*"}, "412 PreconditionFailed"),
    ("object", {"IfMatch": "SAME"}, "accepted: 200"),
    ("object", {"IfMatch": OTHER}, "412 PreconditionFailed"),
    ("nothing", {"IfMatch": OTHER}, "404 NoSuchKey"),
    ("object", {"IfNoneMatch": OTHER}, "501 NotImplemented"),
]


@pytest.mark.parametrize(("before", "conditions", "outcome"), WRITES, ids=[f"{case[0]}-{label(case[1])}" for case in WRITES])
def test_a_put_with_a_condition(s3, bucket, key, before, conditions, outcome) -> None:
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b"before")["ETag"] if before == "object" else OTHER
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"after", **filled(conditions, etag)) == outcome
    if outcome.startswith("accepted"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"after"
    elif before == "object":
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"before"
    else:
        assert refused(s3.get_object, Bucket=bucket, Key=key) == "404 NoSuchKey"


@pytest.mark.parametrize(("before", "conditions", "outcome"), WRITES, ids=[f"{case[0]}-{label(case[1])}" for case in WRITES])
def test_completing_an_upload_with_a_condition(s3, bucket, key, before, conditions, outcome) -> None:
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b"before")["ETag"] if before == "object" else OTHER
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"after")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    arguments = {"Bucket": bucket, "Key": key, "UploadId": upload, "MultipartUpload": parts}
    assert refused(s3.complete_multipart_upload, **arguments, **filled(conditions, etag)) == outcome
    if outcome.startswith("412"):
        # The upload is still there and can be completed without the condition.
        s3.complete_multipart_upload(**arguments)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"after"


def test_a_deleted_key_can_be_created_anew(s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"1")
    s3.delete_object(Bucket=versioned, Key=key)
    assert refused(s3.put_object, Bucket=versioned, Key=key, Body=b"2", IfNoneMatch="*") == "accepted: 200"


def test_one_of_many_creators_wins(s3, bucket, key) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def create(number: int) -> str:
        return refused(s3.put_object, Bucket=bucket, Key=key, Body=str(number).encode(), IfNoneMatch="*")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(16)))
    assert sorted(outcomes) == ["412 PreconditionFailed"] * 15 + ["accepted: 200"]


DELETIONS = [
    ("SAME", "accepted: 204"),
    ("*", "accepted: 204"),
    (OTHER, "412 PreconditionFailed"),
]


@pytest.mark.parametrize(("etag", "outcome"), DELETIONS, ids=["same", "any", "other"])
def test_a_deletion_with_a_condition(s3, bucket, key, etag, outcome) -> None:
    known = s3.put_object(Bucket=bucket, Key=key, Body=b"x")["ETag"]
    given = known if etag == "SAME" else etag
    assert refused(s3.delete_object, Bucket=bucket, Key=key, IfMatch=given) == outcome
    assert refused(s3.head_object, Bucket=bucket, Key=key) == ("accepted: 200" if outcome.startswith("412") else "404")


COPIES = [
    ({"CopySourceIfMatch": "SAME"}, "accepted: 200"),
    ({"CopySourceIfMatch": OTHER}, "412 PreconditionFailed"),
    ({"CopySourceIfNoneMatch": "SAME"}, "412 PreconditionFailed"),
    ({"CopySourceIfNoneMatch": OTHER}, "accepted: 200"),
    ({"CopySourceIfModifiedSince": PAST}, "accepted: 200"),
    ({"CopySourceIfModifiedSince": FUTURE}, "412 PreconditionFailed"),
    ({"CopySourceIfUnmodifiedSince": PAST}, "412 PreconditionFailed"),
    ({"CopySourceIfUnmodifiedSince": FUTURE}, "accepted: 200"),
    ({"CopySourceIfMatch": "SAME", "CopySourceIfUnmodifiedSince": PAST}, "accepted: 200"),
    ({"CopySourceIfNoneMatch": "SAME", "CopySourceIfModifiedSince": PAST}, "412 PreconditionFailed"),
]


@pytest.mark.parametrize(("conditions", "outcome"), COPIES, ids=[label(case[0]) for case in COPIES])
def test_a_copy_with_conditions_on_its_source(s3, bucket, known, key, conditions, outcome) -> None:
    source = {"Bucket": bucket, "Key": known["Key"]}
    assert refused(s3.copy_object, Bucket=bucket, Key=key, CopySource=source, **filled(conditions, known["ETag"])) == outcome


@pytest.mark.parametrize(("conditions", "outcome"), COPIES[:4], ids=[label(case[0]) for case in COPIES[:4]])
def test_a_copied_part_with_conditions_on_its_source(s3, bucket, known, key, conditions, outcome) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    source = {"Bucket": bucket, "Key": known["Key"]}
    arguments = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": 1, "CopySource": source}
    assert refused(s3.upload_part_copy, **arguments, **filled(conditions, known["ETag"])) == outcome
