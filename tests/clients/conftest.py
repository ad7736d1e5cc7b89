"""The clients that talk to the running cloud, and what they store."""

from pathlib import Path

import pytest

import s3_clients
from small_cloud import Cloud


@pytest.fixture(scope="session")
def scratch(cloud: Cloud) -> str:
    """A bucket without a trigger, for tests of storage alone."""
    cloud.client().create_bucket(Bucket="clients-scratch")
    return "clients-scratch"


@pytest.fixture(scope="session", params=list(s3_clients.CLIENTS))
def client(request: pytest.FixtureRequest, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> s3_clients.Client:
    """Each client in turn. One that is not installed is a failure."""
    return s3_clients.CLIENTS[request.param](cloud, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def photo(photos: Path) -> Path:
    """A photograph of 6 megapixels, lying on its side: 2056 x 3088 upright."""
    return photos / "dogs at the window.jpg"


@pytest.fixture(scope="session")
def sixty_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 MB that do not repeat, so that parts in the wrong order show."""
    import random

    path = tmp_path_factory.mktemp("large") / "sixty megabytes.bin"
    path.write_bytes(random.Random(60).randbytes(60_000_000))
    return path
