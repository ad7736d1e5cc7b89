"""An acknowledged upload is whole: ten thousand chunked bodies, cut, doubled, swapped and altered.

Each is signed by botocore's own signer and sent as bytes over connections that are kept. What is acknowledged must be
the body as it was meant; everything else is refused and stores nothing.
"""

import base64
import hashlib
import random
import re
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from raw import EMPTY, sign

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC32 = "x-amz-checksum-crc32"
PIECES = [b"the first chunk of three", b"the second: 5\r\nx\r\n0\r\n", b"and the third"]
WHOLE = b"".join(PIECES)
# Of one mode and operation; with eight of them ten thousand bodies.
BODIES = 1250
THREADS = 8
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3})")

MODES = {
    "signed": (SIGNED, False),
    "signed-trailer": (SIGNED_TRAILER, True),
    "unsigned-trailer": (UNSIGNED_TRAILER, True),
    "unsigned-no-trailer": (UNSIGNED_TRAILER, False),
}


class Signer(botocore.auth.S3SigV4Auth):
    """botocore's signer, with a payload hash that is given."""

    def __init__(self, credentials, payload: str) -> None:
        super().__init__(credentials, "s3", "us-east-1")
        self.mode = payload

    def payload(self, request) -> str:
        return self.mode


def head(raw, target: str, payload: str, headers: dict) -> dict:
    credentials = botocore.credentials.Credentials(raw.access_key_id, raw.secret)
    request = botocore.awsrequest.AWSRequest("PUT", raw.endpoint + target, headers=headers)
    Signer(credentials, payload).add_auth(request)
    return {"Host": raw.host, **dict(request.headers.items())}


def parts(raw, headers: dict, payload: str, with_trailer: bool) -> list[bytes]:
    """The body in the parts between which there is a boundary."""
    stamp, previous = headers["X-Amz-Date"], headers["Authorization"].rsplit("=", 1)[1]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    derived = ("AWS4" + raw.secret).encode()
    for step in scope.split("/"):
        derived = sign(derived, step)
    out = []
    for piece in [*PIECES, b""]:
        out.append(b"%x" % len(piece))
        if payload != UNSIGNED_TRAILER:
            text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY, hashlib.sha256(piece).hexdigest()])
            previous = sign(derived, text).hex()
            out += [b";chunk-signature=", previous.encode()]
        out += [b"\r\n", piece, b"\r\n"] if piece else [b"\r\n"]
    if with_trailer:
        value = base64.b64encode(zlib.crc32(WHOLE).to_bytes(4, "big")).decode()
        out += [CRC32.encode(), b":", value.encode(), b"\r\n"]
        if payload == SIGNED_TRAILER:
            hashed = hashlib.sha256(f"{CRC32}:{value}\n".encode()).hexdigest()
            text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", stamp, scope, previous, hashed])
            out += [b"x-amz-trailer-signature", b":", sign(derived, text).hex().encode(), b"\r\n"]
    return [*out, b"\r\n"]


def damaged(parts: list[bytes], chance: random.Random) -> list[bytes]:
    """Every cut, doubling and swap at a boundary, every part cut and altered in its middle, then others by chance."""
    whole, bodies = b"".join(parts), []
    for at, part in enumerate(parts):
        before, after = b"".join(parts[:at]), b"".join(parts[at + 1 :])
        middle = len(part) // 2
        bodies += [before, before + after, before + part + part + after, before + part[:middle], before + part[:middle] + after]
        bodies.append(before + part[:middle] + bytes([part[middle] ^ 1]) + part[middle + 1 :] + after)
        for other in range(at + 1, len(parts)):
            swapped = list(parts)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            bodies.append(b"".join(swapped))
    bodies += [whole[:at] for at in range(len(whole))] + [whole + b"x", whole + b"\r\n", whole + whole]
    while len(bodies) < BODIES:
        at, to = sorted(chance.sample(range(len(whole)), 2))
        bodies += [whole[:at] + bytes([chance.randrange(256)]) + whole[at + 1 :], whole[:at] + whole[to:], whole[:to] + whole[at:]]
    return bodies[:BODIES]


def plain(body: bytes) -> bytes | None:
    """What an unsigned body without a trailer says, strictly read: nothing but its frame protects it."""
    out, rest = b"", body
    while found := re.match(rb"([0-9a-fA-F]{1,8})\r\n", rest):
        size, rest = int(found.group(1), 16), rest[found.end() :]
        if size == 0:
            return out if rest == b"\r\n" and len(out) == len(WHOLE) else None
        if rest[size : size + 2] != b"\r\n":
            return None
        out, rest = out + rest[:size], rest[size + 2 :]
    return None


