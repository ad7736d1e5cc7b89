"""What only a programming client can ask: paging, conditions, metadata, errors."""

import hashlib

import botocore.exceptions
import pytest

import s3_clients


def code(caught: pytest.ExceptionInfo) -> tuple[int, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_pages_join_without_gap_or_repetition(cloud, scratch) -> None:
    s3 = cloud.client()
    keys = [f"paging/{number:03}" for number in range(23)]
    for key in keys:
        s3.put_object(Bucket=scratch, Key=key, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=scratch, Prefix="paging/", PaginationConfig={"PageSize": 5}))
    assert [len(page["Contents"]) for page in pages] == [5, 5, 5, 5, 3]
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys


def test_a_delimiter_folds_folders(cloud, scratch) -> None:
    s3 = cloud.client()
    for key in ("fold/a.bin", "fold/x/1.bin", "fold/x/2.bin", "fold/y z/1.bin"):
        s3.put_object(Bucket=scratch, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=scratch, Prefix="fold/", Delimiter="/")
    assert [found["Key"] for found in page["Contents"]] == ["fold/a.bin"]
    assert [found["Prefix"] for found in page["CommonPrefixes"]] == ["fold/x/", "fold/y z/"]


def test_keys_are_listed_in_the_order_of_their_bytes(cloud, scratch) -> None:
    s3 = cloud.client()
    keys = ["order/Z", "order/a", "order/a b", "order/a+b", "order/a/b", "order/ä", "order/日"]
    for key in reversed(keys):
        s3.put_object(Bucket=scratch, Key=key, Body=b"")
    found = [item["Key"] for item in s3.list_objects_v2(Bucket=scratch, Prefix="order/")["Contents"]]
    assert found == sorted(keys, key=str.encode)


def test_metadata_and_headers_come_back(cloud, scratch) -> None:
    s3 = cloud.client()
    headers = {"ContentType": "image/jpeg", "CacheControl": "max-age=60", "ContentDisposition": 'attachment; filename="a.jpg"'}
    s3.put_object(Bucket=scratch, Key="headers", Body=b"x", Metadata={"who": "a person", "n": "1"}, **headers)
    head = s3.head_object(Bucket=scratch, Key="headers")
    assert head["Metadata"] == {"who": "a person", "n": "1"}
    assert {name: head[name] for name in headers} == headers
    assert head["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'


def test_conditions_are_kept(cloud, scratch) -> None:
    s3 = cloud.client()
    etag = s3.put_object(Bucket=scratch, Key="condition", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=scratch, Key="condition", IfMatch=etag)["Body"].read() == b"x"
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=scratch, Key="condition", IfNoneMatch=etag)
    assert code(caught)[0] == 304
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=scratch, Key="condition", IfMatch='"00000000000000000000000000000000"')
    assert code(caught) == (412, "PreconditionFailed")


def test_a_presigned_put_stores_an_object(cloud, scratch) -> None:
    s3 = cloud.client()
    key = "presigned/put it + here (100%).bin"
    # boto3 presigns by signature version 2, which covers the media type even where none was asked for.
    params = {"Bucket": scratch, "Key": key, "ContentType": "application/octet-stream"}
    url = s3.generate_presigned_url("put_object", Params=params)
    s3_clients.fetch(url, data=b"put by nobody's client")
    assert s3.get_object(Bucket=scratch, Key=key)["Body"].read() == b"put by nobody's client"


def test_a_changed_presigned_url_is_refused(cloud, scratch) -> None:
    s3 = cloud.client()
    s3.put_object(Bucket=scratch, Key="presigned/one", Body=b"1")
    s3.put_object(Bucket=scratch, Key="presigned/two", Body=b"2")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": scratch, "Key": "presigned/one"})
    assert s3_clients.fetch(url) == b"1"
    with pytest.raises(OSError, match="403"):
        s3_clients.fetch(url.replace("presigned/one", "presigned/two"))


def test_many_objects_are_deleted_in_one_request(cloud, scratch) -> None:
    s3 = cloud.client()
    keys = [f"many/{number} + %.bin" for number in range(7)]
    for key in keys:
        s3.put_object(Bucket=scratch, Key=key, Body=b"")
    answer = s3.delete_objects(Bucket=scratch, Delete={"Objects": [{"Key": key} for key in [*keys, "many/never there"]]})
    assert not answer.get("Errors")
    assert cloud.keys(scratch, "many/") == set()


def test_what_is_not_there_is_named(cloud, scratch) -> None:
    s3 = cloud.client()
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket=scratch, Key="never stored")
    assert code(caught) == (404, "NoSuchKey")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.get_object(Bucket="no-such-bucket-here", Key="x")
    assert code(caught) == (404, "NoSuchBucket")


def test_a_wrong_secret_is_refused(cloud, scratch) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        cloud.client(aws_secret_access_key="wrong").list_objects_v2(Bucket=scratch)
    assert code(caught) == (403, "SignatureDoesNotMatch")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        cloud.client(aws_access_key_id="AKIAIOSFODNN7EXAMPLE").list_objects_v2(Bucket=scratch)
    assert code(caught) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_wrong_checksum_is_refused(algorithm, cloud, scratch) -> None:
    s3 = cloud.client()
    # The right checksum of other bytes.
    right = s3.put_object(Bucket=scratch, Key="checksum/right", Body=b"other bytes", ChecksumAlgorithm=algorithm)
    field = f"Checksum{algorithm}"
    assert right[field]
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        s3.put_object(Bucket=scratch, Key="checksum/wrong", Body=b"these bytes", **{field: right[field]})
    assert code(caught)[0] == 400
    assert cloud.keys(scratch, "checksum/wrong") == set()
