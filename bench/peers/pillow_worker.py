"""Pillow, as the classic tutorial function uses it and as someone who knows it well would."""

import io

from PIL import Image
from worker import CELLS, CELLS_QUALITY, WIDTHS, WIDTHS_QUALITY, serve

LANCZOS, BILINEAR, NEAREST = Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.NEAREST


def jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def widths(source: bytes) -> dict[str, bytes]:
    """Open once, resize each print from the full picture."""
    picture = Image.open(io.BytesIO(source))
    picture.load()
    files = {}
    for width in WIDTHS:
        height = round(picture.height * width / picture.width)
        files[f"{width}.jpg"] = jpeg(picture.resize((width, height), LANCZOS), WIDTHS_QUALITY)
    return files


def widths_tuned(source: bytes) -> dict[str, bytes]:
    """`draft` lets the decoder scale where it can; each print from the one before, with reducing_gap."""
    picture = Image.open(io.BytesIO(source))
    full = picture.size
    picture.draft("RGB", (WIDTHS[0], round(full[1] * WIDTHS[0] / full[0])))
    files = {}
    for width in WIDTHS:
        height = round(full[1] * width / full[0])
        picture = picture.resize((width, height), LANCZOS, reducing_gap=2.0)
        files[f"{width}.jpg"] = jpeg(picture, WIDTHS_QUALITY)
    return files


def cells_tutorial(source: bytes) -> dict[str, bytes]:
    """The tutorial's function: it opens the file anew for each of its five sizes."""
    files = {}
    for cells in CELLS:
        picture = Image.open(io.BytesIO(source))
        small = picture.resize((cells, cells), resample=BILINEAR)
        files[f"{cells}.jpg"] = jpeg(small.resize(picture.size, NEAREST), CELLS_QUALITY)
    return files


def cells_once(source: bytes) -> dict[str, bytes]:
    """The same, opened once."""
    picture = Image.open(io.BytesIO(source))
    picture.load()
    files = {}
    for cells in CELLS:
        small = picture.resize((cells, cells), resample=BILINEAR)
        files[f"{cells}.jpg"] = jpeg(small.resize(picture.size, NEAREST), CELLS_QUALITY)
    return files


def cells_tuned(source: bytes) -> dict[str, bytes]:
    """Decoded at one eighth, which is still many pixels for each cell."""
    picture = Image.open(io.BytesIO(source))
    full = picture.size
    picture.draft("RGB", (full[0] // 8, full[1] // 8))
    picture.load()
    files = {}
    for cells in CELLS:
        small = picture.resize((cells, cells), resample=BILINEAR)
        files[f"{cells}.jpg"] = jpeg(small.resize(full, NEAREST), CELLS_QUALITY)
    return files


serve(
    {
        "widths": widths,
        "widths-tuned": widths_tuned,
        "cells-tutorial": cells_tutorial,
        "cells": cells_once,
        "cells-tuned": cells_tuned,
    }
)
