"""The protocol between the harness and a contender written in Python.

A contender is started as `program JOB INPUT OUT_DIR`, where JOB may end in
`@QUALITY` for jobs whose quality the harness chooses. It reads the picture's
bytes, prints `{"ready": true, "idle_bytes": N}` and then, for each line "run"
on standard input, does the job once from those bytes to encoded files in memory
and prints `{"wall_ms": …, "cpu_ms": …}`. At the line "end" it writes the last
run's files to OUT_DIR under the names the job gives them, prints
`{"peak_bytes": N}` (VmHWM of its own) and exits. The harness therefore decides
the order, and every contender is warm, in memory and in one process. Only a
program without a library (ImageMagick) is a child process for each run; its
processor time and memory are counted with those of its worker.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

WIDTHS = (2048, 1280, 800, 400, 160)
WIDTHS_QUALITY = 80
CELLS = (8, 16, 32, 48, 64)
CELLS_QUALITY = 75
WEBP_WIDTHS = (1280, 640)
WEBP_QUALITY = 80
WEBP_METHOD = 4
SINGLE_WIDTH = 1280
JOB, _, _quality = sys.argv[1].partition("@")
CHOSEN_QUALITY = int(_quality or 0)

Job = Callable[[bytes], dict[str, bytes]]


def peak_bytes() -> int:
    """VmHWM: the most physical memory this process has ever held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status: this bench needs Linux")


def children_cpu_ms() -> float:
    """User and system time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e3


def largest_child_bytes() -> int:
    """The most physical memory that any child has held; 0 without children."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def serve(jobs: dict[str, Job]) -> None:
    """Runs the protocol above; file names are `WIDTH.jpg` and `CELLS.jpg`, or of another extension."""
    source, out = Path(sys.argv[2]), Path(sys.argv[3])
    job = jobs[JOB]
    picture = source.read_bytes()
    say(ready=True, idle_bytes=peak_bytes())
    files: dict[str, bytes] = {}
    for line in sys.stdin:
        if line.strip() == "end":
            break
        files = {}  # the last run's files are not part of this run's memory
        wall, cpu = time.perf_counter(), time.process_time() * 1e3 + children_cpu_ms()
        files = job(picture)
        wall, cpu = time.perf_counter() - wall, time.process_time() * 1e3 + children_cpu_ms() - cpu
        say(wall_ms=wall * 1e3, cpu_ms=cpu)
    peak = peak_bytes() + largest_child_bytes()
    for file_name, data in files.items():
        (out / file_name).write_bytes(data)
    say(peak_bytes=peak)
