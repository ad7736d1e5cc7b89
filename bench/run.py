"""Measure minilab beside its peers and write the table.

    .tools/bench-venv/bin/python bench/run.py

Every contender of a job is one warm process that waits for its turn; the turns
go round, each time starting with another, so that whatever else the machine
does falls on all of them. Peak memory is taken from fresh processes that do
the job once. Writes bench/results/DATE-MACHINE.json, docs/benchmarks.md and its
plots, and the README's table; `--from FILE` writes the last three of results that
are there.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cold_start
import contenders
import quality
import report
from contenders import COLD_START, FLOOR, FLOORS, JOBS, OURS, PEERS, ROOT, Contender


class Worker:
    """One contender's process, and its side of the protocol of peers/worker.py."""

    def __init__(self, contender: Contender, photo: Path, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.name = contender.name
        self.process = subprocess.Popen(
            (*contender.command, str(photo), str(out)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.idle_bytes = self._answer()["idle_bytes"]

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()} before it answered")
        return json.loads(line)

    def run(self) -> dict:
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Peak memory in bytes; the last run's files are in the contender's folder afterwards."""
        self.process.stdin.write("end\n")
        self.process.stdin.flush()
        peak = self._answer()["peak_bytes"]
        self.process.stdin.close()
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError(f"{self.name} ended with status {self.process.returncode}")
        return peak

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
    }


def rounds(names: list[str], runs: int) -> list[str]:
    """The order of the turns: each round begins with the next contender."""
    return [names[(start + step) % len(names)] for start in range(runs) for step in range(len(names))]


def once(contender: Contender, photo: Path, out: Path) -> None:
    """Does the job once and leaves its files in `out`."""
    worker = Worker(contender, photo, out)
    try:
        worker.run()
        worker.end()
    finally:
        worker.stop()


def fitted(job: str, listed: list[Contender], photo: Path, folder: Path, wanted: dict) -> list[Contender]:
    """Each peer with the quality at which its file scores nearest to ours."""

    def score(contender: Contender) -> float:
        once(contender, photo, folder / "fit")
        return quality.measure(contender.name, JOBS[job], folder / "fit", wanted)["score"]

    ours = next((contender for contender in listed if contender.name == OURS), None)
    found = list(listed)
    if ours:
        target = score(ours)
        for index, contender in enumerate(listed):
            if contender.quality is None:
                continue
            scores: dict[int, float] = {}
            low, high = 1, 100
            while low < high:
                middle = (low + high) // 2
                scores[middle] = score(contender.with_quality(middle))
                low, high = (middle + 1, high) if scores[middle] < target else (low, middle)
            nearest = min(scores, key=lambda each: abs(scores[each] - target))
            say(f"  {contender.name}: quality {nearest} scores {scores[nearest]}, ours {target}")
            found[index] = contender.with_quality(nearest)
    return [
        each if each.quality is None else replace(each, how=f"{each.how}; quality {each.quality}") for each in found
    ]


def measure_job(job: str, listed: list[Contender], photo: Path, runs: int, folder: Path) -> list[dict]:
    if JOBS[job].megapixels:
        photo = quality.enlarged(photo, JOBS[job].megapixels, folder)
    wanted = quality.references(JOBS[job], photo)
    if JOBS[job].fitted:
        listed = fitted(job, listed, photo, folder, wanted)
    say(f"{job}: {len(listed)} contenders, {runs} rounds")
    workers: dict[str, Worker] = {}
    peaks = {}
    try:
        for contender in listed:
            workers[contender.name] = Worker(contender, photo, folder / job / contender.name)
        for worker in workers.values():
            worker.run()  # warm-up, not counted
        times: dict[str, list[dict]] = {name: [] for name in workers}
        for name in rounds(list(workers), runs):
            times[name].append(workers[name].run())
        idle = {name: worker.idle_bytes for name, worker in workers.items()}
        for worker in workers.values():
            worker.end()
        for contender in listed:
            peaks[contender.name] = []
            for _ in range(3):
                worker = workers[contender.name] = Worker(contender, photo, folder / "peaks")
                worker.run()
                peaks[contender.name].append(worker.end())
    finally:
        for worker in workers.values():
            worker.stop()
    return [
        {
            "name": contender.name,
            "how": contender.how,
            "wall_ms": spread([time["wall_ms"] for time in times[contender.name]]),
            "cpu_ms": spread([time["cpu_ms"] for time in times[contender.name]]),
            "peak_bytes": int(statistics.median(peaks[contender.name])),
            "idle_bytes": idle[contender.name],
            **quality.measure(f"{contender.name}, {job}", JOBS[job], folder / job / contender.name, wanted),
        }
        for contender in listed
    ]


def measure_cold_start(bootstrap: Path | None, runs: int) -> list[dict]:
    starters = cold_start.starters(bootstrap)
    say(f"cold start: {len(starters)} contenders, {runs} rounds")
    for command in starters.values():
        cold_start.once(command)  # the files are in the page cache for all
    times: dict[str, list[dict]] = {name: [] for name in starters}
    for name in rounds(list(starters), runs):
        times[name].append(cold_start.once(starters[name]))
    return [
        {
            "name": name,
            "wall_ms": spread([time["wall_ms"] for time in measured]),
            "cpu_ms": spread([time["cpu_ms"] for time in measured]),
            "peak_bytes": int(statistics.median([time["peak_bytes"] for time in measured])),
        }
        for name, measured in times.items()
    ]


def output_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    flags = set(re.search(r"flags\s*:\s*(.*)", info)[1].split()) if "flags" in info else set()
    simd = [name for name in ("sse4_2", "avx2", "avx512f") if name in flags]
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "simd": simd,
        "memory_bytes": int(memory[1]) * 1024 if memory else 0,
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {' '.join(platform.libc_ver())}",
    }


def versions() -> dict[str, str]:
    sharp = output_of("node", "--input-type=module", "-e", "import s from 'file://%s';console.log(JSON.stringify(s.versions))" % (
        ROOT / "bench" / "node" / "node_modules" / "sharp" / "dist" / "index.mjs"))
    sharp = json.loads(sharp) if sharp.startswith("{") else {}
    client = json.loads((ROOT / "bench/node/node_modules/@aws-sdk/client-s3/package.json").read_text())["version"]
    listed = {
        "minilab": output_of("git", "describe", "--always", "--dirty"),
        "rustc": output_of("rustc", "--version").removeprefix("rustc ").split(" ")[0],
        "sharp": f"{sharp.get('sharp')} (libvips {sharp.get('vips')})",
        "node": output_of("node", "--version").removeprefix("v"),
        "@aws-sdk/client-s3": client,
        "python": platform.python_version(),
    }
    magick = re.search(r"ImageMagick (\S+)", output_of(shutil.which("magick") or shutil.which("convert-im6.q16") or "convert", "-version"))
    listed["ImageMagick"] = magick[1] if magick else "unknown"
    for package in ("pillow", "pyvips", "pyvips-binary", "opencv-python-headless", "boto3"):
        listed[package] = importlib.metadata.version(package)
    return listed


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write_pages(results: dict) -> None:
    (ROOT / "docs" / "benchmarks.md").write_text(report.page(results))
    plots = ROOT / "docs" / "benchmarks"
    plots.mkdir(exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    for name, drawing in report.drawings(results).items():
        (plots / name).write_text(drawing)
    readme = ROOT / "README.md"
    readme.write_text(report.with_summary(readme.read_text(), results))


def main() -> int:
    every = [*JOBS, COLD_START]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", type=Path, default=ROOT / "examples/photos/dragonfly-12mp.jpg")
    parser.add_argument("--runs", type=int, default=9, help="rounds of each job; the median is reported (default 9)")
    parser.add_argument("--target", type=Path, default=ROOT / "target" / "dist", help="folder of examples/bench_job and bootstrap")
    parser.add_argument("--jobs", nargs="*", choices=every, default=every)
    parser.add_argument("--peers-only", action="store_true", help="leave minilab out: checks the harness; writes no table")
    parser.add_argument("--dry", action="store_true", help="print the table and write no file")
    parser.add_argument("--from", dest="results", type=Path, metavar="FILE", help="measure nothing: write the pages of these results")
    arguments = parser.parse_args()
    if arguments.runs < 7:
        parser.error("--runs must be at least 7: a median of fewer says little")
    if arguments.results:
        write_pages(json.loads(arguments.results.read_text()))
        return 0

    job_program, bootstrap = arguments.target / "examples" / "bench_job", arguments.target / "bootstrap"
    if not arguments.peers_only:
        for program, needed in ((job_program, set(JOBS)), (bootstrap, {COLD_START})):
            if needed & set(arguments.jobs) and not program.is_file():
                say(f"{program} does not exist: run `make bench`, which builds it, or pass --peers-only")
                return 2

    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"the machine is busy (load {load:.1f}): ratios hold better than times")
    results = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "load_before": round(load, 2),
        "photo": {"name": arguments.photo.name, "bytes": arguments.photo.stat().st_size},
        "runs": arguments.runs,
        "versions": versions(),
        "jobs": {},
        "floors": {},
    }
    with tempfile.TemporaryDirectory(prefix="minilab-bench-") as folder:
        for job in JOBS:
            if job not in arguments.jobs:
                continue
            listed = [peer for peer in PEERS if peer.job == job]
            if not arguments.peers_only:
                listed.insert(0, contenders.ours(job, job_program))
                if job in FLOORS:
                    listed.append(contenders.floor(job, job_program))
            rows = measure_job(job, listed, arguments.photo, arguments.runs, Path(folder))
            results["jobs"][job] = [row for row in rows if row["name"] != FLOOR]
            results["floors"].update({job: row for row in rows if row["name"] == FLOOR})
    if COLD_START in arguments.jobs:
        results["jobs"][COLD_START] = measure_cold_start(None if arguments.peers_only else bootstrap, arguments.runs)

    print(report.page(results))
    complete = not arguments.peers_only and set(arguments.jobs) == set(every)
    if complete and not arguments.dry:
        name = re.sub(r"[^a-z0-9]+", "-", results["machine"]["processor"].lower()).strip("-")
        target = ROOT / "bench" / "results" / f"{results['date']}-{name}-{results['machine']['cores']}-cores.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(results, indent=1) + "\n")
        write_pages(results)
        say(f"wrote {target.relative_to(ROOT)}, docs/benchmarks.md, its plots and the README's table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
