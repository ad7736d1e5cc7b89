"""Shared by every Python test: which binary is tested, and one running cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import small_cloud

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minilab",
        type=Path,
        default=ROOT / "target" / "release" / "minilab",
        metavar="PATH",
        help="the minilab binary to test (default: target/release/minilab)",
    )


@pytest.fixture(scope="session")
def minilab(request: pytest.FixtureRequest) -> Path:
    """The binary under test. Its absence is a failure: nothing here is skipped."""
    path = request.config.getoption("--minilab").resolve()
    if not path.is_file():
        pytest.fail(f"{path} does not exist: build it with `cargo build --release -p minilab` or pass --minilab PATH")
    return path


@pytest.fixture(scope="session")
def photos() -> Path:
    """The bundled photographs."""
    return ROOT / "examples" / "photos"


@pytest.fixture(scope="session")
def cloud(minilab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[small_cloud.Cloud]:
    """One `minilab up` for the whole session."""
    with small_cloud.running(minilab, tmp_path_factory.mktemp("cloud")) as running:
        yield running
