"""Rules for browsers of other origins: setting them, preflight requests, headers of answers."""

import pytest

from raw import refused

ONE, TWO = "http://one.example", "http://two.example"
RULES = [
    {
        "ID": "writers",
        "AllowedOrigins": [ONE],
        "AllowedMethods": ["PUT", "POST", "DELETE"],
        "AllowedHeaders": ["Content-Type", "x-amz-*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedOrigins": ["https://*.wild.example"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"]},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD"]},
]


@pytest.fixture(scope="module")
def ruled(s3, bucket) -> str:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    return bucket


def test_rules_come_back(s3, ruled) -> None:
    assert s3.get_bucket_cors(Bucket=ruled)["CORSRules"] == RULES


def test_rules_are_deleted(s3, fresh) -> None:
    s3.put_bucket_cors(Bucket=fresh, CORSConfiguration={"CORSRules": RULES})
    assert s3.delete_bucket_cors(Bucket=fresh)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.get_bucket_cors, Bucket=fresh) == "404 NoSuchCORSConfiguration"


def test_rules_are_replaced(s3, fresh) -> None:
    for rules in (RULES, RULES[:1]):
        s3.put_bucket_cors(Bucket=fresh, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=fresh)["CORSRules"] == RULES[:1]


def rule(**changes) -> dict:
    return {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]} | changes


BAD = {
    "no-rules": ([], "400 MalformedXML"),
    "too-many-rules": ([rule()] * 101, "400 MalformedXML"),
    "no-origin": ([rule(AllowedOrigins=[])], "400 MalformedXML"),
    "no-method": ([rule(AllowedMethods=[])], "400 MalformedXML"),
    "unknown-method": ([rule(AllowedMethods=["PATCH"])], "400 InvalidRequest"),
    "options": ([rule(AllowedMethods=["OPTIONS"])], "400 InvalidRequest"),
    "lower-case-method": ([rule(AllowedMethods=["get"])], "400 InvalidRequest"),
    "two-wildcards-in-origin": ([rule(AllowedOrigins=["http://*.*"])], "400 InvalidRequest"),
    "two-wildcards-in-header": ([rule(AllowedHeaders=["*-*"])], "400 InvalidRequest"),
    "wildcard-exposed": ([rule(ExposeHeaders=["x-*"])], "400 InvalidRequest"),
    "long-id": ([rule(ID="i" * 256)], "400 InvalidArgument"),
}


@pytest.mark.parametrize(("rules", "outcome"), BAD.values(), ids=BAD.keys())
def test_bad_rules_are_refused(s3, fresh, rules, outcome) -> None:
    assert refused(s3.put_bucket_cors, Bucket=fresh, CORSConfiguration={"CORSRules": rules}) == outcome
    assert refused(s3.get_bucket_cors, Bucket=fresh) == "404 NoSuchCORSConfiguration"


def preflight(raw, bucket: str, origin: str | None, method: str | None, headers: str | None = None):
    asked = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return raw.send("OPTIONS", f"/{bucket}/k", headers={name: value for name, value in asked.items() if value is not None})


# origin, method, headers, allowed origin or None
PREFLIGHTS = [
    (ONE, "PUT", None, ONE),
    (ONE, "POST", None, ONE),
    (ONE, "DELETE", None, ONE),
    (ONE, "PUT", "content-type", ONE),
    (ONE, "PUT", "Content-Type, X-Amz-Date", ONE),
    (ONE, "PUT", "x-amz-meta-anything", ONE),
    (ONE, "PUT", "authorization", None),
    (ONE, "PUT", "content-type, other", None),
    (ONE, "GET", None, "*"),
    (ONE, "GET", "content-type", None),
    (TWO, "PUT", None, None),
    (TWO, "GET", None, "*"),
    (TWO, "HEAD", None, "*"),
    ("https://a.wild.example", "GET", "anything, at-all", "https://a.wild.example"),
    ("https://wild.example", "GET", "anything", None),
    ("http://a.wild.example", "GET", "anything", None),
    ("null", "GET", None, "*"),
]


@pytest.mark.parametrize(("origin", "method", "headers", "allowed"), PREFLIGHTS, ids=["-".join(map(str, case[:3])) for case in PREFLIGHTS])
def test_a_preflight_is_answered(raw, ruled, origin, method, headers, allowed) -> None:
    answer = preflight(raw, ruled, origin, method, headers)
    if allowed is None:
        assert answer.outcome == "403 AccessForbidden"
        assert "access-control-allow-origin" not in answer.headers
    else:
        assert answer.status == 200, answer.body
        assert answer.headers["access-control-allow-origin"] == allowed
        assert method in answer.headers["access-control-allow-methods"]
        assert answer.headers.get("access-control-allow-headers", "") == (headers or "").lower()


def test_a_preflight_tells_all_that_the_rule_says(raw, ruled) -> None:
    headers = preflight(raw, ruled, ONE, "PUT").headers
    assert headers["access-control-expose-headers"] == "ETag, x-amz-version-id"
    assert headers["access-control-max-age"] == "600"
    assert headers["access-control-allow-credentials"] == "true"
    assert "Origin" in headers["vary"]


def test_everyone_sends_no_credentials(raw, ruled) -> None:
    assert "access-control-allow-credentials" not in preflight(raw, ruled, TWO, "GET").headers


@pytest.mark.parametrize(("origin", "method", "status"), [(None, "GET", 400), (ONE, None, 400), (ONE, "NONSENSE", 400)], ids=["no-origin", "no-method", "unknown-method"])
def test_an_incomplete_preflight(raw, ruled, origin, method, status) -> None:
    assert preflight(raw, ruled, origin, method).status == status


def test_a_preflight_of_a_bucket_without_rules(raw, fresh) -> None:
    assert preflight(raw, fresh, ONE, "GET").outcome == "403 AccessForbidden"


def test_a_preflight_of_no_bucket(raw) -> None:
    assert preflight(raw, "no-such-bucket-2", ONE, "GET").outcome == "403 AccessForbidden"


def test_a_preflight_needs_no_signature_and_opens_no_door(raw, ruled) -> None:
    assert preflight(raw, ruled, TWO, "GET").status == 200
    assert raw.send("GET", f"/{ruled}/k", headers={"origin": TWO}).outcome == "403 AccessDenied"


@pytest.mark.parametrize(("origin", "method", "allowed"), [(ONE, "PUT", ONE), (TWO, "PUT", None), (TWO, "GET", "*"), (ONE, "HEAD", "*")])
def test_an_answer_lets_the_page_read_it(raw, ruled, origin, method, allowed) -> None:
    answer = raw(method, f"/{ruled}/k", headers={"origin": origin}, body=b"x" if method == "PUT" else b"")
    assert answer.status == 200
    assert answer.headers.get("access-control-allow-origin") == allowed


def test_an_error_lets_the_page_read_it_too(raw, ruled) -> None:
    answer = raw("GET", f"/{ruled}/missing", headers={"origin": TWO})
    assert (answer.outcome, answer.headers["access-control-allow-origin"]) == ("404 NoSuchKey", "*")


def test_without_an_origin_there_is_no_such_header(raw, ruled) -> None:
    assert "access-control-allow-origin" not in raw("GET", f"/{ruled}/k").headers


def test_a_preflight_by_host_name(raw, ruled) -> None:
    port = raw.host.split(":")[1]
    headers = {"host": f"{ruled}.localhost:{port}", "origin": TWO, "access-control-request-method": "GET"}
    assert raw.send("OPTIONS", "/k", headers=headers).status == 200
