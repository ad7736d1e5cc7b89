"""ImageMagick's command, one process for each picture, as scripts and functions call it.

Its files lie in memory (/dev/shm) where the system has that, so that no disk is measured.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from worker import CELLS, CELLS_QUALITY, SINGLE_WIDTH, WEBP_METHOD, WEBP_QUALITY, WEBP_WIDTHS, WIDTHS, WIDTHS_QUALITY
from worker import serve

# Version 7, Debian's name for version 6, and version 6 elsewhere.
COMMAND = next(filter(None, map(shutil.which, ("magick", "convert-im6.q16", "convert"))), "convert")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def convert(source: bytes, *arguments: str) -> dict[str, bytes]:
    """Runs the command with the picture on standard input, in a folder of its own; the files it wrote there."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        subprocess.run((COMMAND, *arguments), input=source, cwd=folder, check=True)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def each(names: tuple[int, ...], extension: str, arguments: list[list[str]]) -> list[str]:
    """Every print from a copy of the picture that was read; the last from the picture itself."""
    line = []
    for name, step in zip(names[:-1], arguments[:-1], strict=True):
        line += ["(", "+clone", *step, "-write", f"{name}.{extension}", "+delete", ")"]
    return [*line, *arguments[-1], f"{names[-1]}.{extension}"]


def widths(source: bytes) -> dict[str, bytes]:
    """Read once, each print from the full picture."""
    steps = [["-resize", f"{width}x", "-quality", str(WIDTHS_QUALITY)] for width in WIDTHS]
    return convert(source, "jpg:-", *each(WIDTHS, "jpg", steps))


def widths_tuned(source: bytes) -> dict[str, bytes]:
    """The size hint lets the decoder scale where it can; each print from the one before."""
    line = []
    for width in WIDTHS:
        line += ["-resize", f"{width}x", "-quality", str(WIDTHS_QUALITY)]
        line += ["-write", f"{width}.jpg"] if width != WIDTHS[-1] else [f"{width}.jpg"]
    return convert(source, "-define", f"jpeg:size={WIDTHS[0]}x{WIDTHS[0]}", "jpg:-", *line)


def cells(source: bytes) -> dict[str, bytes]:
    """`-scale` down takes the mean of each cell, and up repeats it."""
    asked = (COMMAND, "-ping", "jpg:-", "-format", "%wx%h", "info:-")
    size = subprocess.run(asked, input=source, capture_output=True, check=True).stdout.decode()
    steps = [["-scale", f"{n}x{n}!", "-scale", f"{size}!", "-quality", str(CELLS_QUALITY)] for n in CELLS]
    return convert(source, "jpg:-", *each(CELLS, "jpg", steps))


def webp(source: bytes) -> dict[str, bytes]:
    steps = [
        ["-resize", f"{width}x", "-quality", str(WEBP_QUALITY), "-define", f"webp:method={WEBP_METHOD}"]
        for width in WEBP_WIDTHS
    ]
    return convert(source, "jpg:-", *each(WEBP_WIDTHS, "webp", steps))


def png(source: bytes) -> dict[str, bytes]:
    return convert(source, "jpg:-", "-resize", f"{SINGLE_WIDTH}x", f"{SINGLE_WIDTH}.png")


serve({"widths": widths, "widths-tuned": widths_tuned, "cells": cells, "webp": webp, "png": png})
