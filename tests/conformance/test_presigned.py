"""Presigned GET, PUT, HEAD and DELETE, and forms (POST) with their policies."""

import base64
import datetime
import json
import re

import pytest

from raw import quote, sign


def at(raw, method: str, path: str, body: bytes = b"", headers=None, send_method: str | None = None, **options):
    query = raw.presigned(method, path, **options)
    return raw.send(send_method or method, quote(path, safe="-_.~/"), query, headers, body)


@pytest.fixture(scope="module")
def stored(s3, bucket) -> str:
    s3.put_object(Bucket=bucket, Key="stored", Body=b"stored")
    return f"/{bucket}/stored"


def test_a_get(raw, stored) -> None:
    answer = at(raw, "GET", stored)
    assert (answer.status, answer.body) == (200, b"stored")


def test_a_head(raw, stored) -> None:
    assert at(raw, "HEAD", stored).headers["content-length"] == "6"


def test_a_put(raw, s3, bucket, key) -> None:
    assert at(raw, "PUT", f"/{bucket}/{key}", b"put").status == 200
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"put"


def test_a_delete(raw, s3, bucket, key) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert at(raw, "DELETE", f"/{bucket}/{key}").status == 204
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


@pytest.mark.parametrize("name", ["a b", "a+b", "ünï", "100%", "a//b", "a/../b", "a=b&c"])
def test_a_difficult_name(raw, s3, bucket, name) -> None:
    assert at(raw, "PUT", f"/{bucket}/{name}", name.encode()).status == 200
    assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()


def test_clients_own_urls(s3, raw, stored, bucket) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "stored"}, ExpiresIn=60)
    path = url.removeprefix(f"http://{raw.host}")
    assert raw.send("GET", path).body == b"stored"


def test_signed_metadata_is_stored(raw, s3, bucket, key) -> None:
    headers = {"x-amz-meta-a": "b"}
    query = raw.presigned("PUT", f"/{bucket}/{key}", headers=headers)
    assert raw.send("PUT", f"/{bucket}/{key}", query, headers, b"x").status == 200
    assert s3.head_object(Bucket=bucket, Key=key)["Metadata"] == {"a": "b"}


def test_response_headers_are_overridden(raw, stored) -> None:
    answer = at(raw, "GET", stored, query=[("response-content-type", "text/css")])
    assert answer.headers["content-type"] == "text/css"


def test_an_old_url_is_refused(raw, stored) -> None:
    assert at(raw, "GET", stored, expires=10, skew=-20).outcome == "403 AccessDenied"


def test_a_url_may_be_used_until_it_expires(raw, stored) -> None:
    assert at(raw, "GET", stored, expires=3600, skew=-3000).status == 200


def test_a_url_of_the_future_is_refused(raw, stored) -> None:
    assert at(raw, "GET", stored, skew=1800).outcome == "403 RequestTimeTooSkewed"


@pytest.mark.parametrize(("expires", "status"), [(1, 200), (604800, 200), (604801, 400), (-1, 400), ("soon", 400), ("", 400), (0, 403)])
def test_a_url_lives_for_a_week_at_most(raw, stored, expires, status) -> None:
    skew = -1 if expires == 0 else 0
    answer = at(raw, "GET", stored, expires=expires, skew=skew)
    assert answer.status == status, answer.body
    assert status != 400 or answer.code == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Algorithm", "X-Amz-Signature"])
def test_every_parameter_is_needed(raw, stored, name) -> None:
    assert at(raw, "GET", stored, drop=(name,)).outcome == "400 AuthorizationQueryParametersError"


def test_another_method_is_refused(raw, stored) -> None:
    for method in ("PUT", "DELETE", "HEAD"):
        assert at(raw, "GET", stored, send_method=method).status == 403


def test_another_key_is_refused(raw, stored) -> None:
    assert raw.send("GET", f"{stored}2", raw.presigned("GET", stored)).outcome == "403 SignatureDoesNotMatch"


@pytest.mark.parametrize("extra", [("versionId", "null"), ("tagging", ""), ("acl", ""), ("response-content-type", "text/html"), ("x", "y")])
def test_an_added_parameter_is_refused(raw, stored, extra) -> None:
    assert raw.send("GET", stored, [*raw.presigned("GET", stored), extra]).outcome == "403 SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["X-Amz-Date", "X-Amz-Expires", "X-Amz-Credential"])
def test_a_changed_parameter_is_refused(raw, stored, name) -> None:
    changed = {"X-Amz-Expires": "3600", "X-Amz-Date": raw.stamp(-5), "X-Amz-Credential": f"{raw.access_key_id}/{raw.stamp()[:8]}/eu-west-1/s3/aws4_request"}
    query = [(key, changed[name] if key == name else value) for key, value in raw.presigned("GET", stored)]
    assert raw.send("GET", stored, query).outcome == "403 SignatureDoesNotMatch"


