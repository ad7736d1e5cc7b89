"""The packaged function under `cargo lambda watch` and `cargo lambda invoke`, its S3 moto's.
The tool gives its Runtime API alone and compiles nothing. Not part of `make test`: it is large."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from packaged import PHOTO, ROOT, environment, free_port, keys, s3_event
from packaged import buckets, package  # noqa: F401  (fixtures)

INVOKE_SECONDS = 120


@pytest.fixture
def tool(request: pytest.FixtureRequest) -> Path:
    path = request.config.getoption("--cargo-lambda")
    assert path and path.is_file(), "give --cargo-lambda PATH"
    return path.resolve()


def invoke(tool: Path, port: int, event: dict, folder: Path) -> dict:
    (folder / "event.json").write_text(json.dumps(event))
    command = [tool, "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(port), "--data-file", folder / "event.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INVOKE_SECONDS, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until_listening(log: Path, process: subprocess.Popen) -> None:
    for _ in range(600):
        if "starting Runtime server" in log.read_text():
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(log.read_text())


def prints_appear(s3, invoke_with) -> None:
    s3.put_object(Bucket="elsewhere-source", Key="a b/ü.png", Body=PHOTO.read_bytes())
    assert invoke_with(s3_event("a+b/%C3%BC.png"))["written"] == 2
    assert keys(s3) == {"small/a b/ü.png.webp", "marked/a b/ü.png"}
    s3.delete_object(Bucket="elsewhere-source", Key="a b/ü.png")
    assert invoke_with(s3_event("a+b/%C3%BC.png"))["absent"] == 1
    assert keys(s3) == set()


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_the_package_serves_cargo_lambdas_runtime_api(tool, package, aws, buckets, tmp_path):  # noqa: F811
    port, log = free_port(), tmp_path / "watch.txt"
    command = [tool, "lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    with log.open("wb") as output:
        watch = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    variables = environment(
        aws, AWS_LAMBDA_RUNTIME_API=f"http://127.0.0.1:{port}/.rt", AWS_LAMBDA_FUNCTION_NAME="_", LAMBDA_TASK_ROOT=str(package)
    )
    try:
        until_listening(log, watch)
        function = subprocess.Popen([package / "bootstrap"], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            prints_appear(buckets, lambda event: invoke(tool, port, event, tmp_path))
        finally:
            stop(function)
    finally:
        stop(watch)
