"""Pillow, as the classic tutorial function uses it and as someone who knows it well would."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from worker import CELLS, CELLS_QUALITY, CHOSEN_QUALITY, SINGLE_WIDTH, WEBP_METHOD, WEBP_QUALITY, WEBP_WIDTHS
from worker import JOB, WIDTHS, WIDTHS_QUALITY, serve

# Pillow warns from 89 megapixels on.
Image.MAX_IMAGE_PIXELS = 120_000_000
if JOB == "widths-tutorial":
    import boto3

    client = boto3.client("s3", region_name="us-east-1")
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


def widths_tutorial(source: bytes) -> dict[str, bytes]:
    """The tutorial's function: the object is a file in /tmp, opened anew for each size; so is each thumbnail.

    boto3 is loaded, as it is there, and makes no request: every contender has the object in memory."""
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        download = Path(folder) / "download.jpg"
        download.write_bytes(source)
        for width in WIDTHS:
            upload = Path(folder) / f"resized-{width}.jpg"
            with Image.open(download) as image:
                image.thumbnail((width, width))
                image.save(upload, quality=WIDTHS_QUALITY)
            files[f"{width}.jpg"] = upload.read_bytes()
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


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def resized(source: bytes, width: int) -> Image.Image:
    picture = Image.open(io.BytesIO(source))
    return picture.resize((width, round(picture.height * width / picture.width)), LANCZOS)


def resized_tuned(source: bytes, width: int) -> Image.Image:
    picture = Image.open(io.BytesIO(source))
    size = (width, round(picture.height * width / picture.width))
    picture.draft("RGB", size)
    return picture.resize(size, LANCZOS, reducing_gap=2.0)


def webp(source: bytes) -> dict[str, bytes]:
    """Open once, resize each print from the full picture."""
    picture = Image.open(io.BytesIO(source))
    picture.load()
    files = {}
    for width in WEBP_WIDTHS:
        smaller = picture.resize((width, round(picture.height * width / picture.width)), LANCZOS)
        files[f"{width}.webp"] = encoded(smaller, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
    return files


def webp_tuned(source: bytes) -> dict[str, bytes]:
    """`draft`, and the smaller from the larger."""
    picture = resized_tuned(source, WEBP_WIDTHS[0])
    full = picture.size
    files = {}
    for width in WEBP_WIDTHS:
        picture = picture.resize((width, round(full[1] * width / full[0])), LANCZOS, reducing_gap=2.0)
        files[f"{width}.webp"] = encoded(picture, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
    return files


def avif(source: bytes) -> dict[str, bytes]:
    """Everything but the quality by default: speed 6, 4:2:0."""
    return {f"{SINGLE_WIDTH}.avif": encoded(resized(source, SINGLE_WIDTH), "AVIF", quality=CHOSEN_QUALITY)}


def avif_tuned(source: bytes, speed: int = 8) -> dict[str, bytes]:
    """`draft`, and a faster encode."""
    picture = resized_tuned(source, SINGLE_WIDTH)
    return {f"{SINGLE_WIDTH}.avif": encoded(picture, "AVIF", quality=CHOSEN_QUALITY, speed=speed)}


def png(source: bytes) -> dict[str, bytes]:
    return {f"{SINGLE_WIDTH}.png": encoded(resized(source, SINGLE_WIDTH), "PNG")}


def png_smaller(source: bytes) -> dict[str, bytes]:
    """`draft`, and zlib's best compression."""
    return {f"{SINGLE_WIDTH}.png": encoded(resized_tuned(source, SINGLE_WIDTH), "PNG", optimize=True)}


serve(
    {
        "widths-tutorial": widths_tutorial,
        "widths": widths,
        "widths-tuned": widths_tuned,
        "cells-tutorial": cells_tutorial,
        "cells": cells_once,
        "cells-tuned": cells_tuned,
        "webp": webp,
        "webp-tuned": webp_tuned,
        "avif": avif,
        "avif-tuned": avif_tuned,
        "avif-fastest": lambda source: avif_tuned(source, speed=10),
        "png": png,
        "png-smaller": png_smaller,
    }
)