def test_an_unknown_key_id(raw, stored) -> None:
    query = [(key, value.replace(raw.access_key_id, "AKIAIOSFODNN7EXAMPLE")) for key, value in raw.presigned("GET", stored)]
    assert raw.send("GET", stored, query).outcome == "403 InvalidAccessKeyId"


@pytest.mark.parametrize("header", ["x-amz-meta-a", "x-amz-acl", "x-amz-tagging", "x-amz-copy-source", "x-amz-website-redirect-location"])
def test_an_added_header_is_refused(raw, bucket, key, header) -> None:
    answer = at(raw, "PUT", f"/{bucket}/{key}", b"x", {header: f"{bucket}/stored"})
    assert answer.outcome == "403 AccessDenied"
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


def test_a_host_that_is_not_signed_is_refused(raw, stored) -> None:
    assert at(raw, "GET", stored, signed=["x-nothing"]).status == 403


def test_two_signatures_are_one_too_many(raw, stored) -> None:
    query = raw.presigned("GET", stored)
    headers = raw.signed_headers("GET", stored, query, {}, b"")
    assert raw.send("GET", stored, query, headers).outcome == "400 InvalidArgument"


# Forms


def form(fields: list[tuple[str, str]], body: bytes = b"file", filename: str = "f.txt") -> tuple[bytes, dict]:
    lines = b"".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields)
    lines += f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: text/plain\r\n\r\n'.encode()
    lines += body + b"\r\n--b--\r\n"
    return lines, {"content-type": "multipart/form-data; boundary=b", "content-length": str(len(lines))}


def signed_form(raw, conditions: list, fields: list[tuple[str, str]], seconds: float = 600, secret: str | None = None, skew: float = 0) -> list[tuple[str, str]]:
    """The fields of a form with its policy and signature."""
    stamp = raw.stamp(skew)
    expiration = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    own = [
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", f"{raw.access_key_id}/{stamp[:8]}/us-east-1/s3/aws4_request"),
        ("x-amz-date", stamp),
    ]
    document = {"expiration": expiration, "conditions": [*conditions, *({name: value} for name, value in own)]}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    derived = ("AWS4" + (secret or raw.secret)).encode()
    for step in (stamp[:8], "us-east-1", "s3", "aws4_request"):
        derived = sign(derived, step)
    return [*fields, *own, ("policy", policy), ("x-amz-signature", sign(derived, policy).hex())]


def post(raw, bucket: str, conditions: list, fields: list[tuple[str, str]], body: bytes = b"file", **options):
    data, headers = form(signed_form(raw, [{"bucket": bucket}, *conditions], fields, **options), body)
    return raw.send("POST", f"/{bucket}", headers=headers, body=data)


def test_a_form_stores_its_file(raw, s3, bucket, key) -> None:
    answer = post(raw, bucket, [{"key": key}], [("key", key)])
    assert answer.status == 204, answer.body
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"file"
    assert answer.headers["etag"] and answer.headers["location"].endswith(key)


@pytest.mark.parametrize(("given", "status"), [("200", 200), ("201", 201), ("204", 204), ("302", 204), ("404", 204)])
def test_a_form_chooses_its_status(raw, bucket, key, given, status) -> None:
    fields = [("key", key), ("success_action_status", given)]
    answer = post(raw, bucket, [{"key": key}, {"success_action_status": given}], fields)
    assert answer.status == status
    if status == 201:
        assert (answer.element("Bucket"), answer.element("Key")) == (bucket, key)


def test_a_form_redirects(raw, bucket, key) -> None:
    there = "http://page.example/done?a=b"
    fields = [("key", key), ("success_action_redirect", there)]
    answer = post(raw, bucket, [{"key": key}, {"success_action_redirect": there}], fields)
    assert answer.status == 303
    location = answer.headers["location"]
    assert location.startswith(there) and f"bucket={bucket}" in location and f"key={key}" in location and "etag=" in location


def test_a_forms_headers_and_metadata_are_kept(raw, s3, bucket, key) -> None:
    fields = [("key", key), ("Content-Type", "image/png"), ("x-amz-meta-a", "b"), ("Cache-Control", "max-age=1")]
    answer = post(raw, bucket, [{name: value} for name, value in fields], fields)
    assert answer.status == 204, answer.body
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("image/png", {"a": "b"}, "max-age=1")


# conditions on the key, the key, whether it is accepted
KEYS = [
    ([["eq", "$key", "KEY"]], "", True),
    ([["eq", "$key", "KEY"]], "x", False),
    ([["starts-with", "$key", "KEY"]], "/deeper", True),
    ([["starts-with", "$key", "other"]], "", False),
    ([["starts-with", "$key", ""]], "", True),
    ([{"key": "KEY"}], "", True),
    ([{"key": "KEY"}], "x", False),
    ([], "", False),
]


