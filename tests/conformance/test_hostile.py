"""Requests that mean harm: paths, names, headers, documents, sizes. Nothing leaves its place; the server stays up."""

import concurrent.futures
import os
import time
import urllib.request
from pathlib import Path

import pytest

from raw import quote


@pytest.fixture(scope="module")
def stored(s3, bucket) -> str:
    s3.put_object(Bucket=bucket, Key="stored", Body=b"stored")
    return f"/{bucket}/stored"


@pytest.fixture(autouse=True)
def alive(raw):
    """After each test the server still answers."""
    yield
    assert raw("GET", "/").status == 200


def memory(pid: int) -> int:
    """Bytes that a process holds."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


# Paths


CLIMBS = ["../../../../etc/passwd", "..", "../x", "a/../../b", "/etc/passwd", "..\\..\\x", "....//", ".", "objects/../cloud.db", "\x01\x02", "a\x7fb"]


@pytest.mark.parametrize("name", CLIMBS)
def test_a_key_that_climbs_is_a_name_like_any_other(raw, cloud, fresh, name) -> None:
    folder = cloud.log.parent
    outside = {path for path in folder.iterdir()}
    assert raw("PUT", f"/{fresh}/{name}", body=b"climber").status == 200
    assert raw("GET", f"/{fresh}/{name}").body == b"climber"
    assert {path for path in folder.iterdir()} == outside


@pytest.mark.parametrize("encoded", ["%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%2E%2E/%2E%2E/x", "..%2f..%2fx", "%252e%252e%252fx", "a%5c..%5cb"])
def test_an_encoded_key_that_climbs(raw, s3, cloud, fresh, encoded) -> None:
    import urllib.parse

    name = urllib.parse.unquote(encoded)
    path = f"/{fresh}/{quote(name, safe='-_.~/')}"
    headers = raw.signed_headers("PUT", path, [], {}, b"x")
    assert raw.send("PUT", f"/{fresh}/{encoded}", headers=headers, body=b"x").status == 200
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=fresh)["Contents"]] == [name]


BUCKETS = ["..", ".", "%2e%2e", "..%2f..", "%00", "a%00b", "~", "-", "...", "a%2f..%2fb", "objects", "127.0.0.1", "0x7f.1", "localhost", "%E2%80%AE"]


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_that_climbs_is_none(raw, name) -> None:
    path = f"/{name}/cloud.db"
    answer = raw.send("GET", path, headers=raw.signed_headers("GET", path, [], {}, b""))
    assert answer.status in (400, 403, 404)


@pytest.mark.parametrize("path", ["/%", "/%zz", "/b/%", "/b/%ff", "/b/%c3%28", "//", "///", "/?", "/b?%", "/b?a=%ff"])
def test_a_path_that_is_none(raw, path) -> None:
    assert raw.send("GET", path).status in (400, 403, 404)


def test_a_key_with_nul_stays_whole_or_is_refused(raw, s3, fresh) -> None:
    path = f"/{fresh}/a%00b"
    answer = raw.send("PUT", path, headers=raw.signed_headers("PUT", path, [], {}, b"x"), body=b"x")
    assert answer.status in (200, 400)
    assert raw("GET", f"/{fresh}/a").status == 404


# Headers


def request(raw, *lines: str, body: bytes = b"") -> bytes:
    return raw.bytes(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def lines_of(headers: dict) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items()]


def test_two_hosts_are_refused(raw, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    answer = request(raw, f"GET {stored} HTTP/1.1", *lines_of(headers), "Host: evil.localhost", "Connection: close")
    assert status(answer) == 400
    assert not answer.endswith(b"\r\n\r\nstored")


def test_no_host_is_refused(raw, stored) -> None:
    assert status(request(raw, f"GET {stored} HTTP/1.1", "Connection: close")) == 400


def test_a_foreign_host_names_no_bucket(raw, bucket, stored) -> None:
    headers = raw.signed_headers("GET", stored, [], {"host": f"{bucket}.evil.example"}, b"")
    assert raw.send("GET", stored, headers=headers).status == 200
    path = "/stored"
    headers = raw.signed_headers("GET", path, [], {"host": f"{bucket}.evil.example"}, b"")
    assert raw.send("GET", path, headers=headers).status == 404


def test_two_lengths_are_refused(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"x")
    answer = request(raw, f"PUT {path} HTTP/1.1", *lines_of(headers), "Content-Length: 1", "Content-Length: 50", "Connection: close", body=b"x")
    assert status(answer) == 400


SMUGGLED = b"0\r\n\r\nGET / HTTP/1.1\r\nHost: smuggled\r\n\r\n"


def test_a_length_and_chunks_smuggle_no_second_request(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"", payload="UNSIGNED-PAYLOAD")
    answer = request(
        raw, f"PUT {path} HTTP/1.1", *lines_of(headers), f"Content-Length: {len(SMUGGLED)}", "Transfer-Encoding: chunked", body=SMUGGLED
    )
    # What follows the chunks is at most another request of its own connection, never answered as the owner's.
    assert answer.count(b"HTTP/1.1 200") <= 1 and b"ListAllMyBucketsResult" not in answer


@pytest.mark.parametrize("coding", ["chunked, identity", "xchunked", "identity", "chunked\x0b", " chunked,chunked"])
def test_a_coding_that_is_none(raw, bucket, key, coding) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"", payload="UNSIGNED-PAYLOAD")
    answer = request(raw, f"PUT {path} HTTP/1.1", *lines_of(headers), f"Transfer-Encoding: {coding}", "Connection: close", body=b"1\r\nx\r\n0\r\n\r\n")
    assert answer == b"" or status(answer) in (400, 411, 501) or raw("GET", path).body == b"x"


@pytest.mark.parametrize("value", ["a\r\nx-amz-acl: public-read", "a\nb", "a\rb", "a\0b"], ids=["crlf", "lf", "cr", "nul"])
def test_metadata_does_not_break_the_line(raw, s3, bucket, key, value) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {"x-amz-meta-a": value}, b"")
    answer = request(raw, f"PUT {path} HTTP/1.1", *lines_of(headers), "Content-Length: 0", "Connection: close")
    assert status(answer) in (400, 403)
    assert raw("HEAD", path).status == 404


@pytest.mark.parametrize("parameter", ["response-content-type", "response-content-disposition", "response-cache-control"])
@pytest.mark.parametrize("value", ["a\r\nset-cookie: b=c", "a\nb", "a\0b"], ids=["crlf", "lf", "nul"])
def test_an_override_does_not_break_the_line(raw, stored, parameter, value) -> None:
    for method in ("GET", "HEAD"):
        answer = raw(method, stored, {parameter: value})
        assert "set-cookie" not in answer.headers and answer.status in (200, 400)


def test_a_redirect_does_not_break_the_line(raw, bucket, key) -> None:
    from test_presigned import post

    there = "http://a.example/\r\nset-cookie: b=c"
    answer = post(raw, bucket, [{"key": key}, ["starts-with", "$success_action_redirect", ""]], [("key", key), ("success_action_redirect", there)])
    assert "set-cookie" not in answer.headers


def test_very_many_headers(raw) -> None:
    answer = request(raw, "GET / HTTP/1.1", f"Host: {raw.host}", *[f"x-{number}: y" for number in range(5000)], "Connection: close")
    assert answer == b"" or status(answer) in (400, 403, 431)


def test_a_very_long_header(raw) -> None:
    answer = request(raw, "GET / HTTP/1.1", f"Host: {raw.host}", "x-long: " + "y" * 2_000_000, "Connection: close")
    assert answer == b"" or status(answer) in (400, 403, 431)


def test_a_very_long_path(raw) -> None:
    answer = request(raw, f"GET /{'x' * 200_000} HTTP/1.1", f"Host: {raw.host}", "Connection: close")
    assert answer == b"" or status(answer) in (400, 414)


NO_HTTP = [b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", bytes(1000)]


@pytest.mark.parametrize("given", NO_HTTP, ids=["tls", "http2", "short", "empty", "version", "zeros"])
def test_what_is_no_request(raw, given) -> None:
    answer = raw.bytes(given)
    assert answer == b"" or status(answer) in (400, 505)


# Documents

ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]>"
DOCUMENTS = {
    "billion-laughs": f"{ENTITIES}<Delete><Object><Key>&j;</Key></Object></Delete>",
    "external-entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>',
    "parameter-entity": '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:1/x">%e;]><Delete><Object><Key>&f;</Key></Object></Delete>',
    "deep": "<a>" * 100_000,
    "deep-inside": "<Delete><Object>" + "<Key>" * 100_000,
    "many-attributes": "<Delete " + " ".join(f'a{n}="b"' for n in range(50_000)) + "></Delete>",
    "never-ends": "<Delete><Object><Key>" + "x" * 1_000_000,
    "comment-never-ends": "<Delete><!--" + "x" * 100_000,
    "bad-reference": "<Delete><Object><Key>&#xffffffff;</Key></Object></Delete>",
    "surrogate": "<Delete><Object><Key>&#xd800;</Key></Object></Delete>",
    "utf16": "<?xml version='1.0' encoding='UTF-16'?><Delete/>",
    "zeros": "\0" * 1000,
}
TARGETS = {
    "delete": ("POST", "", {"delete": ""}),
    "tagging": ("PUT", "/stored", {"tagging": ""}),
    "bucket-tagging": ("PUT", "", {"tagging": ""}),
    "cors": ("PUT", "", {"cors": ""}),
    "notification": ("PUT", "", {"notification": ""}),
    "versioning": ("PUT", "", {"versioning": ""}),
    "complete": ("POST", "/stored", {"uploadId": "x"}),
    "public-access": ("PUT", "", {"publicAccessBlock": ""}),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_that_means_harm_is_refused(raw, cloud, bucket, stored, target, document) -> None:
    method, path, query = TARGETS[target]
    began, before = time.monotonic(), memory(cloud.pid)
    answer = raw(method, f"/{bucket}{path}", query, body=DOCUMENTS[document].encode())
    assert answer.status == 400, answer.body[:300]
    assert b"root:" not in answer.body
    # Bounds on harm, not on speed: a bomb that went off would take gigabytes and minutes.
    assert memory(cloud.pid) - before < 256_000_000 and time.monotonic() - began < 30


@pytest.mark.parametrize("target", ["delete", "cors", "tagging"])
def test_a_document_that_is_too_large_is_refused(raw, bucket, stored, target) -> None:
    method, path, query = TARGETS[target]
    body = b"<Delete>" + b" " * (9 * 1024 * 1024) + b"</Delete>"
    headers = raw.signed_headers(method, f"/{bucket}{path}", list(query.items()), {}, body)
    try:
        answer = raw.send(method, f"/{bucket}{path}", query.items(), headers, body)
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before it was sent whole
    assert answer.status == 400 and answer.code in ("MaxMessageLengthExceeded", "MalformedXML")


def test_a_document_that_lies_about_its_length(raw, bucket) -> None:
    headers = raw.signed_headers("POST", f"/{bucket}", [("delete", "")], {}, b"x", payload="UNSIGNED-PAYLOAD")
    answer = request(raw, f"POST /{bucket}?delete= HTTP/1.1", *lines_of(headers), "Content-Length: 99999999999", "Connection: close", body=b"<Delete>")
    assert answer == b"" or status(answer) in (400, 413)


def test_an_upload_that_is_larger_than_any_is_refused_at_once(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"", payload="UNSIGNED-PAYLOAD")
    answer = request(raw, f"PUT {path} HTTP/1.1", *lines_of(headers), f"Content-Length: {6 * 1024**3}", "Connection: close", body=b"x")
    assert status(answer) == 400 and b"EntityTooLarge" in answer


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "18446744073709551616", "+5"])
def test_a_length_that_is_none(raw, bucket, key, length) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"", payload="UNSIGNED-PAYLOAD")
    assert status(request(raw, f"PUT {path} HTTP/1.1", *lines_of(headers), f"Content-Length: {length}", "Connection: close")) == 400


def test_a_body_that_breaks_off_stores_nothing(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"", payload="UNSIGNED-PAYLOAD")
    head = "\r\n".join([f"PUT {path} HTTP/1.1", *lines_of(headers), "Content-Length: 1000"]) + "\r\n\r\n"
    import socket

    host, port = raw.host.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"only a little")
    time.sleep(0.2)
    assert raw("HEAD", path).status == 404


@pytest.mark.parametrize("chunk", ["ffffffffffffffff;chunk-signature=0\r\n", "-1\r\n", "zz\r\n", "5\r\n", "1" * 5000 + "\r\n"], ids=["huge", "negative", "no-number", "short", "long-line"])
def test_a_chunk_that_is_none(raw, bucket, key, chunk) -> None:
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "10", "x-amz-trailer": "x-amz-checksum-crc32"}
    answer = raw("PUT", f"/{bucket}/{key}", headers=headers, body=chunk.encode() + b"x", payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert answer.status == 400
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


FORMS = {
    "no-boundary": ("multipart/form-data", b"x"),
    "no-end": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk'),
    "no-file": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n'),
    "nothing": ("multipart/form-data; boundary=b", b""),
    "no-name": ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nk\r\n--b--\r\n"),
    "large-field": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n' + b"x" * 2_000_000 + b"\r\n--b--\r\n"),
    "many-fields": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nk\r\n' * 5000 + b"--b--\r\n"),
    "long-boundary": ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none(raw, bucket, name) -> None:
    kind, body = FORMS[name]
    try:
        answer = raw.send("POST", f"/{bucket}", headers={"content-type": kind}, body=body)
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before it was sent whole
    assert answer.status in (400, 403, 501)


def test_many_idle_connections_keep_nobody_out(raw, stored) -> None:
    import socket

    host, port = raw.host.split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(200)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert raw("GET", stored).body == b"stored"
    finally:
        for connection in idle:
            connection.close()


def test_many_bad_requests_at_once(raw, stored) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: raw.send("PUT", stored, body=b"x" * 100_000).status, range(64)))
    assert set(answers) == {403}
    assert raw("GET", stored).body == b"stored"


# The log and the console


def test_the_log_has_no_secret(raw, cloud, stored) -> None:
    raw("GET", stored)
    raw("GET", "/BAD_bucket")
    headers = raw.signed_headers("GET", stored, [], {}, b"")
    raw.send("DELETE", stored, headers=headers)
    log = cloud.log.read_text(errors="replace")
    assert cloud.secret_access_key not in log
    assert headers["authorization"].rsplit("=", 1)[1] not in log


def console(cloud, path: str = "api/state", method: str = "GET", token: bool = True, **headers: str) -> int:
    """The status of a request as the console's own page makes it, with its cookie."""
    address, secret = cloud.console.split("?token=")
    if token:
        headers["Cookie"] = f"minilab-console-{address.rstrip('/').rsplit(':', 1)[1]}={secret}"
    asked = urllib.request.Request(address + path, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["", "api/state", "healthz"])
