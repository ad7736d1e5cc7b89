"""Who is measured at what: one list, so that nobody is left out by accident."""

from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".tools" / "bench-venv" / "bin" / "python")
NODE = "node"

OURS = "minilab"

# The quality of our AVIF prints; each peer's is the one whose score comes nearest.
AVIF_QUALITY = 60


@dataclass(frozen=True)
class Job:
    """What is made, of which picture, and in which files: `NAME.EXTENSION` for each of `names`."""

    title: str
    names: tuple[int, ...]
    format: str = "JPEG"
    extension: str = "jpg"
    # Of the picture, which is then made from the photograph; the photograph itself where absent.
    megapixels: int | None = None
    # Whether the files are photographs, of which a perceptual score says something.
    scored: bool = True
    # Whether peers get the quality at which their file scores as ours does.
    fitted: bool = False


_WIDTHS = (2048, 1280, 800, 400, 160)
_FIVE = "JPEG to five JPEGs, 2048, 1280, 800, 400 and 160 pixels wide, quality 80"

JOBS = {
    "widths": Job(f"12 MP {_FIVE}", _WIDTHS),
    "cells": Job(
        "12 MP JPEG to the five classic pixelations, 8 to 64 cells a side, full size, quality 75",
        (8, 16, 32, 48, 64),
        scored=False,
    ),
    "webp": Job("12 MP JPEG to two WebPs, 1280 and 640 pixels wide, quality 80, method 4", (1280, 640), "WEBP", "webp"),
    "avif": Job("12 MP JPEG to an AVIF, 1280 pixels wide, of equal score", (1280,), "AVIF", "avif", fitted=True),
    "avif-fast": Job("12 MP JPEG to an AVIF, 1280 pixels wide, of equal score, for speed", (1280,), "AVIF", "avif", fitted=True),
    "png": Job("12 MP JPEG to a PNG, 1280 pixels wide", (1280,), "PNG", "png"),
    "24mp": Job(f"24 MP {_FIVE}", _WIDTHS, megapixels=24),
    "50mp": Job(f"50 MP {_FIVE}", _WIDTHS, megapixels=50),
    "100mp": Job(f"100 MP {_FIVE}", _WIDTHS, megapixels=100),
}
COLD_START = "cold start"


@dataclass(frozen=True)
class Contender:
    """One way of doing one job."""

    job: str
    name: str
    how: str
    command: tuple[str, ...]
    # Of a fitted job: where the search begins, and what is used without one.
    quality: int | None = None

    def with_quality(self, quality: int) -> "Contender":
        """The same, at another quality; the worker takes it behind the job's name."""
        variant = f"{self.command[-1].partition('@')[0]}@{quality}"
        return replace(self, command=(*self.command[:-1], variant), quality=quality)


@dataclass(frozen=True)
class Target:
    """A ratio or a size that the project set itself before measuring."""

    words: str
    of: str
    limit: float
    against: str | None = None


def _peer(job: str, name: str, how: str, worker: str, variant: str, quality: int | None = None) -> Contender:
    if worker.endswith(".mjs"):
        program = (NODE, str(ROOT / "bench" / "node" / worker))
    else:
        program = (PYTHON, str(ROOT / "bench" / "peers" / worker))
    contender = Contender(job, name, how, (*program, variant))
    return contender if quality is None else contender.with_quality(quality)


