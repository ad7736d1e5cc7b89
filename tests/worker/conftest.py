"""An S3 with both buckets, and workers on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import servers


@pytest.fixture(scope="session")
def moto() -> Iterator[servers.Aws]:
    """moto for the whole session: it takes a second to start."""
    aws = servers.Aws(servers.free_port())
    aws.start()
    yield aws
    aws.stop()


@pytest.fixture
def aws(moto: servers.Aws) -> Iterator[servers.Aws]:
    """Both buckets, empty."""
    moto.reset()
    yield moto
    moto.thaw()


@pytest.fixture(scope="session")
def second_moto() -> Iterator[servers.Aws]:
    aws = servers.Aws(servers.free_port())
    aws.start()
    yield aws
    aws.stop()


@pytest.fixture
def queues(second_moto: servers.Aws) -> servers.Aws:
    """Another moto for queues, which answers while S3 is held up."""
    second_moto.reset()
    return second_moto


@pytest.fixture
def workers(minilab: Path, tmp_path: Path) -> Iterator[servers.Workers]:
    workers = servers.Workers(minilab, tmp_path)
    yield workers
    workers.close()
