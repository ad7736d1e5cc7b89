"""DeleteObjects: many keys in one request, each answered by itself."""

import pytest

from raw import refused


def keys(*names: str) -> dict:
    return {"Objects": [{"Key": name} for name in names]}


def test_all_are_deleted_and_named(s3, fresh) -> None:
    names = ["a", "b c", "d+e", "ü", "f//g"]
    for name in names:
        s3.put_object(Bucket=fresh, Key=name, Body=b"")
    answer = s3.delete_objects(Bucket=fresh, Delete=keys(*names))
    assert [entry["Key"] for entry in answer["Deleted"]] == names and "Errors" not in answer
    assert s3.list_objects_v2(Bucket=fresh)["KeyCount"] == 0


def test_missing_keys_are_deleted_too(s3, bucket) -> None:
    assert [entry["Key"] for entry in s3.delete_objects(Bucket=bucket, Delete=keys("never"))["Deleted"]] == ["never"]


def test_quiet_names_nothing(s3, bucket) -> None:
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete=keys("a") | {"Quiet": True})


def test_markers_are_told(s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"")
    entry = s3.delete_objects(Bucket=versioned, Delete=keys(key))["Deleted"][0]
    assert entry["DeleteMarker"] is True and entry["DeleteMarkerVersionId"]


def test_versions_are_deleted(s3, versioned, key) -> None:
    version = s3.put_object(Bucket=versioned, Key=key, Body=b"")["VersionId"]
    entry = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": key, "VersionId": version}]})["Deleted"][0]
    assert entry["VersionId"] == version
    assert "Versions" not in s3.list_object_versions(Bucket=versioned, Prefix=key)


def test_a_condition_fails_its_key_alone(s3, bucket, key) -> None:
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b"x")["ETag"]
    s3.put_object(Bucket=bucket, Key=f"{key}-2", Body=b"x")
    objects = [{"Key": key, "ETag": '"00000000000000000000000000000000"'}, {"Key": f"{key}-2", "ETag": etag}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [(key, "PreconditionFailed")]
    assert [entry["Key"] for entry in answer["Deleted"]] == [f"{key}-2"]


@pytest.mark.parametrize(("count", "outcome"), [(0, "400 MalformedXML"), (1, "accepted: 200"), (1000, "accepted: 200"), (1001, "400 MalformedXML")])
def test_from_one_to_a_thousand(s3, bucket, count, outcome) -> None:
    assert refused(s3.delete_objects, Bucket=bucket, Delete=keys(*[f"k{number}" for number in range(count)])) == outcome


def test_a_key_that_is_too_long_fails_alone(s3, bucket) -> None:
    answer = s3.delete_objects(Bucket=bucket, Delete=keys("x" * 1025, "ok"))
    assert [entry["Code"] for entry in answer["Errors"]] == ["KeyTooLongError"]
    assert [entry["Key"] for entry in answer["Deleted"]] == ["ok"]


BODIES = {
    "nothing": b"",
    "no-xml": b"nonsense",
    "other-document": b"<Tagging><TagSet/></Tagging>",
    "unclosed": b"<Delete><Object><Key>a</Key>",
    "no-key": b"<Delete><Object></Object></Delete>",
    "two-keys": b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
    "trailing": b"<Delete><Object><Key>a</Key></Object></Delete><Delete/>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_document_that_is_none(raw, bucket, body) -> None:
    assert raw("POST", f"/{bucket}", {"delete": ""}, body=body).outcome in ("400 MalformedXML", "400 MissingRequestBodyError")


@pytest.mark.parametrize(("written", "name"), [("a&amp;b", "a&b"), ("a&lt;b", "a<b"), ("a&#32;b", "a b"), ("a&#xfc;", "aü"), ("&quot;", '"')])
def test_names_are_unescaped(raw, s3, bucket, written, name) -> None:
    s3.put_object(Bucket=bucket, Key=name, Body=b"")
    answer = raw("POST", f"/{bucket}", {"delete": ""}, body=f"<Delete><Object><Key>{written}</Key></Object></Delete>".encode())
    assert answer.status == 200
    assert refused(s3.head_object, Bucket=bucket, Key=name) == "404"


def test_a_namespace_is_accepted(raw, bucket) -> None:
    body = b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object></Delete>'
    assert raw("POST", f"/{bucket}", {"delete": ""}, body=body).status == 200