@pytest.mark.parametrize(("conditions", "suffix", "accepted"), KEYS, ids=[f"{json.dumps(case[0])}-{case[1]}" for case in KEYS])
def test_a_policy_holds_the_key(raw, bucket, key, conditions, suffix, accepted) -> None:
    written = json.loads(json.dumps(conditions).replace("KEY", key))
    answer = post(raw, bucket, written, [("key", key + suffix)])
    assert answer.outcome == ("204" if accepted else "403 AccessDenied"), answer.body
    assert raw("HEAD", f"/{bucket}/{key}{suffix}").status == (200 if accepted else 404)


SIZES = [(0, 10, b"12345", "204"), (5, 5, b"12345", "204"), (6, 10, b"12345", "400 EntityTooSmall"), (0, 4, b"12345", "400 EntityTooLarge"), (0, 0, b"", "204")]


@pytest.mark.parametrize(("least", "most", "body", "outcome"), SIZES, ids=[f"{case[0]}-{case[1]}-{len(case[2])}" for case in SIZES])
def test_a_policy_holds_the_size(raw, bucket, key, least, most, body, outcome) -> None:
    answer = post(raw, bucket, [{"key": key}, ["content-length-range", least, most]], [("key", key)], body)
    assert answer.outcome == outcome


def test_a_field_that_the_policy_does_not_name_is_refused(raw, bucket, key) -> None:
    assert post(raw, bucket, [{"key": key}], [("key", key), ("x-amz-meta-a", "b")]).outcome == "403 AccessDenied"


def test_a_field_to_ignore_is_ignored(raw, bucket, key) -> None:
    assert post(raw, bucket, [{"key": key}], [("key", key), ("x-ignore-this", "b")]).status == 204


def test_an_expired_policy_is_refused(raw, bucket, key) -> None:
    assert post(raw, bucket, [{"key": key}], [("key", key)], seconds=-10).outcome == "403 AccessDenied"


def test_a_policy_for_another_bucket_is_refused(raw, bucket, fresh, key) -> None:
    data, headers = form(signed_form(raw, [{"bucket": fresh}, {"key": key}], [("key", key)]))
    assert raw.send("POST", f"/{bucket}", headers=headers, body=data).outcome == "403 AccessDenied"


def test_a_form_signed_by_another_secret_is_refused(raw, bucket, key) -> None:
    assert post(raw, bucket, [{"key": key}], [("key", key)], secret="wrong").outcome == "403 SignatureDoesNotMatch"


def test_a_changed_policy_is_refused(raw, bucket, key) -> None:
    fields = signed_form(raw, [{"bucket": bucket}, {"key": key}], [("key", key)])
    wider = signed_form(raw, [{"bucket": bucket}, ["starts-with", "$key", ""]], [("key", "x")])
    policy = dict(wider)["policy"]
    data, headers = form([(name, policy if name == "policy" else value) for name, value in fields])
    assert raw.send("POST", f"/{bucket}", headers=headers, body=data).status in (400, 403)
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


@pytest.mark.parametrize("policy", ["", "!!!", base64.b64encode(b"nonsense").decode(), base64.b64encode(b"{}").decode()], ids=["empty", "no-base64", "no-json", "no-policy"])
def test_a_policy_that_is_none_is_refused(raw, bucket, key, policy) -> None:
    fields = [(name, policy if name == "policy" else value) for name, value in signed_form(raw, [], [("key", key)])]
    data, headers = form(fields)
    assert raw.send("POST", f"/{bucket}", headers=headers, body=data).status in (400, 403)


def test_a_form_without_a_policy_is_everyones_and_refused(raw, bucket, key) -> None:
    data, headers = form([("key", key)])
    assert raw.send("POST", f"/{bucket}", headers=headers, body=data).outcome == "403 AccessDenied"


def test_a_form_without_a_key_is_refused(raw, bucket) -> None:
    assert post(raw, bucket, [], []).status == 400


def test_a_file_name_in_the_key_is_not_supported_and_says_so(raw, bucket) -> None:
    answer = post(raw, bucket, [["starts-with", "$key", ""]], [("key", "up/${filename}")])
    assert answer.outcome == "501 NotImplemented"


def test_a_forms_file_is_an_object_of_its_own_kind(raw, s3, bucket, key) -> None:
    body = bytes(range(256)) + b"\r\n--not the boundary\r\n"
    assert post(raw, bucket, [{"key": key}], [("key", key)], body).status == 204
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body


def test_clients_own_forms(s3, raw, bucket, key) -> None:
    made = s3.generate_presigned_post(bucket, key, Conditions=[["content-length-range", 0, 100]])
    data, headers = form(list(made["fields"].items()))
    path = re.sub("^http://[^/]+", "", made["url"])
    assert raw.send("POST", path, headers=headers, body=data).status == 204
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"file"
