"""The console in a real browser, and the size of what it loads."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "crates" / "local" / "src" / "console" / "page"


def test_the_page_stays_below_150_kb_compressed() -> None:
    files = sorted(PAGE.iterdir())
    assert {"index.html", "app.css", "app.js"} <= {file.name for file in files}
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 150_000


def test_the_console_in_a_browser(minilab: Path) -> None:
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.fail("chromium is not installed: run tools/setup.sh test")
    run = subprocess.run(
        ["node", "--test", "console.test.mjs"],
        cwd=HERE,
        env=os.environ | {"MINILAB": str(minilab), "CHROMIUM": chromium},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, f"{run.stdout[-12000:]}\n{run.stderr[-4000:]}"
