"""Runs a program and says how it ended and what it took: `measured.py SECONDS PROGRAM ARGUMENT…`.

The last line of standard error is its exit status (negative for a signal) and
its peak memory in KiB. Linux counts what a process held before it became the
program, so the program's parent has to be as small as this one: a test runner
with a corpus in memory is not.
"""

import os
import signal
import subprocess
import sys
import time

deadline = time.monotonic() + float(sys.argv[1])
process = subprocess.Popen(sys.argv[2:])
while True:
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if pid:
        break
    if time.monotonic() > deadline:
        process.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        break
    time.sleep(0.02)
# It was waited for here, for the sake of its memory.
process.returncode = os.waitstatus_to_exitcode(status)
print(f"\n{process.returncode} {usage.ru_maxrss}", file=sys.stderr)
