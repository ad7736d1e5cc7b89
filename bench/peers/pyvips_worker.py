"""libvips through pyvips."""

import pyvips
from worker import CELLS, CELLS_QUALITY, WIDTHS, WIDTHS_QUALITY, serve


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


serve({"widths": widths, "widths-tuned": widths_tuned, "cells-tuned": cells})
