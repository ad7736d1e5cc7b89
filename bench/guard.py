"""Has a fixed set of jobs become slower or faster? Instructions, counted by callgrind, against recorded ones.

    python3 bench/guard.py PROGRAM        PROGRAM is the example bench_job, built for release

Instructions do not depend on what else the machine does, so that a change over
the bound is a change of the code. They do depend on the compilers and on which
SIMD the processor has: where those differ from the recorded ones, nothing is
compared, and that is said. MINILAB_BLESS=1 records anew.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "bench" / "instructions.json"
PHOTO = ROOT / "examples" / "photos" / "dogs at the window.jpg"
JOBS = ("widths", "cells", "webp", "png")
# A change by more fails, in either direction: what became faster is recorded, or the gain can be lost unseen.
BOUND = 0.03


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def toolchain() -> dict[str, str]:
    """What the counts depend on besides the code. Valgrind shows programs AVX2 at most."""
    info = Path("/proc/cpuinfo").read_text()
    flags = re.search(r"^flags\s*:(.*)$", info, re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.MULTILINE)
    simd = {"avx2", "fma", "bmi2", "sse4_2", "ssse3"} & set(flags[1].split()) if flags else set()
    return {
        "architecture": platform.machine(),
        # libc chooses how it copies by more than SIMD.
        "processor": model[1] if model else "unknown",
        "simd": " ".join(sorted(simd)),
        "rustc": first_line("rustc", "--version"),
        "cc": first_line("cc", "--version"),
        "glibc": platform.libc_ver()[1],
        "valgrind": first_line("valgrind", "--version"),
    }


def differences(recorded: dict[str, str], found: dict[str, str]) -> list[str]:
    """Why counts cannot be compared, in words; empty when they can."""
    return [
        f"{name} is {found.get(name)!r}, recorded with {recorded.get(name)!r}"
        for name in sorted(recorded.keys() | found.keys())
        if recorded.get(name) != found.get(name)
    ]


def changes(recorded: dict[str, int], found: dict[str, int]) -> list[str]:
    """Every job whose count left the bound, or that was never counted, in words."""
    said = []
    for job, count in found.items():
        if job not in recorded:
            said.append(f"{job}: {count:,} instructions, none recorded")
            continue
        change = count / recorded[job] - 1
        if abs(count - recorded[job]) > BOUND * recorded[job]:
            word = "more" if change > 0 else "fewer"
            said.append(f"{job}: {count:,} instructions, {abs(change):.1%} {word} than the recorded {recorded[job]:,}")
    return said


def count(program: str, job: str) -> int:
    """Instructions of a whole process that does the job once, on one thread: on
    more, the counts would depend on who waits for whom."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, job, str(PHOTO), out),
            input="once\nend\n",
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{job} ended with status {done.returncode}: {done.stderr[-1000:]}")
    return int(found[1])


def main() -> int:
    (program,) = sys.argv[1:]
    bless = bool(os.environ.get("MINILAB_BLESS"))
    if not bless and not RECORDED.exists():
        print(f"{RECORDED.relative_to(ROOT)} does not exist: record it with MINILAB_BLESS=1 make guard", file=sys.stderr)
        return 1
    recorded = {} if bless else json.loads(RECORDED.read_text())
    tools = toolchain()
    if not bless and (reasons := differences(recorded["toolchain"], tools)):
        print("instruction counts were not compared, because they depend on the toolchain:")
        print("\n".join(f"  {reason}" for reason in reasons))
        print("record them for this one with MINILAB_BLESS=1 make guard")
        return 0
    with ThreadPoolExecutor() as pool:
        found = dict(zip(JOBS, pool.map(lambda job: count(program, job), JOBS), strict=True))
    for job, instructions in found.items():
        print(f"{job}: {instructions:,} instructions")
    if bless:
        RECORDED.write_text(json.dumps({"toolchain": tools, "instructions": found}, indent=1) + "\n")
        print(f"recorded in {RECORDED.relative_to(ROOT)}")
        return 0
    if said := changes(recorded["instructions"], found):
        print("\n".join(said), file=sys.stderr)
        print(
            f"a change over {BOUND:.0%} is meant or a mistake; where it is meant: MINILAB_BLESS=1 make guard, "
            "and name the figure in the commit",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
