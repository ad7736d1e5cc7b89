"""The worker under test, and the servers around it: S3 and SQS of moto, a NATS server."""

import asyncio
import contextlib
import io
import json
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import botocore.config
import nats
import pytest
from PIL import Image

import small_cloud

NATS_SERVER = Path(__file__).resolve().parent.parent.parent / ".tools" / "nats" / "nats-server"
SOURCE, PROCESSED = "worker-source", "worker-processed"
RECIPE = f"""
[source]
bucket = "{SOURCE}"
[processed]
bucket = "{PROCESSED}"
[[output]]
key = "tiny/{{key}}"
pixelate = {{ cells = 4 }}
[[output]]
key = "small/{{key}}.webp"
resize = {{ width = 32 }}
format = "webp"
"""
TOKEN = "a token of the test"
START_SECONDS = 30
WAIT_SECONDS = 150
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(what: str, done: Callable[[], object], seconds: float = WAIT_SECONDS, log: Path | None = None):
    """The first true result; fails with the end of a log when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s" + (f"; the log ends:\n{log.read_text()[-4000:]}" if log else ""))
        time.sleep(0.05)
    return found


def picture(shade: int) -> bytes:
    """A small PNG, another for each shade."""
    file = io.BytesIO()
    Image.new("RGB", (96, 64), (shade % 256, 80, 160)).save(file, "PNG")
    return file.getvalue()


def prints_of(key: str) -> set[str]:
    return {f"tiny/{key}", f"small/{key}.webp"}


@dataclass
class Aws:
    """moto as a process of its own, so that it can go away."""

    port: int
    process: subprocess.Popen | None = None
    url: str = field(init=False)

    def __post_init__(self):
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("moto", lambda: listens(self.port), START_SECONDS)
        self.reset()

    def reset(self) -> None:
        """Both buckets, empty, and no queue."""
        DIRECT.open(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10).close()
        self.s3 = self.client("s3")
        self.sqs = self.client("sqs")
        for bucket in (SOURCE, PROCESSED):
            self.s3.create_bucket(Bucket=bucket)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.kill()
            self.process.wait()

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=body)

    def keys(self, bucket: str = PROCESSED) -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def wait_for_prints(self, keys: Iterable[str], log: Path) -> None:
        wanted = set().union(*(prints_of(key) for key in keys))
        until(f"{len(wanted)} prints", lambda: wanted <= self.keys(), log=log)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def road(port: int, to: int) -> Iterator[None]:
    """Connections to one port lead to another, until the block ends: a server that is back."""

    def pour(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", to)) as server:
                back = threading.Thread(target=pour, args=(server, self.request), daemon=True)
                back.start()
                pour(self.request, server)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@contextlib.contextmanager
def nats_server(folder: Path, port: int) -> Iterator[str]:
    """Debian's nats-server with JetStream on disk."""
    if not NATS_SERVER.is_file():
        pytest.fail(f"{NATS_SERVER} is missing: run tools/setup.sh test")
    command = [NATS_SERVER, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder / "nats"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("nats-server", lambda: listens(port), START_SECONDS)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def publish(url: str, subject: str, *bodies: bytes) -> None:
    """Publishes to JetStream, which confirms each."""

    async def each() -> None:
        connection = await nats.connect(url)
        stream = connection.jetstream()
        for body in bodies:
            await stream.publish(subject, body)
        await connection.close()

    asyncio.run(each())


def consumer_info(url: str, stream: str = "minilab", consumer: str = "minilab-worker"):
    async def ask():
        connection = await nats.connect(url)
        info = await connection.jetstream().consumer_info(stream, consumer)
        await connection.close()
        return info

    return asyncio.run(ask())


@dataclass
class Worker:
    """A running `minilab worker`."""

    process: subprocess.Popen
    log: Path
    ready: dict

    def post(self, body: bytes | dict | list, token: str | None = TOKEN, **headers: str) -> int:
        """The status of the answer."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(
            f"{self.ready['from']}/events", body, {"Content-Type": "application/json"} | authorization | headers
        )
        return status(request)

    def page(self, path: str) -> tuple[int, str]:
        try:
            with DIRECT.open(self.ready["metrics"] + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """A sample's value, 0 when it was never counted."""
        _, text = self.page("/metrics")
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def wait_until_idle(self) -> None:
        until("an empty inbox", lambda: self.metric("minilab_inbox_depth") == 0, log=self.log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """The exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def status(request: urllib.request.Request) -> int:
    try:
        with DIRECT.open(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Workers:
    """Starts workers in one folder; what is left of them ends with the test."""

    def __init__(self, minilab: Path, folder: Path):
        self.minilab, self.folder = minilab, folder
        self.started: list[subprocess.Popen] = []
        (folder / "minilab.toml").write_text(RECIPE)

    def command(self, *options: object) -> list[str]:
        return [str(part) for part in (self.minilab, "worker", "--json", *options)]

    def environment(self, s3: str) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINILAB_"))}
        return small_cloud.without_proxies(plain) | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3,
            "MINILAB_WORKER_TOKEN": TOKEN,
            "HOME": str(self.folder),
        }

    def start(self, s3: str, *options: object, wait: bool = True, **variables: str) -> Worker:
        log = self.folder / f"log-{len(self.started)}.txt"
        command = self.command("--metrics-addr", "127.0.0.1:0", "--listen", "127.0.0.1:0", *options)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, cwd=self.folder, env=self.environment(s3) | variables
            )
        self.started.append(process)
        worker = Worker(process, log, {})
        return self.ready(worker) if wait else worker

    def ready(self, worker: Worker) -> Worker:
        readable, _, _ = select.select([worker.process.stdout], [], [], START_SECONDS)
        line = worker.process.stdout.readline() if readable else b""
        if not line:
            pytest.fail(f"the worker did not start:\n{worker.log.read_text()[-4000:]}")
        worker.ready.update(json.loads(line))
        return worker

    def run(self, s3: str, *options: object, **variables: str) -> subprocess.CompletedProcess:
        """One that is expected to end by itself."""
        environment = self.environment(s3) | variables
        return subprocess.run(
            self.command(*options), cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
