"""Versioning: states, version ids everywhere, delete markers, ListObjectVersions."""

import pytest

from raw import refused


def turn(s3, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def history(s3, bucket: str, **arguments) -> list[tuple[str, str, bool, bool]]:
    """Key, version, latest, marker: as they are listed within each kind."""
    answer = s3.list_object_versions(Bucket=bucket, **arguments)
    entries = [(entry, False) for entry in answer.get("Versions", [])] + [(entry, True) for entry in answer.get("DeleteMarkers", [])]
    return [(entry["Key"], entry["VersionId"], entry["IsLatest"], marker) for entry, marker in entries]


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_the_state_is_kept(s3, fresh, status) -> None:
    turn(s3, fresh, status)
    assert s3.get_bucket_versioning(Bucket=fresh)["Status"] == status


@pytest.mark.parametrize("status", ["", "enabled", "On"])
def test_an_unknown_state_is_refused(s3, fresh, status) -> None:
    answer = refused(s3.put_bucket_versioning, Bucket=fresh, VersioningConfiguration={"Status": status})
    assert answer in ("400 IllegalVersioningConfigurationException", "400 MalformedXML")
    assert "Status" not in s3.get_bucket_versioning(Bucket=fresh)


def test_mfa_delete_is_not_supported_and_says_so(s3, fresh) -> None:
    wanted = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert refused(s3.put_bucket_versioning, Bucket=fresh, VersioningConfiguration=wanted) == "501 NotImplemented"


def test_each_put_is_a_version(s3, versioned, key) -> None:
    versions = [s3.put_object(Bucket=versioned, Key=key, Body=str(number).encode())["VersionId"] for number in range(3)]
    assert len(set(versions)) == 3
    for number, version in enumerate(versions):
        answer = s3.get_object(Bucket=versioned, Key=key, VersionId=version)
        assert (answer["Body"].read(), answer["VersionId"]) == (str(number).encode(), version)
    assert s3.get_object(Bucket=versioned, Key=key)["VersionId"] == versions[-1]


def test_the_newest_is_listed_first(s3, versioned, key) -> None:
    versions = [s3.put_object(Bucket=versioned, Key=key, Body=b"")["VersionId"] for _ in range(3)]
    assert history(s3, versioned, Prefix=key) == [(key, version, version == versions[-1], False) for version in reversed(versions)]


def test_a_deletion_makes_a_marker(s3, versioned, key) -> None:
    kept = s3.put_object(Bucket=versioned, Key=key, Body=b"x")["VersionId"]
    answer = s3.delete_object(Bucket=versioned, Key=key)
    assert answer["DeleteMarker"] is True
    assert refused(s3.get_object, Bucket=versioned, Key=key) == "404 NoSuchKey"
    assert s3.get_object(Bucket=versioned, Key=key, VersionId=kept)["Body"].read() == b"x"
    assert history(s3, versioned, Prefix=key) == [(key, kept, False, False), (key, answer["VersionId"], True, True)]


def test_a_missing_key_tells_of_its_marker(raw, s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"x")
    marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    answer = raw("GET", f"/{versioned}/{key}")
    assert (answer.status, answer.headers["x-amz-delete-marker"], answer.headers["x-amz-version-id"]) == (404, "true", marker)


def test_a_deletion_of_nothing_makes_a_marker_too(s3, versioned, key) -> None:
    assert s3.delete_object(Bucket=versioned, Key=key)["DeleteMarker"] is True
    assert len(history(s3, versioned, Prefix=key)) == 1


def test_each_deletion_makes_another_marker(s3, versioned, key) -> None:
    markers = {s3.delete_object(Bucket=versioned, Key=key)["VersionId"] for _ in range(3)}
    assert len(markers) == 3


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_marker_cannot_be_read(s3, versioned, key, operation) -> None:
    marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    assert refused(getattr(s3, operation), Bucket=versioned, Key=key, VersionId=marker).startswith("405")


def test_removing_the_marker_brings_the_object_back(s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"x")
    marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    answer = s3.delete_object(Bucket=versioned, Key=key, VersionId=marker)
    assert (answer["DeleteMarker"], answer["VersionId"]) == (True, marker)
    assert s3.get_object(Bucket=versioned, Key=key)["Body"].read() == b"x"


def test_removing_the_newest_version_uncovers_the_one_before(s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"1")
    newest = s3.put_object(Bucket=versioned, Key=key, Body=b"2")["VersionId"]
    answer = s3.delete_object(Bucket=versioned, Key=key, VersionId=newest)
    assert answer["VersionId"] == newest and "DeleteMarker" not in answer
    assert s3.get_object(Bucket=versioned, Key=key)["Body"].read() == b"1"


def test_removing_an_old_version_keeps_the_newest(s3, versioned, key) -> None:
    old = s3.put_object(Bucket=versioned, Key=key, Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned, Key=key, Body=b"2")
    s3.delete_object(Bucket=versioned, Key=key, VersionId=old)
    assert s3.get_object(Bucket=versioned, Key=key)["Body"].read() == b"2"
    assert refused(s3.get_object, Bucket=versioned, Key=key, VersionId=old) == "404 NoSuchVersion"


def test_removing_a_version_twice_succeeds(s3, versioned, key) -> None:
    version = s3.put_object(Bucket=versioned, Key=key, Body=b"1")["VersionId"]
    for _ in range(2):
        assert refused(s3.delete_object, Bucket=versioned, Key=key, VersionId=version) == "accepted: 204"


@pytest.mark.parametrize("operation", ["get_object", "head_object", "get_object_tagging", "get_object_acl"])
def test_a_version_that_never_was(s3, versioned, key, operation) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"1")
    answer = refused(getattr(s3, operation), Bucket=versioned, Key=key, VersionId="0" * 32)
    assert answer in ("404 NoSuchVersion", "404")


