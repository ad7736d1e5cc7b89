"""`minilab backfill` and `minilab failures` against another S3 than ours, with
credentials from a profile, as a person has them."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote_plus

import boto3
import pytest

PICTURE = Path(__file__).parent.parent / "golden" / "png" / "rgb8" / "input.png"
RECIPE = """\
[source]
bucket = "moto-film"
[processed]
bucket = "moto-paper"
[[output]]
key = "tiny/{key}"
pixelate = { cells = 4 }
[[output]]
key = "sized/{stem}_{width}.{ext}"
resize = { width = 8 }
format = "webp"
"""


@pytest.fixture
def person(aws, minilab, tmp_path):
    """Types a command; its exit status, and its JSON lines."""
    (tmp_path / "minilab.toml").write_text(RECIPE)
    (tmp_path / "credentials").write_text("[acme]\naws_access_key_id = test\naws_secret_access_key = test\n")
    (tmp_path / "config").write_text(f"[profile acme]\nregion = us-east-1\nendpoint_url = {aws}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINILAB_"))}
    files = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
    environment |= {name: str(tmp_path / file) for name, file in files.items()}

    def person(*args: str) -> tuple[int, list[dict]]:
        command = [minilab, *args, "--profile", "acme", "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    return person


@pytest.fixture
def services(aws):
    """Clients of S3, with both buckets there and empty, and of SQS."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    s3, sqs = (session.client(name, endpoint_url=aws) for name in ("s3", "sqs"))
    for bucket in ("moto-film", "moto-paper"):
        s3.create_bucket(Bucket=bucket)
    yield s3, sqs
    for bucket in ("moto-film", "moto-paper"):
        for found in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=found["Key"])
        s3.delete_bucket(Bucket=bucket)


def test_backfill_sends_what_is_due_to_a_queue_and_makes_nothing_itself(services, person) -> None:
    s3, sqs = services
    url = sqs.create_queue(QueueName="moto-events")["QueueUrl"]
    made, due = "made.png", {"a b/ü+%.png", "due.png"}
    s3.put_object(Bucket="moto-film", Key=made, Body=PICTURE.read_bytes())
    assert person("backfill")[0] == 0
    before = s3.list_objects_v2(Bucket="moto-paper")["KeyCount"]
    for key in due:
        s3.put_object(Bucket="moto-film", Key=key, Body=PICTURE.read_bytes())

    status, lines = person("backfill", "--queue-url", url)
    summary = lines[-1]["summary"]
    assert (status, summary["up_to_date"], summary["sent"], summary["printed"]) == (0, 1, 2, 0)
    assert s3.list_objects_v2(Bucket="moto-paper")["KeyCount"] == before
    bodies = [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    sent = {unquote_plus(record["s3"]["object"]["key"]) for body in bodies for record in body["Records"]}
    assert sent == due

    status, lines = person("backfill", "--queue-url", url + "-that-is-not-there")
    assert (status, lines[-1]["summary"]["failed"], lines[-1]["summary"]["sent"]) == (1, 2, 0)
    assert "that-is-not-there" in lines[0]["reason"]


def test_backfill_and_failures_work_on_another_s3(services, person) -> None:
    s3, _ = services
    pictures = [f"holiday/ü {number}+%.png" for number in range(5)]
    for key in pictures:
        s3.put_object(Bucket="moto-film", Key=key, Body=PICTURE.read_bytes())
    s3.put_object(Bucket="moto-film", Key="notes.jpg", Body=b"no picture")
    keys = lambda: {found["Key"] for found in s3.list_objects_v2(Bucket="moto-paper").get("Contents", [])}  # noqa: E731

    status, lines = person("backfill")
    summary = lines[-1]["summary"]
    assert (status, summary["printed"], summary["rejected"], summary["failed"]) == (1, 5, 1, 0)
    prints = {f"tiny/{key}" for key in pictures} | {f"sized/ü {number}+%_8.webp" for number in range(5)}
    assert keys() == prints | {"failures/notes.jpg.json"}
    _, lines = person("backfill", "--prune")
    summary = lines[-1]["summary"]
    assert (summary["up_to_date"], summary["due"], summary["orphans"]) == (6, 0, 0)

    status, lines = person("failures", "list")
    assert (status, [line["key"] for line in lines]) == (0, ["notes.jpg"])
    s3.put_object(Bucket="moto-film", Key="notes.jpg", Body=PICTURE.read_bytes())
    status, lines = person("failures", "retry", "--all")
    assert (status, lines[0]["status"]) == (0, "printed")
    assert person("failures", "list") == (0, [])

    s3.delete_object(Bucket="moto-film", Key=pictures[0])
    status, lines = person("backfill", "--prune")
    assert (status, lines[-1]["summary"]["orphans"]) == (0, 2)
    assert not keys() & {f"tiny/{pictures[0]}", "sized/ü 0+%_8.webp"}
