"""Recipes that templates are made of, and an AWS that is not ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import templates

# Everything that a recipe can ask of a role: a trigger prefix with characters
# that mean something elsewhere, prefixes, listed keys, a watermark in the bucket.
RECIPE = """\
# ${not a variable} and %{ not a directive }
[source]
bucket = "acme-uploads"
prefix = "in ${x}/*/"
[processed]
bucket = "acme-prints"
[[output]]
key = "small/{dir}{stem}_{width}x{height}.{ext}"
resize = { width = 320 }
watermark = { image = "processed:brand/logo.png" }
format = "webp"
[[output]]
key = "{key}.avif"
format = "avif"
"""
SOURCE_KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
PROCESSED_KEY = "arn:aws:kms:us-east-1:123456789012:key/66666666-7777-8888-9999-000000000000"
KEYS = ["--source-kms-key", SOURCE_KEY, "--processed-kms-key", PROCESSED_KEY]

# Options beside --format; each is rendered in every language.
VARIANTS = {
    "direct": [],
    "sqs": ["--trigger", "sqs"],
    "everything": [
        *["--name", "acme", *KEYS, "--versioning", "both", "--keep-versions", "7"],
        *["--expire-sources", "365", "--expire-prints", "90", "--arch", "x86_64", "--memory", "1769"],
        *["--timeout", "120", "--concurrency", "20", "--trigger", "sqs", "--batch", "3", "--log-retention", "90"],
        *["--alarm-topic", "arn:aws:sns:us-east-1:123456789012:ops"],
    ],
    "existing": ["--existing-source", "--existing-processed"],
    "existing-sqs": ["--existing-source", "--existing-processed", "--trigger", "sqs"],
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cargo-lambda", type=Path, metavar="PATH", help="the program cargo-lambda, for cargo_lambda.py")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "minilab.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="session")
def render(minilab: Path, folder: Path):
    """What `minilab template` prints of the recipe."""

    def render(language: str, variant: str) -> str:
        return templates.run(minilab, "template", "--format", language, *VARIANTS[variant], folder=folder)

    return render


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The endpoint of moto's server, which keeps to itself what it is told."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
