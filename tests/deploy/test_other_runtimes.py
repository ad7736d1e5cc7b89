"""The packaged function where nothing is ours: Lambda's own emulator starts it, moto is
its S3, and the events are AWS's own."""

import json
import subprocess
from pathlib import Path

import pytest

from packaged import PHOTO, ROOT, environment, free_port, keys, post, s3_event
from packaged import buckets, package  # noqa: F401  (fixtures)

EMULATOR = ROOT / ".tools" / "rie" / "aws-lambda-rie"


def test_the_package_makes_prints_under_lambdas_own_emulator_with_motos_s3(package: Path, aws: str, buckets, tmp_path: Path):
    if not EMULATOR.is_file():
        pytest.fail(f"{EMULATOR} is missing: run tools/setup.sh test")
    buckets.put_object(Bucket="elsewhere-source", Key="a b/ü.png", Body=PHOTO.read_bytes())
    buckets.put_object(Bucket="elsewhere-source", Key="notes.txt", Body=b"no picture")
    port, api = free_port(), free_port()
    command = [EMULATOR, "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}"]
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, package / "bootstrap"], cwd=package, env=environment(aws, LAMBDA_TASK_ROOT=str(package)), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        assert post(url, s3_event("a+b/%C3%BC.png"))["written"] == 2
        assert keys(buckets) == {"small/a b/ü.png.webp", "marked/a b/ü.png"}
        assert post(url, s3_event("notes.txt"))["rejected"] == 1
        assert "failures/notes.txt.json" in keys(buckets)
        buckets.delete_object(Bucket="elsewhere-source", Key="a b/ü.png")
        assert post(url, s3_event("a+b/%C3%BC.png"))["absent"] == 1
        assert keys(buckets) == {"failures/notes.txt.json"}
    finally:
        process.terminate()
        process.wait(30)
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    told = [line for line in lines if "_aws" in line and "Reason" not in line]
    assert [line["verdicts"] for line in told] == [{"printed": 1}, {"rejected": 1}, {"absent": 1}], log.read_text()
    assert told[0]["SourceBytes"] == PHOTO.stat().st_size
