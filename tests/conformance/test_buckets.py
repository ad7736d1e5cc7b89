"""CreateBucket, HeadBucket, DeleteBucket, ListBuckets, GetBucketLocation, and names."""

import uuid

import pytest

from raw import refused


def unique(prefix: str = "b") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:16]}"


def test_create_answers_the_location(s3) -> None:
    name = unique()
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"


def test_a_bucket_of_ones_own_exists_already(s3, bucket) -> None:
    assert refused(s3.create_bucket, Bucket=bucket) == "409 BucketAlreadyOwnedByYou"


@pytest.mark.parametrize("place", ["us-east-1"])
def test_create_in_the_endpoints_region(s3, place) -> None:
    name = unique()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
    s3.head_bucket(Bucket=name)


@pytest.mark.parametrize("place", ["eu-west-1", "EU", "us-west-2"])
def test_create_in_another_region_is_refused(s3, place) -> None:
    answer = refused(s3.create_bucket, Bucket=unique(), CreateBucketConfiguration={"LocationConstraint": place})
    assert answer == "400 IllegalLocationConstraintException"


GOOD = ["abc", "a-b", "1ab", "a.b.c", "0-0", "a" * 63, "my.bucket-1.x", "abc1", "1.2.3", "a1.b2"]


@pytest.mark.parametrize("name", GOOD)
def test_a_legal_name_is_accepted(s3, name) -> None:
    s3.create_bucket(Bucket=name)
    try:
        s3.head_bucket(Bucket=name)
    finally:
        s3.delete_bucket(Bucket=name)


BAD = {
    "too-short": "ab",
    "one-letter": "a",
    "too-long": "a" * 64,
    "much-too-long": "a" * 255,
    "upper-case": "Abcdef",
    "all-upper-case": "ABCDEF",
    "underscore": "a_bc",
    "starts-with-hyphen": "-abc",
    "ends-with-hyphen": "abc-",
    "starts-with-dot": ".abc",
    "ends-with-dot": "abc.",
    "two-dots": "a..b",
    "ip-address": "192.168.5.4",
    "loopback": "127.0.0.1",
    "space": "a bc",
    "slash-encoded": "a%2fb",
    "exclamation": "abc!",
    "not-ascii": "bücket",
    "punycode": "xn--abc",
    "newline": "ab\nc",
    "nul": "ab\0c",
    "star": "ab*",
    "colon": "ab:c",
    "at": "user@bucket",
}


@pytest.mark.parametrize("name", BAD.values(), ids=BAD.keys())
def test_an_illegal_name_is_refused(raw, name) -> None:
    assert raw("PUT", f"/{name}").outcome == "400 InvalidBucketName"


def test_head_tells_the_region(s3, bucket) -> None:
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"


def test_head_of_a_missing_bucket(s3) -> None:
    assert refused(s3.head_bucket, Bucket=unique()) == "404"


def test_head_has_no_body(raw, bucket) -> None:
    assert raw("HEAD", f"/{unique()}").body == b""


def test_an_empty_bucket_is_deleted(s3, fresh) -> None:
    assert s3.delete_bucket(Bucket=fresh)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.head_bucket, Bucket=fresh) == "404"


def test_a_deleted_buckets_name_is_free(s3, fresh) -> None:
    s3.delete_bucket(Bucket=fresh)
    s3.create_bucket(Bucket=fresh)
    s3.head_bucket(Bucket=fresh)


def test_a_bucket_with_objects_is_kept(s3, fresh) -> None:
    s3.put_object(Bucket=fresh, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=fresh) == "409 BucketNotEmpty"


def test_a_bucket_with_delete_markers_is_kept(s3, fresh) -> None:
    s3.put_bucket_versioning(Bucket=fresh, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket=fresh, Key="k")
    assert refused(s3.delete_bucket, Bucket=fresh) == "409 BucketNotEmpty"


def test_unfinished_uploads_do_not_keep_a_bucket(s3, fresh) -> None:
    s3.create_multipart_upload(Bucket=fresh, Key="k")
    s3.delete_bucket(Bucket=fresh)


def test_settings_do_not_survive_their_bucket(s3, fresh) -> None:
    s3.put_bucket_tagging(Bucket=fresh, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_bucket_cors(Bucket=fresh, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]})
    s3.delete_bucket(Bucket=fresh)
    s3.create_bucket(Bucket=fresh)
    assert refused(s3.get_bucket_tagging, Bucket=fresh) == "404 NoSuchTagSet"
    assert refused(s3.get_bucket_cors, Bucket=fresh) == "404 NoSuchCORSConfiguration"


