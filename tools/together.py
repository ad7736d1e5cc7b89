#!/usr/bin/env python3
"""Runs commands side by side, and says what each took.

    tools/together.py [--jobs N] NAME=COMMAND ...

At most N run at once (2 by default), in the order given: the slowest belongs
first. What a command prints is shown when it has ended, whole, so that the
lines of two do not mix. The last lines are a table of seconds and of the tests
that each counted. The status is 1 when any failed; the others run to their end
all the same, so that one run shows all that is wrong.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SHOWING = threading.Lock()


def counted(output: str) -> int:
    """Tests that passed, by the closing lines of pytest, cargo and node."""
    patterns = (r"(\d+) passed(?=[,;] | in )", r"^# pass (\d+)")
    return sum(int(number) for pattern in patterns for number in re.findall(pattern, output, re.MULTILINE))


def run(name: str, command: str) -> tuple[str, int, float, int]:
    """The name, the exit status, the seconds and the tests of one command."""
    started = time.monotonic()
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    output = done.stdout.decode(errors="replace")
    with SHOWING:
        print(f"==> {name}: {command}\n{output}==> {name}: {seconds:.0f} s, status {done.returncode}", flush=True)
    return name, done.returncode, seconds, counted(output)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs commands side by side.")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many run at once (default: 2)")
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    arguments = parser.parse_args()
    named = [command.split("=", 1) for command in arguments.commands]
    if wrong := [command for command in named if len(command) != 2]:
        parser.error(f"{wrong[0][0]!r} has no name: write NAME=COMMAND")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda command: run(*command), named))
    print(f"{'part':<14}{'seconds':>8}{'tests':>8}")
    for name, status, seconds, tests in results:
        print(f"{name:<14}{seconds:>8.0f}{tests or '':>8}{'' if status == 0 else f'   failed with status {status}'}")
    return 1 if any(status for _, status, _, _ in results) else 0


if __name__ == "__main__":
    sys.exit(main())