def test_the_console_answers_its_own_page(cloud, path) -> None:
    assert console(cloud, path) == 200
    assert console(cloud, path, Origin=cloud.console.split("/?")[0]) == 200


def test_metrics_name_nobody_and_nothing(cloud) -> None:
    assert console(cloud, "metrics", token=False) == 200
    assert console(cloud, "metrics", token=False, Host="evil.example") == 421
    cloud.client().put_object(Bucket=cloud.source, Key="name-that-is-nobodys-business.txt", Body=b"no picture")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def text() -> str:
        with opener.open(cloud.console.split("?")[0] + "metrics", timeout=10) as answer:
            return answer.read().decode()

    cloud.wait_until("it is counted", lambda: 'minilab_rejected_total{reason="not-an-image"}' in text())
    for secret in ("nobodys-business", cloud.source, cloud.access_key_id, cloud.secret_access_key):
        assert secret not in text()


@pytest.mark.parametrize("path", ["api/state", "api/events", "api/recipe"])
def test_the_console_answers_nobody_without_the_links_token(cloud, path) -> None:
    assert console(cloud, path, token=False) == 401
    assert console(cloud, path, token=False, Authorization="Bearer guessed") == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:1", ""])
def test_the_console_answers_no_foreign_host(cloud, host) -> None:
    assert console(cloud, Host=host) in (400, 421)


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost", "null", "http://127.0.0.1:1", "file://"])
@pytest.mark.parametrize("path", ["api/state", "api/events"])
def test_the_console_answers_no_foreign_origin(cloud, origin, path) -> None:
    assert console(cloud, path, Origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_console_answers_no_request_from_another_site(cloud, site) -> None:
    assert console(cloud, Sec_Fetch_Site=site) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["api/state", "api/uploads", "api/failures/1/retry", "api/recipe"])
def test_the_console_changes_nothing_for_a_page_that_does_not_say_where_it_is(cloud, method, path) -> None:
    # The cookie goes with it, as it does from another port of this machine.
    assert console(cloud, path, method) == 403
