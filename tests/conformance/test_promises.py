"""SECURITY.md names the tests of its promises: each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_the_security_page_names_exists() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")]
    cells = " ".join(row.split("|")[2] for row in rows)
    names = {name for name in re.findall(r"`([a-z0-9_]+)`", cells) if name.count("_") >= 2}
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("crates/*/src/**/*.rs"), *ROOT.glob("crates/*/tests/**/*.rs")]
    written = "\n".join(path.read_text() for path in files)
    assert len(names) > 20
    assert [name for name in sorted(names) if not re.search(rf"\b(fn|def) {name}\(", written)] == []
    paths = set(re.findall(r"`([a-z/_]+\.(?:py|rs))`", cells))
    assert [path for path in sorted(paths) if not (ROOT / path).exists() and not (ROOT / "tests" / path).exists()] == []