def spelled(body: bytes) -> bytes:
    """The body with its sizes and the names of its trailers in one spelling: digits and names may be of either case, and
    zeros before a size say nothing. What differs only there is the same upload, and still whole."""
    body = re.sub(rb"(?m)^0*([0-9a-fA-F]+)(?=[;\r])", lambda found: found.group(1).lower(), body)
    return re.sub(rb"(?mi)^x-amz-[a-z0-9-]+(?=:)", lambda found: found.group().lower(), body)


class Connection:
    """Requests over one connection, until the server says that it closes."""

    def __init__(self, raw) -> None:
        self.address = (raw.host.split(":")[0], int(raw.host.split(":")[1]))
        self.socket = None

    def send(self, request: bytes) -> tuple[int, bytes]:
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=10)
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            more = self.socket.recv(65536)
            assert more, f"no answer to {request!r}"
            received += more
        top, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", top)
        closes = b"connection: close" in top.lower()
        while (length and len(body) < int(length.group(1))) or (not length and closes):
            more = self.socket.recv(65536)
            if not more:
                break
            body += more
        if closes:
            self.socket.close()
            self.socket = None
        return int(ANSWER.match(top).group(1)), body


@pytest.mark.parametrize("operation", ["object", "part"])
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_acknowledged_unless_whole(raw, s3, bucket, key, mode, operation) -> None:
    payload, with_trailer = MODES[mode]
    target = f"/{bucket}/{key}"
    upload = None
    if operation == "part":
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        target += f"?partNumber=1&uploadId={upload}"
    announced = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(WHOLE))}
    if with_trailer:
        announced["x-amz-trailer"] = CRC32
    headers = head(raw, target, payload, announced)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    pieces = parts(raw, headers, payload, with_trailer)
    whole = b"".join(pieces)

    def request(body: bytes) -> bytes:
        return f"PUT {target} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def run(bodies: list[bytes]) -> list[tuple[bytes, int]]:
        connection = Connection(raw)
        return [(body, connection.send(request(body))[0]) for body in bodies]

    bodies = damaged(pieces, random.Random(f"{mode} {operation}"))
    with ThreadPoolExecutor(THREADS) as threads:
        answers = [answer for some in threads.map(run, [bodies[at::THREADS] for at in range(THREADS)]) for answer in some]
    assert len(answers) == BODIES
    bare = mode == "unsigned-no-trailer"
    wrong = [body for body, status in answers if status == 200 and spelled(body) != spelled(whole) and not (bare and plain(body))]
    assert not wrong, (len(wrong), wrong[:3])
    assert all(status in (200, 400, 403, 411) for _, status in answers), {status for _, status in answers}
    if not bare and not any(status == 200 for _, status in answers):
        stored = s3.list_parts(Bucket=bucket, Key=key, UploadId=upload).get("Parts") if upload else s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents")
        assert not stored
    # The connection is as good as before, and the whole body is taken and read back.
    connection = Connection(raw)
    for body in [whole, *{body for body, status in answers if status == 200}]:
        assert connection.send(request(body))[0] == 200
        if upload:
            etags = [part["ETag"] for part in s3.list_parts(Bucket=bucket, Key=key, UploadId=upload)["Parts"]]
            assert etags == [f'"{hashlib.md5(plain(body) if bare else WHOLE).hexdigest()}"']
        else:
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == (plain(body) if bare else WHOLE)


def test_an_unsigned_chunked_body_needs_no_trailer(raw, s3, bucket, key) -> None:
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "11"}
    answer = raw("PUT", f"/{bucket}/{key}", headers=headers, body=b"b\r\nhello world\r\n0\r\n\r\n", payload=UNSIGNED_TRAILER)
    assert answer.status == 200, answer.body
    assert "x-amz-checksum-crc64nvme" in answer.headers
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello world"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", "400 IncompleteBody"),
        (b"5\r\nhello\r\n", "400 IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n", "400 IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\r\n", "400 MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "400 BadDigest"),
        (b"4\r\nhell\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "400 IncompleteBody"),
    ],
    ids=["nothing", "no-last-chunk", "no-end", "no-trailer", "wrong-trailer", "short"],
)
def test_each_fault_has_its_code(raw, bucket, key, body, outcome) -> None:
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5", "x-amz-trailer": CRC32}
    assert raw("PUT", f"/{bucket}/{key}", headers=headers, body=body, payload=UNSIGNED_TRAILER).outcome == outcome
    assert raw("HEAD", f"/{bucket}/{key}").status == 404


def test_an_upload_announces_its_length(raw, bucket, key) -> None:
    path = f"/{bucket}/{key}"
    headers = raw.signed_headers("PUT", path, [], {}, b"hello", payload="UNSIGNED-PAYLOAD")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"PUT {path} HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    answer = raw.bytes(request.encode())
    assert b" 411 " in answer.split(b"\r\n")[0] and b"MissingContentLength" in answer, answer
    assert raw("HEAD", path).status == 404
