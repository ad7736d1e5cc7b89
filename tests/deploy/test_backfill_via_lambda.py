"""`minilab backfill --via lambda`: what it asks of the Lambda API, checked by botocore's
own signer, and that moto's Lambda takes it. The buckets are moto's in both."""

import contextlib
import io
import json
import subprocess
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

RECIPE = '[source]\nbucket = "SOURCE"\n[processed]\nbucket = "PROCESSED"\n[[output]]\nkey = "small/{key}.webp"\nformat = "webp"\n'
SECRET = "wJalrXUtnFEMI"


def minilab_backfill(minilab: Path, folder: Path, aws: str, lambda_url: str, *args: str) -> subprocess.CompletedProcess:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": aws,
        "AWS_ENDPOINT_URL_LAMBDA": lambda_url,
    }
    command = [minilab, "backfill", "--via", "lambda", "--json", *args]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@dataclass
class Api:
    """A Lambda API that answers as it is told and remembers what it was asked."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict, bytes]] = field(default_factory=list)

    def keys(self) -> list[list[str]]:
        records = [json.loads(body)["Records"] for _, _, body in self.asked]
        return [[urllib.parse.unquote_plus(one["s3"]["object"]["key"]) for one in event] for event in records]


def is_signed(path: str, headers: dict, body: bytes, url: str) -> bool:
    """Whether botocore, given the same request, makes the same signature."""
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = {name: headers[name] for name in names if name not in ("host", "x-amz-date")}
    request = AWSRequest("POST", url + path, headers=signed, data=body)
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "lambda", "us-east-1")
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return headers["authorization"].endswith(f"Signature={signature}")


@contextlib.contextmanager
def lambda_api(*answers: int) -> Iterator[Api]:
    api = Api(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802: the base class's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            api.asked.append((self.path, {name.lower(): text for name, text in self.headers.items()}, body))
            status = api.answers.pop(0) if api.answers else 202
            text = b"" if status == 202 else b'{"Reason":"said so"}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


KEYS = [f"holiday/{number:02}.jpg" for number in range(11)] + ["with space/ü+&=.jpg"]


@pytest.fixture
def buckets(aws: str, tmp_path: Path, request: pytest.FixtureRequest):
    """A folder with a recipe, and its buckets in moto with sources that have no prints."""
    name = f"via-{abs(hash(request.node.name)) % 10**9}"
    s3 = boto3.client("s3", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    for bucket in (f"{name}-source", f"{name}-processed"):
        s3.create_bucket(Bucket=bucket)
    for key in KEYS:
        s3.put_object(Bucket=f"{name}-source", Key=key, Body=b"a picture, perhaps")
    recipe = RECIPE.replace("SOURCE", f"{name}-source").replace("PROCESSED", f"{name}-processed")
    (tmp_path / "minilab.toml").write_text(recipe)
    return tmp_path, f"{name}-source"


def test_what_is_due_is_sent_once_in_batches_as_the_event_that_s3_would_send(minilab, aws, buckets):
    folder, source = buckets
    with lambda_api() as api:
        done = minilab_backfill(minilab, folder, aws, api.url, "--batch", "5", "--function", "photos")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["key"] for line in lines[:-1]} == set(KEYS) and all(line["status"] == "sent" for line in lines[:-1])
    assert (lines[-1]["summary"]["sent"], lines[-1]["summary"]["due"]) == (len(KEYS), len(KEYS))
    assert sorted(len(keys) for keys in api.keys()) == [2, 5, 5]
    assert sorted(sum(api.keys(), [])) == sorted(KEYS)
    for path, headers, body in api.asked:
        assert path == "/2015-03-31/functions/photos/invocations"
        assert headers["x-amz-invocation-type"] == "Event"
        assert is_signed(path, headers, body, api.url), headers["authorization"]
        assert all(record["s3"]["bucket"]["name"] == source for record in json.loads(body)["Records"])


def test_each_source_has_its_own_invocation_unless_told_otherwise(minilab, aws, buckets):
    folder, _ = buckets
    with lambda_api() as api:
        done = minilab_backfill(minilab, folder, aws, api.url)
    assert done.returncode == 0, done.stderr
    assert sorted(api.keys()) == sorted([key] for key in KEYS)


def test_a_busy_api_is_asked_again_and_a_refusal_is_not(minilab, aws, buckets):
    folder, _ = buckets
    with lambda_api(429, 500) as api:
        done = minilab_backfill(minilab, folder, aws, api.url, "--batch", "50")
    assert done.returncode == 0, done.stderr
    assert len(api.asked) == 3 and len({body for _, _, body in api.asked}) == 1
    with lambda_api(404) as api:
        done = minilab_backfill(minilab, folder, aws, api.url, "--batch", "50")
    assert done.returncode == 1
    assert len(api.asked) == 1
    reasons = {json.loads(line).get("reason") for line in done.stdout.splitlines()[:-1]}
    assert reasons == {'could not invoke the function minilab: HTTP 404 {"Reason":"said so"}'}


def test_a_dry_run_invokes_nothing(minilab, aws, buckets):
    folder, _ = buckets
    with lambda_api() as api:
        done = minilab_backfill(minilab, folder, aws, api.url, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["summary"]["due"] == len(KEYS)
    assert api.asked == []


def test_motos_lambda_takes_it(minilab, aws, buckets):
    folder, _ = buckets
    told = {"endpoint_url": aws, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    # No container engine: moto then answers without running the function.
    import requests

    requests.post(f"{aws}/moto-api/config", json={"lambda": {"use_docker": False}}, timeout=30).raise_for_status()
    role = boto3.client("iam", **told).create_role(RoleName=folder.name, AssumeRolePolicyDocument="{}", Path="/t/")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("bootstrap", "")
    boto3.client("lambda", **told).create_function(
        FunctionName="minilab", Runtime="provided.al2023", Role=role["Role"]["Arn"], Handler="bootstrap", Code={"ZipFile": zipped.getvalue()}
    )
    done = minilab_backfill(minilab, folder, aws, aws)
    assert done.returncode == 0, done.stdout + done.stderr