OPERATIONS_ON_NOTHING = [
    ("delete_bucket", {}),
    ("list_objects", {}),
    ("list_objects_v2", {}),
    ("list_object_versions", {}),
    ("list_multipart_uploads", {}),
    ("get_bucket_location", {}),
    ("get_bucket_versioning", {}),
    ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
    ("get_bucket_notification_configuration", {}),
    ("get_bucket_cors", {}),
    ("delete_bucket_cors", {}),
    ("get_bucket_tagging", {}),
    ("delete_bucket_tagging", {}),
    ("get_bucket_policy", {}),
    ("get_bucket_policy_status", {}),
    ("delete_bucket_policy", {}),
    ("get_bucket_acl", {}),
    ("get_bucket_ownership_controls", {}),
    ("get_public_access_block", {}),
    ("get_bucket_encryption", {}),
    ("get_object", {"Key": "k"}),
    ("put_object", {"Key": "k", "Body": b""}),
    ("delete_object", {"Key": "k"}),
    ("delete_objects", {"Delete": {"Objects": [{"Key": "k"}]}}),
    ("create_multipart_upload", {"Key": "k"}),
    ("get_object_tagging", {"Key": "k"}),
    ("get_object_attributes", {"Key": "k", "ObjectAttributes": ["ETag"]}),
]


@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS_ON_NOTHING, ids=[case[0] for case in OPERATIONS_ON_NOTHING])
def test_a_missing_bucket_is_named(s3, operation, arguments) -> None:
    assert refused(getattr(s3, operation), Bucket=unique(), **arguments) == "404 NoSuchBucket"


def test_list_names_the_buckets_with_dates(s3, bucket) -> None:
    answer = s3.list_buckets()
    mine = next(entry for entry in answer["Buckets"] if entry["Name"] == bucket)
    assert mine["CreationDate"].year >= 2020
    assert answer["Owner"]["ID"]


def test_list_is_sorted(s3) -> None:
    names = [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert names == sorted(names)


def test_list_by_prefix(s3) -> None:
    names = sorted(unique("listed") for _ in range(3))
    for name in names:
        s3.create_bucket(Bucket=name)
    answer = s3.list_buckets(Prefix="listed-")
    assert [entry["Name"] for entry in answer["Buckets"]] == names
    assert answer["Prefix"] == "listed-"


def test_list_by_pages(s3) -> None:
    names = sorted(unique("paged") for _ in range(5))
    for name in names:
        s3.create_bucket(Bucket=name)
    found, token = [], None
    for _ in range(3):
        page = s3.list_buckets(Prefix="paged-", MaxBuckets=2, **({"ContinuationToken": token} if token else {}))
        found += [entry["Name"] for entry in page["Buckets"]]
        token = page.get("ContinuationToken")
    assert found == names and token is None


@pytest.mark.parametrize("number", [0, -1, 10001])
def test_list_wants_a_sensible_number(s3, number) -> None:
    assert refused(s3.list_buckets, MaxBuckets=number) == "400 InvalidArgument"


def test_the_location_of_the_first_region_is_empty(s3, bucket) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


def test_versioning_is_off_at_first(s3, bucket) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


@pytest.mark.parametrize("operation", ["head_bucket", "list_objects_v2", "get_bucket_location", "get_bucket_versioning", "get_bucket_acl"])
def test_another_owner_is_refused(s3, bucket, operation) -> None:
    answer = refused(getattr(s3, operation), Bucket=bucket, ExpectedBucketOwner="999999999999")
    assert answer in ("403 AccessDenied", "403")


def test_the_right_owner_is_accepted(s3, bucket) -> None:
    owner = s3.list_buckets()["Owner"]["ID"]
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read"])
def test_a_public_acl_is_refused_as_in_any_new_bucket(s3, acl) -> None:
    assert refused(s3.create_bucket, Bucket=unique(), ACL=acl) == "400 AccessControlListNotSupported"


def test_object_lock_is_not_supported_and_says_so(s3) -> None:
    name = unique()
    assert refused(s3.create_bucket, Bucket=name, ObjectLockEnabledForBucket=True) == "501 NotImplemented"
    assert refused(s3.head_bucket, Bucket=name) == "404"
