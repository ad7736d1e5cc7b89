"""Five S3 clients that nobody here wrote, behind one set of verbs."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

from small_cloud import without_proxies

HERE = Path(__file__).resolve().parent
REGION = "us-east-1"
TIMEOUT_SECONDS = 300


def fetch(url: str, data: bytes | None = None) -> bytes:
    """GET, or PUT of `data`, by the standard library: no S3 client at all."""
    request = urllib.request.Request(url, data=data, method="GET" if data is None else "PUT")
    if data is not None:
        # urllib would otherwise add a form's media type, which was not signed.
        request.add_header("Content-Type", "application/octet-stream")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        return answer.read()


class Client(ABC):
    """What every client here can do with a bucket and a key."""

    name: str
    #: Keys whose names the client itself changes before it sends them, with the reason.
    cannot_name: dict[str, str] = {}

    def __init__(self, cloud, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        # Nothing of the person who runs the tests: no profile, no session, no
        # certificate bundle (which rclone refuses to combine with its transport).
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))}
        self.environment = without_proxies(inherited) | {
            "AWS_ACCESS_KEY_ID": cloud.access_key_id,
            "AWS_SECRET_ACCESS_KEY": cloud.secret_access_key,
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": str(folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: str | Path) -> bytes:
        """Standard output of a command that must succeed."""
        done = subprocess.run(command, capture_output=True, env=self.environment, timeout=TIMEOUT_SECONDS, cwd=self.folder)
        assert done.returncode == 0, (
            f"{self.name}: {' '.join(map(str, command))[:400]} ended with status {done.returncode}: "
            f"{(done.stderr or done.stdout).decode(errors='replace')[-2000:]}"
        )
        return done.stdout

    def program(self, name: str) -> str:
        """A program of this test environment, else one on the path."""
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        assert found, f"{name} is not installed: run `make setup`"
        return found

    @abstractmethod
    def upload(self, path: Path, bucket: str, key: str) -> None: ...

    @abstractmethod
    def download(self, bucket: str, key: str) -> bytes: ...

    @abstractmethod
    def list(self, bucket: str, prefix: str) -> set[str]: ...

    @abstractmethod
    def copy(self, bucket: str, key: str, to: str) -> None: ...

    @abstractmethod
    def delete(self, bucket: str, key: str) -> None: ...

    @abstractmethod
    def presign(self, bucket: str, key: str) -> str: ...


class Ranged(Client):
    """A client that can read a part of an object."""

    @abstractmethod
    def range(self, bucket: str, key: str, first: int, last: int) -> bytes: ...


class Aws(Ranged):
    """The AWS command line, version 1."""

    name = "aws"

    def aws(self, *arguments: str | Path) -> bytes:
        return self.run(self.program("aws"), *arguments)

    def upload(self, path, bucket, key):
        self.aws("s3", "cp", path, f"s3://{bucket}/{key}", "--only-show-errors")

    def download(self, bucket, key):
        target = self.folder / "download"
        self.aws("s3", "cp", f"s3://{bucket}/{key}", target, "--only-show-errors")
        return target.read_bytes()

    def list(self, bucket, prefix):
        lines = self.aws("s3", "ls", "--recursive", f"s3://{bucket}/{prefix}").decode().splitlines()
        # date, time, size and, after one space, the key as it is
        return {line.split(maxsplit=2)[2].split(" ", 1)[1] for line in lines}

    def copy(self, bucket, key, to):
        self.aws("s3", "cp", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}", "--only-show-errors")

    def delete(self, bucket, key):
        self.aws("s3", "rm", f"s3://{bucket}/{key}", "--only-show-errors")

    def presign(self, bucket, key):
        return self.aws("s3", "presign", f"s3://{bucket}/{key}").decode().strip()

    def range(self, bucket, key, first, last):
        target = self.folder / "part"
        self.aws("s3api", "get-object", "--bucket", bucket, "--key", key, "--range", f"bytes={first}-{last}", target)
        return target.read_bytes()


class Boto3(Ranged):
    """boto3, with its transfer manager."""

    name = "boto3"

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.s3 = cloud.client()

    def upload(self, path, bucket, key):
        self.s3.upload_file(str(path), bucket, key)

    def download(self, bucket, key):
        target = self.folder / "download"
        self.s3.download_file(bucket, key, str(target))
        return target.read_bytes()

    def list(self, bucket, prefix):
        return self.cloud.keys(bucket, prefix)

    def copy(self, bucket, key, to):
        self.s3.copy({"Bucket": bucket, "Key": key}, bucket, to)

    def delete(self, bucket, key):
        self.s3.delete_object(Bucket=bucket, Key=key)

    def presign(self, bucket, key):
        return self.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})

    def range(self, bucket, key, first, last):
        return self.s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}")["Body"].read()


class S3cmd(Client):
    """s3cmd. It has no way to read a part of an object."""

    name = "s3cmd"

    def s3cmd(self, *arguments: str | Path) -> bytes:
        host = self.cloud.endpoint.removeprefix("http://").rstrip("/")
        config = self.folder / "s3cfg"
        config.write_text(
            f"[default]\naccess_key = {self.cloud.access_key_id}\nsecret_key = {self.cloud.secret_access_key}\n"
            f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\nbucket_location = {REGION}\n"
        )
        return self.run(self.program("s3cmd"), "--config", config, "--no-progress", *arguments)

    def upload(self, path, bucket, key):
        self.s3cmd("put", path, f"s3://{bucket}/{key}")

    def download(self, bucket, key):
        target = self.folder / "download"
        self.s3cmd("get", "--force", f"s3://{bucket}/{key}", target)
        return target.read_bytes()

    def list(self, bucket, prefix):
        lines = self.s3cmd("ls", "--recursive", f"s3://{bucket}/{prefix}").decode().splitlines()
        return {line.split(f"s3://{bucket}/", 1)[1] for line in lines if line}

    def copy(self, bucket, key, to):
        self.s3cmd("cp", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}")

    def delete(self, bucket, key):
        self.s3cmd("del", f"s3://{bucket}/{key}")

    def presign(self, bucket, key):
        return self.s3cmd("signurl", f"s3://{bucket}/{key}", "+3600").decode().strip()


class Rclone(Ranged):
    """rclone, in small parts so that 60 MB are several."""

    name = "rclone"
    cannot_name = {"a//b.bin": "rclone cleans its paths and sends a/b.bin"}

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.environment |= {
            "RCLONE_CONFIG": str(folder / "rclone.conf"),
            "RCLONE_CONFIG_LAB_TYPE": "s3",
            "RCLONE_CONFIG_LAB_PROVIDER": "Other",
            "RCLONE_CONFIG_LAB_ENV_AUTH": "true",
            "RCLONE_CONFIG_LAB_ENDPOINT": cloud.endpoint,
            "RCLONE_CONFIG_LAB_REGION": REGION,
            "RCLONE_CONFIG_LAB_UPLOAD_CUTOFF": "10M",
            "RCLONE_CONFIG_LAB_CHUNK_SIZE": "8M",
        }
        (folder / "rclone.conf").touch()

    def rclone(self, *arguments: str | Path) -> bytes:
        return self.run(self.program("rclone"), "--retries", "1", *arguments)

    def upload(self, path, bucket, key):
        self.rclone("copyto", path, f"lab:{bucket}/{key}")

    def download(self, bucket, key):
        return self.rclone("cat", f"lab:{bucket}/{key}")

    def list(self, bucket, prefix):
        # rclone lists folders; the prefixes of these tests are some.
        assert prefix.endswith("/")
        names = self.rclone("lsf", "--recursive", "--files-only", f"lab:{bucket}/{prefix}").decode().splitlines()
        return {prefix + name for name in names}

    def copy(self, bucket, key, to):
        self.rclone("copyto", f"lab:{bucket}/{key}", f"lab:{bucket}/{to}")

    def delete(self, bucket, key):
        self.rclone("deletefile", f"lab:{bucket}/{key}")

    def presign(self, bucket, key):
        return self.rclone("link", "--expire", "1h", f"lab:{bucket}/{key}").decode().strip()

    def range(self, bucket, key, first, last):
        return self.rclone("cat", "--offset", str(first), "--count", str(last - first + 1), f"lab:{bucket}/{key}")


class Node(Ranged):
    """@aws-sdk/client-s3, with its lib-storage for multipart and its presigner."""

    name = "node"

    def node(self, **request: object) -> bytes:
        return self.run(self.program("node"), HERE / "node" / "client.mjs", json.dumps(request))

    def upload(self, path, bucket, key):
        self.node(verb="upload", bucket=bucket, key=key, path=str(path))

    def download(self, bucket, key):
        target = self.folder / "download"
        self.node(verb="download", bucket=bucket, key=key, path=str(target))
        return target.read_bytes()

    def list(self, bucket, prefix):
        return set(json.loads(self.node(verb="list", bucket=bucket, prefix=prefix)))

    def copy(self, bucket, key, to):
        self.node(verb="copy", bucket=bucket, key=key, to=to)

    def delete(self, bucket, key):
        self.node(verb="delete", bucket=bucket, key=key)

    def presign(self, bucket, key):
        return json.loads(self.node(verb="presign", bucket=bucket, key=key))

    def range(self, bucket, key, first, last):
        target = self.folder / "part"
        self.node(verb="range", bucket=bucket, key=key, range=f"bytes={first}-{last}", path=str(target))
        return target.read_bytes()


CLIENTS: dict[str, type[Client]] = {client.name: client for client in (Aws, Boto3, S3cmd, Rclone, Node)}