def test_an_empty_version_id_is_refused(raw, s3, versioned, key) -> None:
    s3.put_object(Bucket=versioned, Key=key, Body=b"1")
    assert raw("GET", f"/{versioned}/{key}", {"versionId": ""}).outcome == "400 InvalidArgument"


def test_objects_from_before_versioning_have_the_null_version(s3, fresh) -> None:
    s3.put_object(Bucket=fresh, Key="k", Body=b"before")
    turn(s3, fresh, "Enabled")
    after = s3.put_object(Bucket=fresh, Key="k", Body=b"after")["VersionId"]
    assert history(s3, fresh) == [("k", after, True, False), ("k", "null", False, False)]
    assert s3.get_object(Bucket=fresh, Key="k", VersionId="null")["Body"].read() == b"before"


def test_suspended_versioning_replaces_the_null_version(s3, fresh) -> None:
    turn(s3, fresh, "Enabled")
    kept = s3.put_object(Bucket=fresh, Key="k", Body=b"kept")["VersionId"]
    turn(s3, fresh, "Suspended")
    for number in range(3):
        assert s3.put_object(Bucket=fresh, Key="k", Body=str(number).encode()).get("VersionId", "null") == "null"
    assert history(s3, fresh) == [("k", "null", True, False), ("k", kept, False, False)]
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == b"2"


def test_a_deletion_under_suspended_versioning_makes_a_null_marker(s3, fresh) -> None:
    turn(s3, fresh, "Enabled")
    kept = s3.put_object(Bucket=fresh, Key="k", Body=b"kept")["VersionId"]
    turn(s3, fresh, "Suspended")
    s3.put_object(Bucket=fresh, Key="k", Body=b"null")
    answer = s3.delete_object(Bucket=fresh, Key="k")
    assert (answer["DeleteMarker"], answer["VersionId"]) == (True, "null")
    assert history(s3, fresh) == [("k", kept, False, False), ("k", "null", True, True)]


def test_versions_resume_after_suspension(s3, fresh) -> None:
    for status in ("Enabled", "Suspended", "Enabled"):
        turn(s3, fresh, status)
        s3.put_object(Bucket=fresh, Key="k", Body=status.encode())
    assert len(history(s3, fresh)) == 3


