"""The function as it is packaged, sources and prints in moto's S3, and AWS's own event."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests" / "golden" / "png" / "rgb8" / "input.png"
RECIPE = """\
[source]
bucket = "elsewhere-source"
[processed]
bucket = "elsewhere-processed"
[[output]]
key = "small/{key}.webp"
resize = { width = 8 }
format = "webp"
[[output]]
key = "marked/{key}"
watermark = { image = "brand/logo.png" }
"""
START_SECONDS = 60


def s3_event(key: str) -> dict:
    """The example of "Process Amazon S3 event notifications with Lambda" in the AWS Lambda
    Developer Guide, for another object."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-2",
                "eventTime": "2019-09-03T19:37:27.192Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
                "requestParameters": {"sourceIPAddress": "205.255.255.255"},
                "responseElements": {
                    "x-amz-request-id": "D82B88E5F771F645",
                    "x-amz-id-2": "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQjryTjKlc5aLWGVHPZLj5NeC6qMa0emYBDXOo6QBU0Wo=",
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "828aa6fc-f7b5-4305-8584-487c791949c1",
                    "bucket": {
                        "name": "elsewhere-source",
                        "ownerIdentity": {"principalId": "A3I5XTEXAMAI3E"},
                        "arn": "arn:aws:s3:::elsewhere-source",
                    },
                    "object": {"key": key, "size": 1305107, "eTag": "b21b84d653bb07b05b1e6b33684dc11b", "sequencer": "0C0F6F405D6ED209E1"},
                },
            }
        ]
    }


def bootstrap_beside(minilab: Path) -> Path:
    path = minilab.with_name("bootstrap")
    if not path.is_file():
        pytest.fail(f"{path} does not exist: build it with `cargo build -p minilab-lambda --bin bootstrap`")
    return path


@pytest.fixture
def package(minilab: Path, tmp_path: Path) -> Path:
    """The function's folder as Lambda unpacks it."""
    place = tmp_path / "recipe"
    (place / "brand").mkdir(parents=True)
    (place / "minilab.toml").write_text(RECIPE)
    (place / "brand" / "logo.png").write_bytes(PHOTO.read_bytes())
    command = [minilab, "package", "--json", "--bootstrap", bootstrap_beside(minilab)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    task = tmp_path / "task"
    with zipfile.ZipFile(place / made["zip"]) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["bootstrap", "brand/logo.png", "minilab.toml"]
        for entry in archive.infolist():
            path = archive.extract(entry, task)
            os.chmod(path, entry.external_attr >> 16)
    assert os.access(task / "bootstrap", os.X_OK)
    return task


@pytest.fixture
def buckets(aws: str):
    s3 = boto3.client("s3", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    for bucket in ("elsewhere-source", "elsewhere-processed"):
        s3.create_bucket(Bucket=bucket)
    yield s3
    for bucket in ("elsewhere-source", "elsewhere-processed"):
        for found in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=found["Key"])
        s3.delete_bucket(Bucket=bucket)


def keys(s3) -> set[str]:
    return {found["Key"] for found in s3.list_objects_v2(Bucket="elsewhere-processed").get("Contents", [])}


def post(url: str, event: dict) -> dict:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(url, json.dumps(event).encode(), timeout=120) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(aws: str, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_LAMBDA_FUNCTION_NAME": "minilab",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL_S3": aws,
        **more,
    }
