"""Tags, ACLs, ownership, public access, and settings that are read but never configured here."""

import pytest

from raw import refused


def test_a_new_bucket_has_no_tags(s3, fresh) -> None:
    assert refused(s3.get_bucket_tagging, Bucket=fresh) == "404 NoSuchTagSet"


def test_tags_come_back(s3, fresh) -> None:
    tags = [{"Key": "project", "Value": "one"}, {"Key": "Cost Centre", "Value": "7/a+b=c@d_e.f:g"}, {"Key": "empty", "Value": ""}]
    assert s3.put_bucket_tagging(Bucket=fresh, Tagging={"TagSet": tags})["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=fresh)["TagSet"] == tags


def test_tags_are_replaced(s3, fresh) -> None:
    for value in ("1", "2"):
        s3.put_bucket_tagging(Bucket=fresh, Tagging={"TagSet": [{"Key": value, "Value": value}]})
    assert s3.get_bucket_tagging(Bucket=fresh)["TagSet"] == [{"Key": "2", "Value": "2"}]


def test_tags_are_deleted(s3, fresh) -> None:
    s3.put_bucket_tagging(Bucket=fresh, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.delete_bucket_tagging(Bucket=fresh)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.get_bucket_tagging, Bucket=fresh) == "404 NoSuchTagSet"


BAD_TAGS = {
    "twice-the-same-key": [("a", "1"), ("a", "2")],
    "key-too-long": [("k" * 129, "v")],
    "value-too-long": [("k", "v" * 257)],
    "empty-key": [("", "v")],
    "system-key": [("aws:x", "v")],
    "forbidden-character": [("a<b", "v")],
}


@pytest.mark.parametrize("tags", BAD_TAGS.values(), ids=BAD_TAGS.keys())
def test_bad_tags_are_refused(s3, bucket, tags) -> None:
    tag_set = [{"Key": name, "Value": value} for name, value in tags]
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": tag_set}) == "400 InvalidTag"


@pytest.mark.parametrize(("count", "outcome"), [(50, "accepted: 204"), (51, "400 BadRequest")])
def test_a_bucket_has_up_to_fifty_tags(s3, fresh, count, outcome) -> None:
    tag_set = [{"Key": f"t{number}", "Value": "v"} for number in range(count)]
    assert refused(s3.put_bucket_tagging, Bucket=fresh, Tagging={"TagSet": tag_set}) == outcome


def test_the_bucket_acl_is_its_owners(s3, bucket) -> None:
    answer = s3.get_bucket_acl(Bucket=bucket)
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in answer["Grants"]] == [(answer["Owner"]["ID"], "FULL_CONTROL")]


def test_the_object_acl_is_its_owners(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.get_object_acl(Bucket=bucket, Key=key)
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in answer["Grants"]] == [(answer["Owner"]["ID"], "FULL_CONTROL")]


def test_the_acl_of_a_missing_object(s3, bucket, key) -> None:
    assert refused(s3.get_object_acl, Bucket=bucket, Key=key) == "404 NoSuchKey"


@pytest.mark.parametrize("acl", ["private"])
def test_the_acl_that_holds_anyway_is_accepted(s3, bucket, key, acl) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    s3.put_object_acl(Bucket=bucket, Key=key, ACL=acl)