def _large(job: str) -> list[Contender]:
    """The five widths of a larger picture."""
    return [
        _peer(job, "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "widths"),
        _peer(job, "sharp, tuned", "one decode, each print from the one before, plain Huffman", "sharp_worker.mjs", "widths-tuned"),
        _peer(job, "pyvips", "as documented: thumbnail", "pyvips_worker.py", "widths"),
        _peer(job, "pyvips, tuned", "one decode, each print from the one before", "pyvips_worker.py", "widths-tuned"),
        _peer(job, "Pillow", "opened once, each print from the full picture", "pillow_worker.py", "widths"),
        _peer(job, "Pillow, tuned", "draft, reducing_gap, each print from the one before", "pillow_worker.py", "widths-tuned"),
    ]


PEERS = [
    _peer("widths", "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "widths"),
    _peer("widths", "sharp, tuned", "one decode, each print from the one before, plain Huffman", "sharp_worker.mjs", "widths-tuned"),
    _peer("widths", "pyvips", "as documented: thumbnail", "pyvips_worker.py", "widths"),
    _peer("widths", "pyvips, tuned", "one decode, each print from the one before", "pyvips_worker.py", "widths-tuned"),
    _peer("widths", "Pillow, tutorial", "the tutorial's function with boto3: opens the file five times", "pillow_worker.py", "widths-tutorial"),
    _peer("widths", "Pillow", "opened once, each print from the full picture", "pillow_worker.py", "widths"),
    _peer("widths", "Pillow, tuned", "draft, reducing_gap, each print from the one before", "pillow_worker.py", "widths-tuned"),
    _peer("widths", "OpenCV, tuned", "INTER_AREA, each print from the one before", "opencv_worker.py", "widths-tuned"),
    _peer("widths", "ImageMagick", "one command, each print from the full picture", "imagemagick_worker.py", "widths"),
    _peer("widths", "ImageMagick, tuned", "jpeg:size, each print from the one before", "imagemagick_worker.py", "widths-tuned"),
    _peer("cells", "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "cells"),
    _peer("cells", "sharp, plain Huffman", "the same, with optimiseCoding off", "sharp_worker.mjs", "cells-plain"),
    _peer("cells", "sharp, tuned", "one decode at 1/8, plain Huffman", "sharp_worker.mjs", "cells-tuned"),
    _peer("cells", "Pillow, tutorial", "the tutorial's function: opens the file five times", "pillow_worker.py", "cells-tutorial"),
    _peer("cells", "Pillow", "the tutorial's steps, opened once", "pillow_worker.py", "cells"),
    _peer("cells", "Pillow, tuned", "draft at 1/8", "pillow_worker.py", "cells-tuned"),
    _peer("cells", "pyvips, tuned", "one decode at 1/8", "pyvips_worker.py", "cells-tuned"),
    _peer("cells", "OpenCV, tuned", "one decode at 1/8, INTER_AREA", "opencv_worker.py", "cells-tuned"),
    _peer("cells", "ImageMagick", "-scale down and up again", "imagemagick_worker.py", "cells"),
    _peer("webp", "sharp", "as documented: one pipeline, cloned", "sharp_worker.mjs", "webp"),
    _peer("webp", "sharp, tuned", "one decode, the smaller from the larger", "sharp_worker.mjs", "webp-tuned"),
    _peer("webp", "pyvips", "as documented: thumbnail", "pyvips_worker.py", "webp"),
    _peer("webp", "Pillow", "opened once, each print from the full picture", "pillow_worker.py", "webp"),
    _peer("webp", "Pillow, tuned", "draft, reducing_gap, the smaller from the larger", "pillow_worker.py", "webp-tuned"),
    _peer("webp", "ImageMagick", "one command, each print from the full picture", "imagemagick_worker.py", "webp"),
    _peer("avif", "sharp", "effort 4, its default; 4:4:4, its default", "sharp_worker.mjs", "avif", 50),
    _peer("avif", "sharp, 4:2:0", "effort 4, chroma subsampled as ours", "sharp_worker.mjs", "avif-420", 50),
    _peer("avif", "pyvips", "thumbnail; effort 4, its default", "pyvips_worker.py", "avif", 50),
    _peer("avif", "Pillow", "speed 6, its default", "pillow_worker.py", "avif", 75),
    _peer("avif", "Pillow, tuned", "draft, reducing_gap; speed 8", "pillow_worker.py", "avif-tuned", 75),
    _peer("avif-fast", "sharp, 4:2:0", "effort 0, its fastest", "sharp_worker.mjs", "avif-fast", 50),
    _peer("avif-fast", "pyvips", "thumbnail; effort 0, its fastest", "pyvips_worker.py", "avif-fast", 50),
    _peer("avif-fast", "Pillow, tuned", "draft, reducing_gap; speed 8", "pillow_worker.py", "avif-tuned", 75),
    _peer("avif-fast", "Pillow, fastest", "draft, reducing_gap; speed 10, its fastest", "pillow_worker.py", "avif-fastest", 75),
    _peer("png", "sharp", "as documented: compression level 6, no filters", "sharp_worker.mjs", "png"),
    _peer("png", "sharp, smaller", "adaptive filters, compression level 9", "sharp_worker.mjs", "png-smaller"),
    _peer("png", "pyvips", "thumbnail; compression 6, no filters, its defaults", "pyvips_worker.py", "png"),
    _peer("png", "Pillow", "its defaults", "pillow_worker.py", "png"),
    _peer("png", "Pillow, smaller", "draft, reducing_gap; optimize", "pillow_worker.py", "png-smaller"),
    _peer("png", "ImageMagick", "its defaults", "imagemagick_worker.py", "png"),
    *_large("24mp"),
    *_large("50mp"),
    *_large("100mp"),
]

# No peer: the decode and the encodes of the job with our own library, and nothing between them.
FLOOR = "the floor"
FLOORS = {"widths": "floor"}

# In place of a peer's name: whoever is fastest among those whose files are as good.
BEST = "the best peer"

TARGETS = {
    "widths": [
        Target("wall time at most 0.5 of sharp's", "wall_ms", 0.5, "sharp"),
        Target("wall time at most 0.65 of the best peer's", "wall_ms", 0.65, BEST),
        Target("CPU time at most 1.35 of decoding and encoding alone", "cpu_ms", 1.35, FLOOR),
        Target("peak memory at most 40 MB", "peak_bytes", 40e6),
    ],
    "cells": [
        Target("wall time at most 0.3 of the best peer's", "wall_ms", 0.3, BEST),
        Target("wall time at most 0.35 of sharp's with plain Huffman codes", "wall_ms", 0.35, "sharp, plain Huffman"),
        Target("wall time at most 0.2 of Pillow's, opened once", "wall_ms", 0.2, "Pillow"),
    ],
    "webp": [Target("wall time at most 0.7 of the best peer's", "wall_ms", 0.7, BEST)],
    "avif": [Target("wall time at most 0.7 of the best peer's", "wall_ms", 0.7, BEST)],
    "avif-fast": [Target("wall time at most 0.7 of the best peer's", "wall_ms", 0.7, BEST)],
    "100mp": [Target("peak memory at most 100 MB", "peak_bytes", 100e6)],
    "cold start": [
        Target("at most 1/15 of Python's", "wall_ms", 1 / 15, "python3 + boto3 + Pillow"),
        Target("at most 1/15 of Node's", "wall_ms", 1 / 15, "node + S3 client + sharp"),
    ],
}


_HOW = {"avif": "effort 4, its default", "avif-fast": "effort 1"}


def ours(job: str, program: Path) -> Contender:
    """This project's contender for a job."""
    return Contender(job, OURS, _HOW.get(job, "one decode, as the function does it"), (str(program), job))


def floor(job: str, program: Path) -> Contender:
    """What this project's contender cannot be faster than."""
    return Contender(job, FLOOR, "decoding and encoding alone", (str(program), FLOORS[job]))
