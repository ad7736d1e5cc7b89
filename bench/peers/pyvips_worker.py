"""libvips through pyvips."""

import pyvips
from worker import CELLS, CELLS_QUALITY, CHOSEN_QUALITY, SINGLE_WIDTH, WEBP_METHOD, WEBP_QUALITY, WEBP_WIDTHS
from worker import WIDTHS, WIDTHS_QUALITY, serve


def widths(source: bytes) -> dict[str, bytes]:
    """`thumbnail` for each print, as libvips' documentation advises: it scales while it decodes."""
    return {
        f"{width}.jpg": pyvips.Image.thumbnail_buffer(source, width).jpegsave_buffer(Q=WIDTHS_QUALITY)
        for width in WIDTHS
    }


def widths_tuned(source: bytes) -> dict[str, bytes]:
    """One decode, each print from the one before."""
    picture = pyvips.Image.new_from_buffer(source, "", access="sequential")
    files = {}
    for width in WIDTHS:
        picture = picture.resize(width / picture.width).copy_memory()
        files[f"{width}.jpg"] = picture.jpegsave_buffer(Q=WIDTHS_QUALITY)
    return files


def cells(source: bytes) -> dict[str, bytes]:
    """Decoded once at one eighth, then down to the cells and back up."""
    full = pyvips.Image.new_from_buffer(source, "")
    picture = pyvips.Image.new_from_buffer(source, "", shrink=8).copy_memory()
    files = {}
    for n in CELLS:
        small = picture.resize(n / picture.width, vscale=n / picture.height, kernel="linear").copy_memory()
        large = small.resize(full.width / n, vscale=full.height / n, kernel="nearest")
        files[f"{n}.jpg"] = large.jpegsave_buffer(Q=CELLS_QUALITY)
    return files


def webp(source: bytes) -> dict[str, bytes]:
    return {
        f"{width}.webp": pyvips.Image.thumbnail_buffer(source, width).webpsave_buffer(Q=WEBP_QUALITY, effort=WEBP_METHOD)
        for width in WEBP_WIDTHS
    }


def avif(source: bytes, effort: int = 4) -> dict[str, bytes]:
    """Chroma is subsampled below quality 90, by default."""
    picture = pyvips.Image.thumbnail_buffer(source, SINGLE_WIDTH)
    return {f"{SINGLE_WIDTH}.avif": picture.heifsave_buffer(compression="av1", Q=CHOSEN_QUALITY, effort=effort)}


def png(source: bytes) -> dict[str, bytes]:
    return {f"{SINGLE_WIDTH}.png": pyvips.Image.thumbnail_buffer(source, SINGLE_WIDTH).pngsave_buffer()}


serve(
    {
        "widths": widths,
        "widths-tuned": widths_tuned,
        "cells-tuned": cells,
        "webp": webp,
        "avif": avif,
        "avif-fast": lambda source: avif(source, effort=0),
        "png": png,
    }
)
