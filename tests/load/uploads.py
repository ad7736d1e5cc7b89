"""Many uploads from many clients into a running `minilab up`, and what becomes of them.

    .tools/venv/bin/python tests/load/uploads.py --minilab target/release/minilab --uploads 10000 --clients 64

Prints one JSON object: errors, throughput, upload-to-last-print times, the memory of the cloud's own process while
it goes on, and how long the console's state took. Exit status 1 when an upload failed or a print is missing.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import io
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from PIL import Image

RECIPE = """
[source]
bucket = "load-source"
[processed]
bucket = "load-processed"
[[output]]
key = "small/{key}.jpg"
resize = { width = 32 }
format = "jpeg"
[[output]]
key = "tiny/{key}.jpg"
resize = { width = 16 }
format = "jpeg"
"""
PRINTS = ("small", "tiny")


class Client:
    """One connection that signs its own requests (SigV4, the payload unsigned)."""

    def __init__(self, ready: dict) -> None:
        self.host = ready["s3"].removeprefix("http://")
        self.key, self.secret = ready["access_key_id"], ready["secret_access_key"]
        self.connection = http.client.HTTPConnection(self.host, timeout=300)

    def send(self, method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, bytes]:
        now = datetime.datetime.now(datetime.UTC)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        names = "host;x-amz-content-sha256;x-amz-date"
        lines = f"host:{self.host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{stamp}\n"
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        scope = f"{day}/us-east-1/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = b"AWS4" + self.secret.encode()
        for part in (day, "us-east-1", "s3", "aws4_request", f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers = {
            "x-amz-date": stamp,
            "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={key.hex()}",
        }
        self.connection.request(method, f"{path}?{query}" if query else path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def keys(self, bucket: str) -> dict[str, str]:
        """Every key with its time of writing."""
        found, after = {}, ""
        while True:
            query = "list-type=2" + (f"&start-after={urllib.parse.quote(after, safe='')}" if after else "")
            _, page = self.send("GET", f"/{bucket}", query)
            pairs = re.findall(r"<Key>(.*?)</Key><LastModified>(.*?)</LastModified>", page.decode())
            pairs = pairs or [(key, "") for key in re.findall(r"<Key>(.*?)</Key>", page.decode())]
            if not pairs:
                return found
            found.update(pairs)
            after = pairs[-1][0]


def picture(number: int) -> bytes:
    """A small photograph-like picture; no two are alike."""
    image = Image.effect_noise((96, 72), 40).convert("RGB")
    image.putpixel((number % 96, number // 96 % 72), (255, 0, 0))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, comment=str(number).encode())
    return file.getvalue()


def memory(pid: int) -> float:
    """Resident memory of one process in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Console:
    """The console's interface, with the token of the link that `minilab up` prints."""

    def __init__(self, ready: dict) -> None:
        link = urllib.parse.urlsplit(ready["console"])
        token = urllib.parse.parse_qs(link.query)["token"][0]
        self.connection = http.client.HTTPConnection(link.netloc, timeout=300)
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> http.client.HTTPResponse:
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        if answer.status != 200:
            raise OSError(f"the console answers {answer.status} to {path}")
        return answer

    def state(self) -> dict:
        return json.loads(self.get("/api/state").read())


def quantile(values: list[float], share: float) -> float:
    values = sorted(values)
    return round(values[min(len(values) - 1, int(share * len(values)))], 3) if values else 0.0


