"""One running `minilab up`, for every test that talks to the small cloud."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import boto3
import botocore.config
import pytest

# Two cheap prints: what is tested is the way of a picture, not its pixels.
RECIPE = """
[source]
bucket = "clients-source"
[processed]
bucket = "clients-processed"
[[output]]
key = "pixelated-8x8-{key}"
pixelate = { cells = 8 }
[[output]]
key = "small/{key}.webp"
resize = { width = 320 }
format = "webp"
"""
START_SECONDS = 60
PIPELINE_SECONDS = 120


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The server is on loopback: no proxy may stand between."""
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    return kept | {"NO_PROXY": "127.0.0.1,localhost"}


@dataclass(frozen=True)
class Cloud:
    """A running `minilab up`: its ready line, and a boto3 client to look at it with."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    source: str
    processed: str
    console: str
    log: Path
    pid: int

    def client(self, **credentials: str):
        """A boto3 client that does not retry: an error is seen at once."""
        named = {"aws_access_key_id": self.access_key_id, "aws_secret_access_key": self.secret_access_key}
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}),
            **(named | credentials),
        )

    def keys(self, bucket: str, prefix: str = "") -> set[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def prints_of(self, key: str) -> set[str]:
        return {f"pixelated-8x8-{key}", f"small/{key}.webp"}

    def wait_until(self, what: str, done: Callable[[], bool]) -> None:
        """Waits for the pipeline; fails with the end of the server's log."""
        deadline = time.monotonic() + PIPELINE_SECONDS
        while time.monotonic() < deadline:
            if done():
                return
            time.sleep(0.1)
        pytest.fail(f"{what}: not within {PIPELINE_SECONDS} s; the log ends:\n{self.log.read_text()[-4000:]}")

    def wait_for_prints(self, key: str) -> None:
        wanted = self.prints_of(key)
        self.wait_until(f"prints of {key}", lambda: wanted <= self.keys(self.processed))

    def wait_for_no_prints(self, key: str) -> None:
        gone = self.prints_of(key)
        self.wait_until(f"deletion of the prints of {key}", lambda: not gone & self.keys(self.processed))


@contextmanager
def running(minilab: Path, folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> Iterator[Cloud]:
    """`minilab up` with its data in `folder` and further environment variables, until the block ends."""
    recipe, log = folder / "minilab.toml", folder / "log.txt"
    recipe.write_text(RECIPE)
    command = [minilab, "up", "--json", "--config", recipe, "--data-dir", folder / "data"]
    command += ["--s3-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0"]
    with log.open("wb") as errors:
        environment = without_proxies(os.environ) | dict(variables)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
    try:
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if readable else b""
        if not line:
            pytest.fail(f"`minilab up` was not ready within {START_SECONDS} s; it said:\n{log.read_text()[-4000:]}")
        ready = json.loads(line)
        assert ready["ready"] is True
        yield Cloud(
            endpoint=ready["s3"],
            access_key_id=ready["access_key_id"],
            secret_access_key=ready["secret_access_key"],
            source=ready["source"],
            processed=ready["processed"],
            console=ready["console"],
            log=log,
            pid=process.pid,
        )
        assert process.poll() is None, f"`minilab up` ended by itself:\n{log.read_text()[-4000:]}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail("`minilab up` did not stop within 30 s of SIGTERM")
