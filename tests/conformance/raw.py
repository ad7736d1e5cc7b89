"""Requests that no S3 client would send: written by hand, signed by hand."""

import datetime
import hashlib
import hmac
import http.client
import re
import socket
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

import botocore.exceptions

EMPTY = hashlib.sha256(b"").hexdigest()
SAFE = "-_.~"


def refused(call: Callable, /, **arguments) -> str:
    """How a client's call is refused: status and code, such as `404 NoSuchKey`."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        return f"{status} {code}" if code != str(status) else str(status)
    return f"accepted: {answer['ResponseMetadata']['HTTPStatusCode']}"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """S3's error code."""
        found = re.search(rb"<Code>(.*?)</Code>", self.body)
        return found.group(1).decode() if found else ""

    @property
    def outcome(self) -> str:
        return f"{self.status} {self.code}".strip()

    def element(self, name: str) -> str | None:
        found = re.search(rf"<{name}>(.*?)</{name}>".encode(), self.body, re.DOTALL)
        return found.group(1).decode() if found else None


def quote(text: str, safe: str = SAFE) -> str:
    return urllib.parse.quote(text, safe=safe)


def sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass
class Raw:
    """Signs by AWS's signature version 4; every step can be changed by a test."""

    endpoint: str
    access_key_id: str
    secret: str
    region: str = "us-east-1"
    token: str | None = None
    host: str = field(init=False)

    def __post_init__(self) -> None:
        self.host = self.endpoint.removeprefix("http://")

    def signature(self, method: str, path: str, query: list, headers: dict, signed: list[str], payload: str, stamp: str, service: str = "s3") -> str:
        pairs = sorted((quote(name), quote(value)) for name, value in query)
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(f"{name}={value}" for name, value in pairs),
                *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
                "",
                ";".join(signed),
                payload,
            ]
        )
        scope = f"{stamp[:8]}/{self.region}/{service}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        derived = ("AWS4" + self.secret).encode()
        for step in (stamp[:8], self.region, service, "aws4_request"):
            derived = sign(derived, step)
        return sign(derived, text).hex()

    def stamp(self, seconds: float = 0) -> str:
        at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        return at.strftime("%Y%m%dT%H%M%SZ")

    def signed_headers(self, method: str, path: str, query: list, headers: dict, body: bytes, *, payload=None, skew=0.0, unsigned=()) -> dict:
        """The headers with date, hash and authorization; `path` is as it is sent."""
        stamp = self.stamp(skew)
        payload = hashlib.sha256(body).hexdigest() if payload is None else payload
        given = {"host": self.host, "x-amz-date": stamp, "x-amz-content-sha256": payload}
        if self.token:
            given["x-amz-security-token"] = self.token
        given |= {name.lower(): value for name, value in headers.items()}
        signed = sorted(name for name in given if name not in unsigned)
        signature = self.signature(method, path, query, given, signed, payload, stamp)
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        given["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
        )
        return given

    def __call__(self, method: str, path: str, query=(), headers=None, body: bytes = b"", **options) -> Answer:
        """A signed request; `path` may be decoded, and goes out percent-encoded."""
        path = quote(path, safe=SAFE + "/")
        query = list(query.items()) if isinstance(query, dict) else list(query)
        given = self.signed_headers(method, path, query, headers or {}, body, **options)
        return self.send(method, path, query, given, body)

    def send(self, method: str, path: str, query=(), headers=None, body: bytes = b"") -> Answer:
        """A request as it is; nothing is added but Content-Length."""
        target = path
        if query:
            target += "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in query)
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            given = {"host": self.host} | (headers or {})
            if body or method in ("PUT", "POST"):
                given.setdefault("content-length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def presigned(self, method: str, path: str, *, expires: int | str = 60, skew=0.0, query=(), headers=None, drop=(), signed=None) -> list[tuple[str, str]]:
        """The query of a presigned URL."""
        stamp = self.stamp(skew)
        given = {"host": self.host} | (headers or {})
        signed = sorted(given) if signed is None else signed
        pairs = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{self.access_key_id}/{stamp[:8]}/{self.region}/s3/aws4_request"),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", ";".join(signed)),
            *query,
        ]
        signature = self.signature(method, quote(path, safe=SAFE + "/"), pairs, given, signed, "UNSIGNED-PAYLOAD", stamp)
        return [pair for pair in [*pairs, ("X-Amz-Signature", signature)] if pair[0] not in drop]

    def bytes(self, request: bytes, timeout: float = 10) -> bytes:
        """Sends bytes and reads until the server closes or is silent."""
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port)), timeout=timeout) as connection:
            connection.sendall(request)
            received = b""
            connection.settimeout(2)
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return received
