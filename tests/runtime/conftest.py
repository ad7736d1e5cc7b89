"""`minilab up` with another maker's function, and what is seen of it from outside."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.config
import pytest

FUNCTIONS = Path(__file__).resolve().parent / "functions"
EMULATOR = Path(__file__).resolve().parent.parent.parent / ".tools" / "rie" / "aws-lambda-rie"
RECIPE = '[source]\nbucket = "here"\n[processed]\nbucket = "there"\n[[output]]\nkey = "{key}"\n'
START_SECONDS = 60
WAIT_SECONDS = 60


@dataclass
class Cloud:
    """A running `minilab up`."""

    process: subprocess.Popen
    log: Path
    ready: dict
    s3: object

    def state(self) -> dict:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        address, token = self.ready["console"].split("?token=")
        asked = urllib.request.Request(address + "api/state", headers={"Authorization": f"Bearer {token}"})
        with opener.open(asked, timeout=30) as answer:
            return json.load(answer)

    def put(self, key: str, body: bytes = b"body", bucket: str = "here") -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def keys(self, bucket: str) -> set[str]:
        return {found["Key"] for found in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    def until(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not done():
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {WAIT_SECONDS} s; the log ends:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def idle(self) -> dict:
        """The state once nothing is queued, running or waiting."""
        found = {}

        def done() -> bool:
            found.update(self.state())
            return not any(found["queue"][name] for name in ("queued", "running", "waiting"))

        self.until("idle", done)
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()[-4000:]


def policy(*buckets: str) -> str:
    """May read and write these buckets."""
    resources = [f"arn:aws:s3:::{bucket}/*" for bucket in buckets]
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextlib.contextmanager
def running(minilab: Path, folder: Path, program: list, options: list = (), buckets=("here", "there")) -> Iterator[Cloud]:
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "policy.json").write_text(policy(*buckets))
    log = folder / "log.txt"
    command = [minilab, "up", "--json", "--config", folder / "recipe.toml", "--data-dir", folder / "data"]
    command += ["--s3-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0", "--policy", folder / "policy.json"]
    command += [*options, "--", *program]
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=FUNCTIONS)
    try:
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if readable else b""
        if not line:
            pytest.fail(f"`minilab up` did not start:\n{log.read_text()[-4000:]}")
        ready = json.loads(line)
        s3 = boto3.client(
            "s3",
            endpoint_url=ready["s3"],
            region_name="us-east-1",
            aws_access_key_id=ready["access_key_id"],
            aws_secret_access_key=ready["secret_access_key"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        yield Cloud(process, log, ready, s3)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def cloud(minilab: Path, tmp_path: Path):
    """Starts a cloud with a given function; ended with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda program, **more: stack.enter_context(running(minilab, tmp_path, program, **more))


def python_function(handler: str) -> list:
    return [sys.executable, "-m", "awslambdaric", handler]


@contextlib.contextmanager
def emulator(
    program: list, variables: dict[str, str], log: Path | None = None
) -> Iterator[Callable[[dict], dict | str]]:
    """Lambda's own emulator around a program; calling what it yields invokes the function. What the program
    prints goes to `log`."""
    if not EMULATOR.is_file():
        pytest.fail(f"{EMULATOR} is missing: run tools/setup.sh test")
    port, api = free_ports(2)
    command = [EMULATOR, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api}", *program]
    limits = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "20", "AWS_LAMBDA_FUNCTION_NAME": "minilab", "AWS_REGION": "us-east-1"}
    environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", **limits}
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(
            command, cwd=FUNCTIONS, env=environment | variables, stdout=output, stderr=subprocess.STDOUT
        )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"

    def invoke(event: dict) -> dict | str:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with opener.open(url, json.dumps(event).encode(), timeout=60) as answer:
                    body = answer.read()
                break
            except urllib.error.HTTPError as error:
                # How it reports a runtime that ended.
                body = error.read()
                break
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        try:
            return json.loads(body)
        except ValueError:
            return body.decode()

    try:
        yield invoke
    finally:
        process.terminate()
        process.wait(30)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
