"""Bucket policies: setting them, what they allow and deny, public access."""

import json

import pytest

from raw import refused

OPEN = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], False)


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(bucket: str, action: str | list = "s3:GetObject", path: str = "/*", effect: str = "Allow", **more) -> dict:
    return {"Effect": effect, "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}{path}"} | more


def account_of(s3) -> str:
    return s3.list_buckets()["Owner"]["ID"]


@pytest.fixture
def public(s3, fresh) -> str:
    """A bucket that may be opened to everyone."""
    s3.put_public_access_block(Bucket=fresh, PublicAccessBlockConfiguration=OPEN)
    s3.put_object(Bucket=fresh, Key="open/k", Body=b"open")
    s3.put_object(Bucket=fresh, Key="shut/k", Body=b"shut")
    return fresh


def test_a_policy_comes_back_as_it_was_written(s3, public) -> None:
    text = policy(statement(public)).replace(",", " ,  ")
    assert s3.put_bucket_policy(Bucket=public, Policy=text)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=public)["Policy"] == text


def test_a_policy_is_deleted(s3, raw, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public)))
    assert s3.delete_bucket_policy(Bucket=public)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.get_bucket_policy, Bucket=public) == "404 NoSuchBucketPolicy"
    assert raw.send("GET", f"/{public}/open/k").outcome == "403 AccessDenied"


def test_a_policy_does_not_survive_its_bucket(s3, raw, fresh) -> None:
    s3.put_public_access_block(Bucket=fresh, PublicAccessBlockConfiguration=OPEN)
    s3.put_bucket_policy(Bucket=fresh, Policy=policy(statement(fresh)))
    s3.delete_bucket(Bucket=fresh)
    s3.create_bucket(Bucket=fresh)
    s3.put_object(Bucket=fresh, Key="k", Body=b"x")
    assert raw.send("GET", f"/{fresh}/k").outcome == "403 AccessDenied"


