"""Tags of objects: with the upload, afterwards, their limits."""

import pytest

from raw import refused


def tag_set(*pairs: tuple[str, str]) -> dict:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in pairs]}


@pytest.fixture
def stored(s3, bucket, key) -> dict:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    return {"Bucket": bucket, "Key": key}


def test_an_object_has_no_tags_at_first(s3, stored) -> None:
    assert s3.get_object_tagging(**stored)["TagSet"] == []


SETS = {
    "one": [("a", "b")],
    "two": [("a", "b"), ("c", "d")],
    "empty-value": [("a", "")],
    "spaces": [("a b", "c d")],
    "symbols": [("a+b-c=d.e_f:g/h@i", "+-=._:/@")],
    "unicode": [("ключ", "значение"), ("日本", "語")],
    "case": [("a", "1"), ("A", "2")],
    "longest": [("k" * 128, "v" * 256)],
    "ten": [(f"t{number}", str(number)) for number in range(10)],
}


@pytest.mark.parametrize("pairs", SETS.values(), ids=SETS.keys())
def test_tags_come_back(s3, stored, pairs) -> None:
    s3.put_object_tagging(**stored, Tagging=tag_set(*pairs))
    found = [(tag["Key"], tag["Value"]) for tag in s3.get_object_tagging(**stored)["TagSet"]]
    assert sorted(found) == sorted(pairs)


BAD = {
    "key-too-long": ([("k" * 129, "v")], "400 InvalidTag"),
    "value-too-long": ([("k", "v" * 257)], "400 InvalidTag"),
    "empty-key": ([("", "v")], "400 InvalidTag"),
    "twice-the-same-key": ([("a", "1"), ("a", "2")], "400 InvalidTag"),
    "system-key": ([("aws:a", "1")], "400 InvalidTag"),
    "forbidden-character": ([("a", "<b>")], "400 InvalidTag"),
    "eleven": ([(f"t{number}", "v") for number in range(11)], "400 BadRequest"),
}


@pytest.mark.parametrize(("pairs", "outcome"), BAD.values(), ids=BAD.keys())
def test_bad_tags_are_refused(s3, stored, pairs, outcome) -> None:
    assert refused(s3.put_object_tagging, **stored, Tagging=tag_set(*pairs)) == outcome
    assert s3.get_object_tagging(**stored)["TagSet"] == []


HEADERS = [("a=b", [("a", "b")]), ("a=b&c=d", [("a", "b"), ("c", "d")]), ("a", [("a", "")]), ("a=b%20c", [("a", "b c")]), ("a=b+c", [("a", "b c")])]


@pytest.mark.parametrize(("given", "pairs"), HEADERS, ids=[case[0] for case in HEADERS])
def test_tags_come_with_the_upload(s3, bucket, key, given, pairs) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=given)
    found = [(tag["Key"], tag["Value"]) for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]]
    assert found == pairs


@pytest.mark.parametrize("given", ["a=1&a=2", "=v", f"{'k' * 129}=v", "&".join(f"t{n}=v" for n in range(11)), "aws:x=1"], ids=["twice", "empty", "long", "eleven", "system"])
def test_bad_tags_refuse_the_upload(s3, bucket, key, given) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"x", Tagging=given) in ("400 InvalidTag", "400 BadRequest")
    assert refused(s3.head_object, Bucket=bucket, Key=key) == "404"


def test_the_number_of_tags_is_told(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging="a=b&c=d")
    assert s3.get_object(Bucket=bucket, Key=key)["TagCount"] == 2


def test_tags_are_replaced(s3, stored) -> None:
    s3.put_object_tagging(**stored, Tagging=tag_set(("a", "1"), ("b", "2")))
    s3.put_object_tagging(**stored, Tagging=tag_set(("c", "3")))
    assert s3.get_object_tagging(**stored)["TagSet"] == tag_set(("c", "3"))["TagSet"]


def test_tags_are_deleted(s3, stored) -> None:
    s3.put_object_tagging(**stored, Tagging=tag_set(("a", "1")))
    assert s3.delete_object_tagging(**stored)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_object_tagging(**stored)["TagSet"] == []


def test_an_overwrite_has_no_tags(s3, stored) -> None:
    s3.put_object_tagging(**stored, Tagging=tag_set(("a", "1")))
    s3.put_object(**stored, Body=b"y")
    assert s3.get_object_tagging(**stored)["TagSet"] == []


def test_tagging_changes_neither_bytes_nor_etag(s3, stored) -> None:
    before = s3.head_object(**stored)
    s3.put_object_tagging(**stored, Tagging=tag_set(("a", "1")))
    after = s3.head_object(**stored)
    assert (before["ETag"], before["LastModified"]) == (after["ETag"], after["LastModified"])


@pytest.mark.parametrize("operation", ["get_object_tagging", "put_object_tagging", "delete_object_tagging"])
def test_a_missing_key_has_no_tags(s3, bucket, key, operation) -> None:
    more = {"Tagging": tag_set(("a", "b"))} if operation == "put_object_tagging" else {}
    assert refused(getattr(s3, operation), Bucket=bucket, Key=key, **more) == "404 NoSuchKey"


def test_a_tag_document_that_is_none(raw, stored) -> None:
    path = f"/{stored['Bucket']}/{stored['Key']}"
    for body in (b"<Tagging>", b"nonsense", b"<Other/>"):
        assert raw("PUT", path, {"tagging": ""}, body=body).outcome == "400 MalformedXML"
