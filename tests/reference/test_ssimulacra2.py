"""The benchmark's SSIMULACRA2 beside scores of the original program, version 2.1.

The pictures and their scores are those that the tests of the fast-ssim2 crate
0.9.1 record from it. The two differ in the order of their roundings, which is all
there is to see in flat grey: three quarters of a point.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import ssimulacra2  # noqa: E402  (bench/ is no package)


def grey(samples: np.ndarray) -> Image.Image:
    return Image.fromarray(samples.astype(np.uint8)).convert("RGB")


def uniform(side: int, value: int) -> np.ndarray:
    return np.full((side, side), value)


def gradient(side: int) -> np.ndarray:
    return np.tile(np.arange(side) * 255 // (side - 1), (side, 1))


def edge(side: int) -> np.ndarray:
    return np.tile(np.where(np.arange(side) < side // 2, 0, 255), (side, 1))


def blurred(samples: np.ndarray) -> np.ndarray:
    """Means of 8 × 8 pixels, from 4 before to 3 after, edges repeated."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (4, 3), mode="edge"), (8, 8))
    return windows.sum((2, 3)) // 64


CASES = {
    "grey, 5 lighter": (uniform(256, 128), uniform(256, 133), 89.732),
    "grey, 10 lighter": (uniform(256, 128), uniform(256, 138), 80.291),
    "grey, 20 lighter": (uniform(256, 128), uniform(256, 148), 59.779),
    "grey, 50 lighter": (uniform(256, 128), uniform(256, 178), -0.391),
    "a gradient lost": (gradient(64), uniform(64, 128), -64.569),
    "a gradient blurred": (gradient(64), blurred(gradient(64)), 94.341),
    "an edge blurred": (edge(64), blurred(edge(64)), 24.273),
}


@pytest.mark.parametrize("name", CASES)
def test_the_score_is_the_original_programs(name: str) -> None:
    reference, picture, wanted = CASES[name]
    assert ssimulacra2.score(grey(reference), grey(picture)) == pytest.approx(wanted, abs=0.75)


def test_a_picture_is_identical_to_itself_and_of_no_other_size() -> None:
    picture = Image.effect_noise((301, 257), 60).convert("RGB")
    assert ssimulacra2.score(picture, picture) == 100
    with pytest.raises(ValueError, match="cannot be compared"):
        ssimulacra2.score(picture, picture.crop((0, 0, 300, 257)))