BAD = {
    "no-json": "nonsense",
    "no-object": "[]",
    "no-statement": json.dumps({"Version": "2012-10-17"}),
    "unknown-field": json.dumps({"Version": "2012-10-17", "Statement": [], "Other": 1}),
    "no-principal": policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/*"}),
    "unknown-effect": policy(statement("BUCKET", effect="Perhaps")),
    "other-bucket": policy(statement("another-bucket")),
    "longer-bucket": policy(statement("BUCKETx")),
    "everything": policy(statement("BUCKET") | {"Resource": "*"}),
    "other-service": policy(statement("BUCKET", action="sqs:SendMessage")),
    "unknown-operator": policy(statement("BUCKET", Condition={"StringSortOf": {"aws:SourceIp": "1"}})),
    "unknown-key": policy(statement("BUCKET", effect="Deny", Condition={"StringEquals": {"s3:ExistingObjectTag/shut": "yes"}})),
    "too-long": policy(statement("BUCKET", Sid="x" * 21000)),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_policy_that_is_none_is_refused(s3, public, text) -> None:
    assert refused(s3.put_bucket_policy, Bucket=public, Policy=text.replace("BUCKET", public)) == "400 MalformedPolicy"
    assert refused(s3.get_bucket_policy, Bucket=public) == "404 NoSuchBucketPolicy"


def test_a_missing_bucket(s3) -> None:
    name = "no-such-bucket-3"
    assert refused(s3.put_bucket_policy, Bucket=name, Policy=policy(statement(name))) == "404 NoSuchBucket"


# What everyone may do, and what they then get: action, resource, request, outcome with and without.
GRANTS = [
    ("s3:GetObject", "/*", "GET", "/open/k", "200"),
    ("s3:GetObject", "/open/*", "GET", "/open/k", "200"),
    ("s3:GetObject", "/open/*", "GET", "/shut/k", "403 AccessDenied"),
    ("s3:GetObject", "/*", "HEAD", "/open/k", "200"),
    ("s3:GetObject", "/*", "GET", "/missing", "403 AccessDenied"),
    ("s3:GetObject", "/*", "PUT", "/open/k", "403 AccessDenied"),
    ("s3:GetObject", "/*", "DELETE", "/open/k", "403 AccessDenied"),
    ("s3:GetObject", "/*", "GET", "", "403 AccessDenied"),
    ("s3:ListBucket", "", "GET", "", "200"),
    ("s3:ListBucket", "", "HEAD", "", "200"),
    ("s3:ListBucket", "", "GET", "/open/k", "403 AccessDenied"),
    ("s3:PutObject", "/open/*", "PUT", "/open/new", "200"),
    ("s3:PutObject", "/open/*", "PUT", "/shut/new", "403 AccessDenied"),
    ("s3:DeleteObject", "/*", "DELETE", "/open/k", "204"),
    ("s3:Get*", "/*", "GET", "/open/k", "200"),
    ("s3:GetObjectTagging", "/*", "GET", "/open/k", "403 AccessDenied"),
]


@pytest.mark.parametrize(("action", "path", "method", "target", "outcome"), GRANTS, ids=["-".join(case[:4]) for case in GRANTS])
def test_everyone_may_do_what_the_policy_allows(s3, raw, public, action, path, method, target, outcome) -> None:
    before = raw.send(method, f"/{public}{target}")
    assert before.status == 403
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public, action, path)))
    answer = raw.send(method, f"/{public}{target}")
    assert str(answer.status) == outcome if method == "HEAD" else answer.outcome == outcome


def test_a_missing_key_is_told_to_those_who_may_list(s3, raw, public) -> None:
    both = policy(statement(public), statement(public, "s3:ListBucket", ""))
    s3.put_bucket_policy(Bucket=public, Policy=both)
    assert raw.send("GET", f"/{public}/missing").outcome == "404 NoSuchKey"


def test_a_deny_holds_for_the_owner_too(s3, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public, effect="Deny")))
    assert refused(s3.get_object, Bucket=public, Key="open/k") == "403 AccessDenied"
    assert refused(s3.put_object, Bucket=public, Key="open/k", Body=b"x") == "accepted: 200"


def test_the_owner_can_take_back_a_deny_of_everything(s3, public) -> None:
    everything = policy(statement(public, "s3:*", "", "Deny"), statement(public, "s3:*", "/*", "Deny"))
    s3.put_bucket_policy(Bucket=public, Policy=everything)
    assert refused(s3.list_objects_v2, Bucket=public) == "403 AccessDenied"
    s3.delete_bucket_policy(Bucket=public)
    assert refused(s3.list_objects_v2, Bucket=public) == "accepted: 200"


def test_a_deny_wins_over_an_allow(s3, raw, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public), statement(public, path="/shut/*", effect="Deny")))
    assert raw.send("GET", f"/{public}/open/k").status == 200
    assert raw.send("GET", f"/{public}/shut/k").outcome == "403 AccessDenied"


CONDITIONS = [
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, "200"),
    ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, "403 AccessDenied"),
    ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, "403 AccessDenied"),
    ({"Bool": {"aws:SecureTransport": "true"}}, "403 AccessDenied"),
    ({"Bool": {"aws:SecureTransport": "false"}}, "200"),
    ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, "403 AccessDenied"),
    ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, "200"),
]


@pytest.mark.parametrize(("condition", "outcome"), CONDITIONS, ids=[json.dumps(case[0]) for case in CONDITIONS])
def test_conditions_count(s3, raw, public, condition, outcome) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public, Condition=condition)))
    assert raw.send("GET", f"/{public}/open/k").outcome == outcome


def test_listing_may_be_held_to_a_prefix(s3, raw, public) -> None:
    only = statement(public, "s3:ListBucket", "", Condition={"StringEquals": {"s3:prefix": "open/"}})
    s3.put_bucket_policy(Bucket=public, Policy=policy(only))
    assert raw.send("GET", f"/{public}", {"list-type": "2", "prefix": "open/"}.items()).status == 200
    assert raw.send("GET", f"/{public}", {"list-type": "2"}.items()).outcome == "403 AccessDenied"


def test_many_deletions_are_decided_one_by_one(s3, raw, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public, "s3:DeleteObject", "/*"), statement(public, "s3:DeleteObject", "/shut/*", "Deny")))
    body = b"<Delete><Object><Key>open/k</Key></Object><Object><Key>shut/k</Key></Object></Delete>"
    answer = raw.send("POST", f"/{public}", [("delete", "")], {"content-length": str(len(body))}, body)
    assert answer.status == 200, answer.body
    assert b"<Deleted><Key>open/k</Key></Deleted>" in answer.body and b"AccessDenied" in answer.body
    s3.delete_bucket_policy(Bucket=public)
    assert refused(s3.head_object, Bucket=public, Key="shut/k") == "accepted: 200"
    assert refused(s3.head_object, Bucket=public, Key="open/k") == "404"


# Public or not, and what a block does.
def test_a_public_policy_is_blocked_in_a_new_bucket(s3, fresh) -> None:
    assert refused(s3.put_bucket_policy, Bucket=fresh, Policy=policy(statement(fresh))) == "403 AccessDenied"
    assert refused(s3.get_bucket_policy, Bucket=fresh) == "404 NoSuchBucketPolicy"


def test_a_policy_for_the_account_is_not_public(s3, fresh) -> None:
    mine = statement(fresh) | {"Principal": {"AWS": f"arn:aws:iam::{account_of(s3)}:root"}}
    s3.put_bucket_policy(Bucket=fresh, Policy=policy(mine))
    assert s3.get_bucket_policy_status(Bucket=fresh)["PolicyStatus"]["IsPublic"] is False


STATUS = [
    ({}, True),
    ({"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, False),
    ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, True),
    ({"Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}}, True),
    ({"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}}, False),
    ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, False),
    ({"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}}, True),
    ({"Effect": "Deny"}, False),
]


@pytest.mark.parametrize(("changes", "public_"), STATUS, ids=[json.dumps(case[0]) for case in STATUS])
def test_the_status_says_whether_a_policy_is_public(s3, public, changes, public_) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public) | changes))
    assert s3.get_bucket_policy_status(Bucket=public)["PolicyStatus"]["IsPublic"] is public_


def test_restricting_a_public_bucket_shuts_it_for_others(s3, raw, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public)))
    assert raw.send("GET", f"/{public}/open/k").status == 200
    s3.put_public_access_block(Bucket=public, PublicAccessBlockConfiguration=OPEN | {"RestrictPublicBuckets": True})
    assert raw.send("GET", f"/{public}/open/k").outcome == "403 AccessDenied"
    s3.delete_public_access_block(Bucket=public)
    assert raw.send("GET", f"/{public}/open/k").status == 200


def test_a_policy_counts_at_once(s3, raw, public) -> None:
    for _ in range(5):
        s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public)))
        assert raw.send("GET", f"/{public}/open/k").status == 200
        s3.delete_bucket_policy(Bucket=public)
        assert raw.send("GET", f"/{public}/open/k").outcome == "403 AccessDenied"


def test_a_form_of_everyone_is_decided_by_its_key(s3, raw, public) -> None:
    s3.put_bucket_policy(Bucket=public, Policy=policy(statement(public, "s3:PutObject", "/*"), statement(public, "s3:PutObject", "/shut/*", "Deny")))
    for key, status in (("open/form", 204), ("shut/form", 403)):
        body = (
            f'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n{key}\r\n'
            '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n'
        ).encode()
        headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(len(body))}
        assert raw.send("POST", f"/{public}", headers=headers, body=body).status == status
