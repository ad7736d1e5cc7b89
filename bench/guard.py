"""Has a fixed set of jobs become slower or faster? Instructions, counted by callgrind, against recorded ones.

    python3 bench/guard.py PROGRAM        PROGRAM is the example bench_job, built for release

Instructions do not depend on what else the machine does, so that a change over
the bound is a change of the code. Nor do they depend on the processor:
valgrind shows each program the same one, with AVX2, and GLIBC_TUNABLES settles
what libc would choose by the real one's caches. They do depend on the
compilers; where those differ from the recorded ones the counts are compared
all the same, and the message of a failure names the difference. MINILAB_BLESS=1
records anew.
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
# How libc copies and fills memory: by AVX2, without the instructions that only some processors have, and with one size
# of cache, as a Haswell of 2013 would.
TUNABLES = ":".join(
    (
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-RTM",
        "glibc.cpu.x86_data_cache_size=32768",
        "glibc.cpu.x86_shared_cache_size=1048576",
        "glibc.cpu.x86_non_temporal_threshold=3145728",
        "glibc.cpu.x86_rep_movsb_threshold=1073741824",
        "glibc.cpu.x86_rep_stosb_threshold=1073741824",
    )
)
# The fewest instruction sets for which the counts were recorded: valgrind 3.19 shows a program AVX2 at most.
SIMD = {"avx2", "fma", "bmi2", "sse4_2", "ssse3"}


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def not_comparable() -> str:
    """Why this machine's counts say nothing about the recorded ones; empty where they do."""
    if platform.machine() != "x86_64":
        return f"the processor is {platform.machine()}, the counts were recorded on x86_64"
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if missing := SIMD - set(flags[1].split() if flags else ()):
        return f"the processor lacks {', '.join(sorted(missing))}, with which the counts were recorded"
    return ""


def toolchain() -> dict[str, str]:
    """What the counts depend on besides the code."""
    return {
        "rustc": first_line("rustc", "--version"),
        "cc": first_line("cc", "--version"),
        "glibc": platform.libc_ver()[1],
        "valgrind": first_line("valgrind", "--version"),
    }


def differences(recorded: dict[str, str], found: dict[str, str]) -> list[str]:
    """In what the tools differ from those that the counts were recorded with, in words."""
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
            env=os.environ | {"GLIBC_TUNABLES": TUNABLES},
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
    if reason := not_comparable():
        print(f"not checked: instruction counts: {reason}")
        return 0
    tools = toolchain()
    with ThreadPoolExecutor() as pool:
        found = dict(zip(JOBS, pool.map(lambda job: count(program, job), JOBS), strict=True))
    for job, instructions in found.items():
        print(f"{job}: {instructions:,} instructions")
    if bless:
        RECORDED.write_text(json.dumps({"toolchain": tools, "instructions": found}, indent=1) + "\n")
        print(f"recorded in {RECORDED.relative_to(ROOT)}")
        return 0
    if said := changes(recorded["instructions"], found):
        print("\n".join(said + differences(recorded["toolchain"], tools)), file=sys.stderr)
        print(
            f"a change over {BOUND:.0%} is meant or a mistake; where it is meant: MINILAB_BLESS=1 make guard, "
            "and name the figure in the commit",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
