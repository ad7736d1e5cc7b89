"""Who is measured at what: one list, so that nobody is left out by accident."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".tools" / "bench-venv" / "bin" / "python")
NODE = "node"

OURS = "minilab"

TITLES = {
    "widths": "12 MP JPEG to five JPEGs, 2048, 1280, 800, 400 and 160 pixels wide, quality 80",
    "cells": "12 MP JPEG to the five classic pixelations, 8 to 64 cells a side, full size, quality 75",
}


@dataclass(frozen=True)
class Contender:
    """One way of doing one job."""

    job: str
    name: str
    how: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A ratio or a size that the project set itself before measuring."""

    words: str
    of: str
    limit: float
    against: str | None = None


def _peer(job: str, name: str, how: str, worker: str, variant: str) -> Contender:
    if worker.endswith(".mjs"):
        program = (NODE, str(ROOT / "bench" / "node" / worker))
    else:
        program = (PYTHON, str(ROOT / "bench" / "peers" / worker))
    return Contender(job, name, how, (*program, variant))


PEERS = [
    _peer("widths", "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "widths"),
    _peer("widths", "sharp, tuned", "one decode, each print from the one before, plain Huffman", "sharp_worker.mjs", "widths-tuned"),
    _peer("widths", "pyvips", "as documented: thumbnail", "pyvips_worker.py", "widths"),
    _peer("widths", "pyvips, tuned", "one decode, each print from the one before", "pyvips_worker.py", "widths-tuned"),
    _peer("widths", "Pillow", "opened once, each print from the full picture", "pillow_worker.py", "widths"),
    _peer("widths", "Pillow, tuned", "draft, reducing_gap, each print from the one before", "pillow_worker.py", "widths-tuned"),
    _peer("widths", "OpenCV, tuned", "INTER_AREA, each print from the one before", "opencv_worker.py", "widths-tuned"),
    _peer("cells", "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "cells"),
    _peer("cells", "sharp, plain Huffman", "the same, with optimiseCoding off", "sharp_worker.mjs", "cells-plain"),
    _peer("cells", "sharp, tuned", "one decode at 1/8, plain Huffman", "sharp_worker.mjs", "cells-tuned"),
    _peer("cells", "Pillow, tutorial", "the tutorial's function: opens the file five times", "pillow_worker.py", "cells-tutorial"),
    _peer("cells", "Pillow", "the tutorial's steps, opened once", "pillow_worker.py", "cells"),
    _peer("cells", "Pillow, tuned", "draft at 1/8", "pillow_worker.py", "cells-tuned"),
    _peer("cells", "pyvips, tuned", "one decode at 1/8", "pyvips_worker.py", "cells-tuned"),
    _peer("cells", "OpenCV, tuned", "one decode at 1/8, INTER_AREA", "opencv_worker.py", "cells-tuned"),
]

TARGETS = {
    "widths": [
        Target("wall time at most 0.6 of sharp's", "wall_ms", 0.6, "sharp"),
        Target("peak memory at most 100 MB", "peak_bytes", 100e6),
    ],
    "cells": [
        Target("wall time at most 0.35 of sharp's", "wall_ms", 0.35, "sharp"),
        Target("wall time at most 0.35 of sharp's with plain Huffman codes", "wall_ms", 0.35, "sharp, plain Huffman"),
        Target("wall time at most 0.2 of Pillow's, opened once", "wall_ms", 0.2, "Pillow"),
    ],
    "cold start": [
        Target("at most 1/15 of Python's", "wall_ms", 1 / 15, "python3 + boto3 + Pillow"),
        Target("at most 1/15 of Node's", "wall_ms", 1 / 15, "node + S3 client + sharp"),
    ],
}


def ours(job: str, program: Path) -> Contender:
    """This project's contender for a job."""
    return Contender(job, OURS, "one decode, as the function does it", (str(program), job))
