"""The classic pixelations against Pillow's `resize((N, N), BILINEAR).resize(size, NEAREST)`, cell by cell.

The bound is 2 of 255, as mean absolute difference of a print's cells. A picture
with fewer than N pixels on a side has that many cells there (the recipe's
documented rule; Pillow would invent cells and throw most of them away).
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import pictures

BOUND = 2.0
CELLS = (8, 16, 32, 48, 64)
CLASSIC = "".join(f'[[output]]\nkey = "pixelated-{n}x{n}-{{key}}"\npixelate = {{ cells = {n} }}\n' for n in CELLS)
AS_PNG = "".join(f'[[output]]\nkey = "{n}/{{key}}.png"\npixelate = {{ cells = {n} }}\nformat = "png"\n' for n in CELLS)


def reference_cells(source: Image.Image, cells: int) -> Image.Image:
    size = (min(cells, source.width), min(cells, source.height))
    return source.resize(size, Image.Resampling.BILINEAR)


def reference(source: Image.Image, cells: int) -> Image.Image:
    return reference_cells(source, cells).resize(source.size, Image.Resampling.NEAREST)


def cell_means(pixels: np.ndarray, cells: int) -> np.ndarray:
    """The mean of each cell of a full-size print, without the pixels that a lossy encoder mixes with the neighbours'."""
    height, width = pixels.shape[:2]
    columns, rows = min(cells, width), min(cells, height)
    means = np.empty((rows, columns, pixels.shape[2]))
    for row in range(rows):
        for column in range(columns):
            top, bottom = row * height / rows, (row + 1) * height / rows
            left, right = column * width / columns, (column + 1) * width / columns
            inset_y, inset_x = (bottom - top) / 4, (right - left) / 4
            box = pixels[
                int(top + inset_y) : max(int(bottom - inset_y), int(top + inset_y) + 1),
                int(left + inset_x) : max(int(right - inset_x), int(left + inset_x) + 1),
            ]
            means[row, column] = box.mean(axis=(0, 1))
    return means


def compare(found: np.ndarray, expected: np.ndarray, label: str, record: list[str]) -> float:
    difference = pictures.mean_absolute_difference(found, expected)
    record.append(f"{label}: mean {difference:.3f}, largest {np.abs(found - expected).max():.0f}")
    return difference


def check(differences: dict[str, float], record: list[str], bound: float = BOUND) -> None:
    assert differences, "no print was compared"
    print("\n".join(record))
    worst = max(differences, key=differences.get)
    assert differences[worst] <= bound, f"{worst}: mean absolute difference {differences[worst]:.2f} of 255, allowed {bound}\n" + "\n".join(record)


@pytest.mark.parametrize("name", pictures.BUNDLED)
def test_cells_of_photographs_in_their_own_format_match_pillow(name, photos, render) -> None:
    prints = render(photos / name, CLASSIC)
    source = pictures.open_upright(photos / name)
    differences, record = {}, []
    for cells in CELLS:
        path = prints / f"pixelated-{cells}x{cells}-{name}"
        with Image.open(path) as picture, Image.open(photos / name) as original:
            assert picture.format == original.format
            assert picture.size == source.size
            found = cell_means(pictures.visible(picture), cells)
        expected = pictures.visible(reference_cells(source, cells))
        differences[path.name] = compare(found, expected, path.name, record)
    check(differences, record)


@pytest.mark.parametrize("name", ["dogs at the window.jpg", "Otoño en Aitzgorri.jpg", "fig-cutout.png", "sunset.webp"])
def test_every_pixel_of_photographs_as_png_matches_pillow(name, photos, render) -> None:
    every_pixel(photos / name, render)


@pytest.mark.parametrize("name", pictures.GENERATED)
def test_every_pixel_of_generated_pictures_as_png_matches_pillow(name, generated, render) -> None:
    every_pixel(generated[name], render)


def every_pixel(path: Path, render) -> None:
    prints = render(path, AS_PNG)
    source = pictures.open_upright(path)
    differences, record = {}, []
    for cells in CELLS:
        with Image.open(prints / str(cells) / f"{path.name}.png") as picture:
            assert picture.format == "PNG"
            assert picture.size == source.size
            found = pictures.visible(picture)
        label = f"{path.name}, {cells} cells"
        differences[label] = compare(found, pictures.visible(reference(source, cells)), label, record)
    check(differences, record)


def test_every_frame_of_an_animation_is_pixelated_and_keeps_its_time(photos, render) -> None:
    name = "dandelion-zoom.gif"
    prints = render(photos / name, CLASSIC)
    with Image.open(photos / name) as animation:
        sources = [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(animation)]
    assert len(sources) == 24
    for cells in CELLS:
        path = prints / f"pixelated-{cells}x{cells}-{name}"
        differences, record = {}, []
        with Image.open(path) as picture:
            assert picture.format == "GIF"
            assert picture.n_frames == len(sources)
            assert picture.info.get("loop") == 0
            for number, (frame, (source, duration)) in enumerate(zip(ImageSequence.Iterator(picture), sources, strict=True)):
                assert frame.info["duration"] == duration
                label = f"{path.name}, frame {number}"
                found = cell_means(pictures.visible(frame), cells)
                differences[label] = compare(found, pictures.visible(reference_cells(source, cells)), label, record)
        # A frame of a GIF has 256 colours: 32 x 32 cells have more.
        check(differences, record, BOUND if cells <= 16 else 2 * BOUND)