def test_tags_belong_to_a_version(s3, versioned, key) -> None:
    first = s3.put_object(Bucket=versioned, Key=key, Body=b"1", Tagging="n=1")["VersionId"]
    s3.put_object(Bucket=versioned, Key=key, Body=b"2", Tagging="n=2")
    assert s3.get_object_tagging(Bucket=versioned, Key=key, VersionId=first)["TagSet"] == [{"Key": "n", "Value": "1"}]
    assert s3.get_object_tagging(Bucket=versioned, Key=key)["TagSet"] == [{"Key": "n", "Value": "2"}]


def test_metadata_belongs_to_a_version(s3, versioned, key) -> None:
    first = s3.put_object(Bucket=versioned, Key=key, Body=b"1", Metadata={"n": "1"})["VersionId"]
    s3.put_object(Bucket=versioned, Key=key, Body=b"2")
    assert s3.head_object(Bucket=versioned, Key=key, VersionId=first)["Metadata"] == {"n": "1"}
    assert s3.head_object(Bucket=versioned, Key=key)["Metadata"] == {}


def test_a_copy_of_an_old_version_is_a_new_version(s3, versioned, key) -> None:
    first = s3.put_object(Bucket=versioned, Key=key, Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned, Key=key, Body=b"2")
    source = {"Bucket": versioned, "Key": key, "VersionId": first}
    answer = s3.copy_object(Bucket=versioned, Key=key, CopySource=source)
    assert answer["CopySourceVersionId"] == first
    assert s3.get_object(Bucket=versioned, Key=key)["Body"].read() == b"1"
    assert len(history(s3, versioned, Prefix=key)) == 3


def test_a_marker_cannot_be_copied(s3, versioned, key) -> None:
    marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    source = {"Bucket": versioned, "Key": key, "VersionId": marker}
    assert refused(s3.copy_object, Bucket=versioned, Key=f"{key}-2", CopySource=source) == "400 InvalidRequest"


def test_an_upload_in_parts_makes_a_version(s3, versioned, key) -> None:
    upload = s3.create_multipart_upload(Bucket=versioned, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=versioned, Key=key, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    answer = s3.complete_multipart_upload(Bucket=versioned, Key=key, UploadId=upload, MultipartUpload=parts)
    assert s3.head_object(Bucket=versioned, Key=key)["VersionId"] == answer["VersionId"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 10])
def test_pages_of_versions_join(s3, fresh, size) -> None:
    turn(s3, fresh, "Enabled")
    for key in ("a", "b", "c"):
        for number in range(2):
            s3.put_object(Bucket=fresh, Key=key, Body=str(number).encode())
        s3.delete_object(Bucket=fresh, Key=key)
    whole = history(s3, fresh)
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=fresh, PaginationConfig={"PageSize": size}))
    found = [(entry["Key"], entry["VersionId"]) for page in pages for entry in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert sorted(found) == sorted((key, version) for key, version, _, _ in whole)
    assert len(found) == len(set(found)) == 9


def test_versions_are_folded_by_a_delimiter(s3, fresh) -> None:
    turn(s3, fresh, "Enabled")
    for key in ("a/1", "a/2", "b"):
        s3.put_object(Bucket=fresh, Key=key, Body=b"")
    answer = s3.list_object_versions(Bucket=fresh, Delimiter="/")
    assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == ["a/"]
    assert [entry["Key"] for entry in answer["Versions"]] == ["b"]


def test_a_version_marker_needs_a_key_marker(s3, versioned) -> None:
    assert refused(s3.list_object_versions, Bucket=versioned, VersionIdMarker="null") == "400 InvalidArgument"


def test_an_unversioned_bucket_lists_null_versions(s3, fresh) -> None:
    s3.put_object(Bucket=fresh, Key="k", Body=b"")
    assert history(s3, fresh) == [("k", "null", True, False)]