class Load:
    """Everything that is noted while it goes on."""

    def __init__(self, ready: dict, pid: int, uploads: int) -> None:
        self.ready, self.pid, self.uploads = ready, pid, uploads
        self.uploaded: dict[str, float] = {}
        self.printed: dict[str, float] = {}
        self.errors: list[str] = []
        self.answers: list[float] = []
        self.memories: list[float] = []
        self.states: list[float] = []
        self.next, self.lock, self.over = 0, threading.Lock(), threading.Event()

    def upload(self, pictures: list[bytes]) -> None:
        client = Client(self.ready)
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.uploads:
                return
            key, begun = f"{number:05}.jpg", time.monotonic()
            try:
                status, body = client.send("PUT", f"/load-source/{key}", "", pictures[number % len(pictures)])
            except OSError as error:
                status, body = 0, repr(error).encode()
                client = Client(self.ready)
            if status != 200:
                self.errors.append(f"{key}: {status} {body[:200]!r}")
            self.uploaded[key] = time.monotonic()
            self.answers.append(self.uploaded[key] - begun)

    def listen(self) -> None:
        """The console's stream tells when an invocation is over: by then its prints are written."""
        answer = Console(self.ready).get("/api/events")
        while not self.over.is_set():
            line = answer.readline()
            if line.startswith(b"data:") and b'"type":"finished"' in line:
                event, now = json.loads(line[5:]), time.monotonic()
                for subject in event["subjects"]:
                    if event["outcome"] == "success":
                        self.printed[subject.rsplit("/", 1)[-1]] = now

    def look(self) -> None:
        """Memory and the console, four times a second."""
        console = Console(self.ready)
        while not self.over.wait(0.25):
            self.memories.append(memory(self.pid))
            begun = time.monotonic()
            console.state()
            self.states.append(time.monotonic() - begun)

    def run(self, clients: int) -> dict:
        pictures = [picture(number) for number in range(200)]
        onlookers = [threading.Thread(target=work, daemon=True) for work in (self.listen, self.look)]
        uploaders = [threading.Thread(target=self.upload, args=(pictures,)) for _ in range(clients)]
        begun = time.monotonic()
        for thread in onlookers + uploaders:
            thread.start()
        for thread in uploaders:
            thread.join()
        uploading = time.monotonic() - begun
        console = Console(self.ready)
        while any(console.state()["queue"][name] for name in ("queued", "running", "waiting")):
            time.sleep(0.1)
        printing = time.monotonic() - begun
        failed = console.state()["queue"]["failed"]
        self.over.set()
        found = set(Client(self.ready).keys("load-processed"))
        missing = [f"{kind}/{key}.jpg" for key in self.uploaded for kind in PRINTS if f"{kind}/{key}.jpg" not in found]
        times = [self.printed[key] - done for key, done in self.uploaded.items() if key in self.printed]
        tenth = max(1, len(self.memories) // 10)
        return {
            "uploads": self.uploads,
            "clients": clients,
            "errors": len(self.errors),
            "first_errors": self.errors[:5],
            "missing_prints": len(missing),
            "failed_events": failed,
            "uploads_per_second": round(self.uploads / uploading, 1),
            "prints_done_after_seconds": round(printing, 1),
            "put_seconds": {"p50": quantile(self.answers, 0.5), "p99": quantile(self.answers, 0.99)},
            "upload_to_last_print_seconds": {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99), "seen": len(times)},
            "memory_mb": {
                "first_tenth": round(max(self.memories[:tenth]), 1),
                "middle": round(self.memories[len(self.memories) // 2], 1),
                "last": round(self.memories[-1], 1),
                "most": round(max(self.memories), 1),
            },
            "console_state_seconds": {"p50": quantile(self.states, 0.5), "p99": quantile(self.states, 0.99)},
        }


def measure(minilab: Path, uploads: int, clients: int, folder: Path) -> dict:
    recipe = folder / "minilab.toml"
    recipe.write_text(RECIPE)
    command = [minilab, "up", "--json", "--quiet", "--config", recipe, "--data-dir", folder / "data"]
    command += ["--s3-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0"]
    with (folder / "log.txt").open("wb") as log:
        cloud = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        ready = json.loads(cloud.stdout.readline())
        return Load(ready, cloud.pid, uploads).run(clients)
    finally:
        cloud.terminate()
        cloud.wait(60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minilab", type=Path, default=Path("target/release/minilab"))
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options.minilab.resolve(), options.uploads, options.clients, Path(folder))
    print(json.dumps(figures, indent=2))
    return int(bool(figures["errors"] or figures["missing_prints"] or figures["failed_events"]))


if __name__ == "__main__":
    sys.exit(main())
