"""Damaged files of every kind: printed or rejected, never a crash, never half a picture.

Each source is cut off at 50 places and, apart from that, gets 20 copies with
one bit turned over, in every other PNG with the checksums made right. All
that belong together go through one process.
"""

import json
import os
import random
import struct
import subprocess
import sys
import zlib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import corpus
from recipes import HEAD

CUTS, FLIPS = 50, 20
# MiB that a picture may be predicted to take, pictures at a time, and what the process takes besides.
MEMORY, WORKERS, MARGIN = 64, 2, 96
SLOWEST = 10.0
RECIPE = f"""{HEAD}[limits]
memory_mb = {MEMORY}
seconds = {SLOWEST:.0f}
[[output]]
key = "{{key}}.png"
resize = {{ width = 32 }}
format = "png"
effort = 0
"""
BATCHES = sorted({source.name.split("-")[0] for source in corpus.CORPUS})

# Files that are cut off and yet printed otherwise than whole, with the reason in words.
HARMLESS: dict[str, str] = {}


def damaged(source: corpus.Source, folder: Path) -> None:
    """Writes the whole file and its damaged copies, as whole.ext, cut-<bytes>.ext and flip-<bit>.ext."""
    data = source.make()
    extension = source.name.rsplit(".", 1)[1]
    folder.mkdir()
    (folder / f"whole.{extension}").write_bytes(data)
    # The last cut takes one byte only; files shorter than the number of cuts are cut everywhere.
    for length in sorted({(len(data) - 1) * i // (CUTS - 1) for i in range(CUTS)}):
        (folder / f"cut-{length}.{extension}").write_bytes(data[:length])
    # Seeded by the name: a failure comes again.
    for number, bit in enumerate(sorted(random.Random(source.name).sample(range(8 * len(data)), FLIPS))):
        copy = bytearray(data)
        copy[bit // 8] ^= 1 << bit % 8
        if extension == "png" and number % 2:
            mend(copy)
        (folder / f"flip-{bit}.{extension}").write_bytes(copy)


def mend(png: bytearray) -> None:
    """Makes the checksums of a PNG's chunks right, without which nothing behind them would ever be reached."""
    at = 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        end = at + 8 + length
        if end + 4 > len(png):
            return
        struct.pack_into(">I", png, end, zlib.crc32(png[at + 4 : end]))
        at = end + 4


def run(minilab: Path, folder: Path, seconds: float) -> tuple[int, int, list[dict]]:
    """One process over the folder `in`: its exit status (negative for a signal), peak memory in MiB, and its lines."""
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    command = [minilab, "render", "--json", "--config", folder / "recipe.toml", "--out", folder / "out", folder / "in"]
    cores = sorted(os.sched_getaffinity(0))[:WORKERS]
    launcher = [sys.executable, Path(__file__).with_name("measured.py"), str(seconds)]
    with open(folder / "lines", "wb") as lines, open(folder / "errors", "wb") as errors:
        subprocess.run(
            [*launcher, *command], stdout=lines, stderr=errors, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cores)
        )
    status, peak = (folder / "errors").read_text(errors="replace").splitlines()[-1].split()
    answers = [json.loads(line) for line in (folder / "lines").read_text().splitlines()]
    return int(status), int(peak) // 1024, answers


@pytest.mark.parametrize("batch", BATCHES)
def test_damaged_files_are_printed_or_rejected_and_never_half_a_picture(batch, minilab, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    members = [source for source in corpus.CORPUS if source.name.split("-")[0] == batch]
    for source in members:
        damaged(source, folder / source.name)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    status, peak, answers = run(minilab, tmp_path, seconds=300)
    by_key = {answer["key"]: answer for answer in answers}
    unanswered = sorted(files - by_key.keys())
    errors = (tmp_path / "errors").read_text(errors="replace")[-2000:]
    assert status in (0, 1), f"status {status}; without an answer: {unanswered[:8]}; {errors}"
    assert not unanswered and len(answers) == len(files)
    rejected = {key for key, answer in by_key.items() if answer["status"] == "rejected"}
    written = {key for key, answer in by_key.items() if answer["status"] == "written" and len(answer["prints"]) == 1}
    print(f"{batch}: {len(files)} files, {len(rejected)} rejected, {peak} MiB, slowest {max(a['ms'] for a in answers):.0f} ms")
    assert rejected | written == files, f"neither printed nor rejected: {sorted(files - rejected - written)[:8]}"
    assert all(by_key[key]["code"] and by_key[key]["reason"] for key in rejected)
    slow = {key: answer["ms"] for key, answer in by_key.items() if answer["ms"] > SLOWEST * 1000}
    assert not slow
    assert peak <= WORKERS * MEMORY + MARGIN

    wrong, harmless = {}, set()
    for source in members:
        extension = source.name.rsplit(".", 1)[1]
        if source.refused:
            assert not any(key.startswith(f"{source.name}/cut-") for key in written)
            continue
        assert f"{source.name}/whole.{extension}" in written, by_key[f"{source.name}/whole.{extension}"]
        whole = (tmp_path / "out" / source.name / f"whole.{extension}.png").read_bytes()
        cuts = [key for key in written if key.startswith(f"{source.name}/cut-")]
        # A cut behind the pixels loses nothing; every other one would be half a picture.
        if lost := [key for key in cuts if (tmp_path / "out" / f"{key}.png").read_bytes() != whole]:
            known = [pattern for pattern in HARMLESS if fnmatchcase(source.name, pattern)]
            harmless.update(known)
            if not known:
                wrong[source.name] = sorted(lost, key=lambda key: int(key.split("-")[-1].split(".")[0])), len(source.make())
    assert not wrong, f"cut off, and printed otherwise than whole: {wrong}"
    stale = {pattern for pattern in HARMLESS if pattern.split("-")[0] == batch} - harmless
    assert not stale, f"listed as harmless, yet always rejected: {stale}"
