#!/usr/bin/env python3
"""What one runs before each commit: format, clippy, unit tests and rendered pages of what changed.

    tools/check.py [--since REVISION]

Changed is what differs from REVISION (by default the last commit), files that
git does not know yet included. A crate's change is checked in that crate, in
clippy and in the unit tests of its library; what the crate promises the others
shows in the rendered pages and in the tests of the architecture, which always
run. `.ci/run` runs everything.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("--locked", "--release", "--config", "tools/checked.toml")
# Changes of these reach every crate.
EVERYWHERE = {"Cargo.toml", "Cargo.lock", "clippy.toml", "tools/checked.toml", "rust-toolchain.toml"}
# Pages that are rendered from the code, and the tests that compare them.
PAGES = ("--bins", "--test", "commands", "--test", "deploy", "--test", "architecture")
# The packages whose tests those are.
PAGED = {"minilab", "minilab-imaging"}


def git(*arguments: str) -> list[str]:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def changed(since: str) -> set[str]:
    """Paths that differ from the revision, from the root of the repository."""
    return set(git("diff", "--name-only", since)) | set(git("ls-files", "--others", "--exclude-standard"))


def crates_of(paths: set[str]) -> list[str]:
    """The packages whose files are among the paths, by the folder's name; every package where all are reached."""
    folders = {path.parent.name: path for path in sorted(ROOT.glob("crates/*/Cargo.toml"))}
    if paths & EVERYWHERE:
        chosen = set(folders)
    else:
        chosen = {path.split("/")[1] for path in paths if path.startswith("crates/")} & set(folders)
    return sorted("minilab" if folder == "cli" else f"minilab-{folder}" for folder in chosen)


def steps(crates: list[str]) -> list[tuple[str, ...]]:
    """Arguments of cargo, one tuple for each run; the quickest refusal first. The tests are one run, because cargo builds
    the crates anew where another choice of packages gives a dependency other features."""

    def named(packages: set[str]) -> tuple[str, ...]:
        return tuple(word for package in sorted(packages) for word in ("-p", package))

    found: list[tuple[str, ...]] = [("fmt", "--all", "--check")]
    if crates:
        found.append(("clippy", *CHECKED, *named(set(crates)), "--all-targets", "--", "-D", "warnings"))
    found.append(("test", *CHECKED, *named(set(crates) | PAGED), "--lib", *PAGES))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks what changed.")
    parser.add_argument("--since", default="HEAD", metavar="REVISION", help="what to compare with (default: HEAD)")
    crates = crates_of(changed(parser.parse_args().since))
    print(f"changed: {', '.join(crates) or 'no crate'}", flush=True)
    begun = time.monotonic()
    for step in steps(crates):
        started = time.monotonic()
        status = subprocess.run(("cargo", *step), cwd=ROOT).returncode
        print(f"cargo {step[0]}: {time.monotonic() - started:.0f} s", flush=True)
        if status != 0:
            print(f"refused by: cargo {' '.join(step)}", file=sys.stderr)
            return 1
    print(f"checked in {time.monotonic() - begun:.0f} s; not checked: what .ci/run runs besides")
    return 0


if __name__ == "__main__":
    sys.exit(main())
