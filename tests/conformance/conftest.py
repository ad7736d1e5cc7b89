"""S3 as its API reference documents it: fixtures, signed raw requests, and the list that only grows.

`PASSING.txt` names every test that passes. A run of the whole suite fails when one of them fails or is gone, and when
a passing one is not listed: `MINILAB_BLESS=1` adds those. Nothing is ever taken off by a program.
"""

import os
import uuid
from pathlib import Path

import boto3
import botocore.config
import pytest

from raw import Raw

HERE = Path(__file__).resolve().parent
LIST = HERE / "PASSING.txt"
passed: set[str] = set()
collected: set[str] = set()


def name_of(nodeid: str) -> str:
    """The test's name below this folder, whatever pytest was started on."""
    return nodeid.split("conformance/", 1)[-1]


def listed() -> set[str]:
    return set(LIST.read_text().splitlines()) if LIST.exists() else set()


def is_whole(config: pytest.Config) -> bool:
    """Whether nothing of the suite was left out of this run."""
    files = {path.name for path in HERE.glob("test_*.py")}
    seen = {name.split("::")[0] for name in collected}
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    return files <= seen and not chosen


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    collected.update(name_of(item.nodeid) for item in items if HERE in item.path.parents)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed and "conformance/" in report.nodeid:
        passed.add(name_of(report.nodeid))


def differences(config: pytest.Config) -> list[str]:
    if not is_whole(config):
        return []
    lost, new = sorted(listed() - passed), sorted(passed - listed())
    if new and os.environ.get("MINILAB_BLESS"):
        LIST.write_text("".join(f"{name}\n" for name in sorted(listed() | passed)))
        new = []
    return [f"listed in PASSING.txt and not passing: {name}" for name in lost] + [
        f"passing and not listed in PASSING.txt (add it with MINILAB_BLESS=1): {name}" for name in new
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.conformance = differences(session.config)
    if session.config.conformance and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    for line in getattr(config, "conformance", []):
        terminalreporter.write_line(line)
    if collected:
        terminalreporter.write_line(f"conformance: {len(passed)} passed of {len(collected)}, {len(listed())} listed")


@pytest.fixture(scope="session")
def s3(cloud):
    """A client that checks and hides nothing: no retries, no validation of names, version 4 signatures."""
    config = botocore.config.Config(
        retries={"total_max_attempts": 1},
        proxies={},
        signature_version="s3v4",
        parameter_validation=False,
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        config=config,
        aws_access_key_id=cloud.access_key_id,
        aws_secret_access_key=cloud.secret_access_key,
    )
    # The client's own check of bucket names would keep the server from being asked.
    client.meta.events.unregister("before-parameter-build.s3", botocore.handlers.validate_bucket_name)
    return client


@pytest.fixture(scope="session")
def raw(cloud) -> Raw:
    """Requests as they are written, signed here."""
    return Raw(cloud.endpoint, cloud.access_key_id, cloud.secret_access_key)


def new_name(request: pytest.FixtureRequest) -> str:
    module = request.module.__name__.removeprefix("test_").replace("_", "-")
    return f"{module}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def bucket(s3, request) -> str:
    """A bucket of this file's own."""
    name = new_name(request)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def fresh(s3, request) -> str:
    """A bucket of this test's own, empty."""
    name = new_name(request)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def versioned(s3, request) -> str:
    """A bucket that keeps versions, of this file's own."""
    name = f"{new_name(request)}-v"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"key-{uuid.uuid4().hex}"