def test_the_acl_that_was_read_can_be_sent_back(s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for get, put, names in [
        (s3.get_bucket_acl, s3.put_bucket_acl, {"Bucket": bucket}),
        (s3.get_object_acl, s3.put_object_acl, {"Bucket": bucket, "Key": key}),
    ]:
        found = get(**names)
        put(**names, AccessControlPolicy={"Owner": found["Owner"], "Grants": found["Grants"]})


@pytest.mark.parametrize("grant", ["another-account", "everyone", "read-only", "one-more", "none"])
def test_a_document_that_grants_otherwise_is_refused(s3, bucket, key, grant) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    owner = s3.get_object_acl(Bucket=bucket, Key=key)["Owner"]
    own = {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"}
    everyone = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    grants = {
        "another-account": [own | {"Grantee": {"Type": "CanonicalUser", "ID": "999999999999"}}],
        "everyone": [own | {"Grantee": everyone}],
        "read-only": [own | {"Permission": "READ"}],
        "one-more": [own, {"Grantee": everyone, "Permission": "READ"}],
        "none": [],
    }[grant]
    acl = {"Owner": owner, "Grants": grants}
    assert refused(s3.put_object_acl, Bucket=bucket, Key=key, AccessControlPolicy=acl) == "400 AccessControlListNotSupported"


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read"])
def test_other_acls_are_refused(s3, bucket, key, acl) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert refused(s3.put_bucket_acl, Bucket=bucket, ACL=acl) == "400 AccessControlListNotSupported"
    assert refused(s3.put_object_acl, Bucket=bucket, Key=key, ACL=acl) == "400 AccessControlListNotSupported"


def test_objects_belong_to_the_buckets_owner(s3, bucket) -> None:
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize(
    ("ownership", "outcome"),
    [("BucketOwnerEnforced", "accepted: 200"), ("ObjectWriter", "501 NotImplemented"), ("BucketOwnerPreferred", "501 NotImplemented")],
)
def test_ownership_that_is_not_kept_is_not_accepted(s3, bucket, ownership, outcome) -> None:
    controls = {"Rules": [{"ObjectOwnership": ownership}]}
    assert refused(s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=controls) == outcome


FLAGS = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]


def test_a_new_bucket_blocks_public_access(s3, fresh) -> None:
    answer = s3.get_public_access_block(Bucket=fresh)["PublicAccessBlockConfiguration"]
    assert answer == dict.fromkeys(FLAGS, True)


@pytest.mark.parametrize("flag", FLAGS)
def test_each_block_is_kept_by_itself(s3, fresh, flag) -> None:
    wanted = dict.fromkeys(FLAGS, False) | {flag: True}
    s3.put_public_access_block(Bucket=fresh, PublicAccessBlockConfiguration=wanted)
    assert s3.get_public_access_block(Bucket=fresh)["PublicAccessBlockConfiguration"] == wanted


def test_a_deleted_block_is_gone(s3, fresh) -> None:
    s3.delete_public_access_block(Bucket=fresh)
    assert refused(s3.get_public_access_block, Bucket=fresh) == "404 NoSuchPublicAccessBlockConfiguration"


UNCONFIGURED = [
    ("get_bucket_encryption", "404 ServerSideEncryptionConfigurationNotFoundError"),
    ("get_bucket_lifecycle_configuration", "404 NoSuchLifecycleConfiguration"),
    ("get_bucket_website", "404 NoSuchWebsiteConfiguration"),
    ("get_bucket_replication", "404 ReplicationConfigurationNotFoundError"),
    ("get_object_lock_configuration", "404 ObjectLockConfigurationNotFoundError"),
    ("get_bucket_cors", "404 NoSuchCORSConfiguration"),
    ("get_bucket_policy", "404 NoSuchBucketPolicy"),
    ("get_bucket_policy_status", "404 NoSuchBucketPolicy"),
]


@pytest.mark.parametrize(("operation", "outcome"), UNCONFIGURED, ids=[case[0] for case in UNCONFIGURED])
def test_what_is_not_configured_has_its_own_error(s3, fresh, operation, outcome) -> None:
    assert refused(getattr(s3, operation), Bucket=fresh) == outcome


def test_the_owner_pays(s3, bucket) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"


def test_nothing_is_logged(s3, bucket) -> None:
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_nothing_is_accelerated(s3, bucket) -> None:
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)


UNSUPPORTED = [
    (
        "put_bucket_encryption",
        {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}},
    ),
    (
        "put_bucket_lifecycle_configuration",
        {"LifecycleConfiguration": {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}},
    ),
    ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}}),
    (
        "put_bucket_replication",
        {"ReplicationConfiguration": {"Role": "r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "b"}}]}},
    ),
    ("put_bucket_logging", {"BucketLoggingStatus": {}}),
    ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
    ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
    ("put_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
    (
        "put_bucket_metrics_configuration",
        {"Id": "m", "MetricsConfiguration": {"Id": "m"}},
    ),
    ("get_bucket_analytics_configuration", {"Id": "a"}),
    ("list_bucket_inventory_configurations", {}),
    ("get_object_torrent", {"Key": "k"}),
    ("restore_object", {"Key": "k", "RestoreRequest": {"Days": 1}}),
    ("get_object_retention", {"Key": "k"}),
    ("get_object_legal_hold", {"Key": "k"}),
    ("delete_bucket_lifecycle", {}),
    ("delete_bucket_website", {}),
    ("delete_bucket_encryption", {}),
]


@pytest.mark.parametrize(("operation", "arguments"), UNSUPPORTED, ids=[case[0] for case in UNSUPPORTED])
def test_what_is_not_supported_is_never_a_success(s3, bucket, operation, arguments) -> None:
    assert refused(getattr(s3, operation), Bucket=bucket, **arguments) == "501 NotImplemented"
