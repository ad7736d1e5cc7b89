"""Pictures with a colour profile of their own become sRGB, as LittleCMS converts them in Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

import pictures
from profiles import SPACES, profile


def to_srgb(picture: Image.Image, data: bytes) -> Image.Image:
    return ImageCms.profileToProfile(
        picture,
        ImageCms.ImageCmsProfile(io.BytesIO(data)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )


@pytest.fixture(scope="module")
def patches() -> Image.Image:
    """Colours from dull to the edge of the space, in squares of 32 pixels."""
    levels = (0, 40, 90, 140, 190, 255)
    colours = np.array([(r, g, b) for r in levels for g in levels for b in levels], np.uint8).reshape(12, 18, 3)
    return Image.fromarray(colours.repeat(32, axis=0).repeat(32, axis=1))


def test_the_profiles_made_here_are_what_they_say(patches) -> None:
    for name in SPACES:
        converted = np.asarray(to_srgb(patches, profile(name)), dtype=float)
        # Neutral stays neutral; the difference elsewhere is what these tests are about.
        grey = Image.new("RGB", (1, 1), (140, 140, 140))
        r, g, b = to_srgb(grey, profile(name)).getpixel((0, 0))
        assert max(r, g, b) - min(r, g, b) <= 1
        assert np.abs(converted - np.asarray(patches, dtype=float)).mean() > 3


@pytest.mark.parametrize("alike", ["png", "jpg", "webp"])
@pytest.mark.parametrize("name", SPACES)
def test_a_picture_with_a_profile_becomes_srgb(name, alike, patches, tmp_path, render) -> None:
    path = tmp_path / f"tagged.{alike}"
    options = {"jpg": {"quality": 98, "subsampling": "4:4:4"}, "png": {}, "webp": {"lossless": True}}[alike]
    patches.save(path, icc_profile=profile(name), **options)
    prints = render(path, '[[output]]\nkey = "p.png"\nformat = "png"\nresize = { width = 288 }\n')
    with Image.open(path) as source:
        expected = to_srgb(source.convert("RGB"), profile(name))
    with Image.open(prints / "p.png") as picture:
        assert picture.size == (288, 192)
        if kept := picture.info.get("icc_profile"):
            described = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(kept)))
            assert "sRGB" in described, f"the print is tagged {described}"
        found = np.asarray(picture.convert("RGB"), dtype=float)
    # The middle of each patch: resizing rings at the edges.
    found = found[8::16, 8::16]
    expected = np.asarray(expected, dtype=float)[16::32, 16::32]
    difference = np.abs(found - expected)
    print(f"{name}, {alike}: mean {difference.mean():.2f}, largest {difference.max():.0f}")
    assert difference.mean() <= 1.5
    assert difference.max() <= 8


@pytest.mark.parametrize("name", SPACES)
def test_cells_of_a_picture_with_a_profile_are_srgb(name, tmp_path, render) -> None:
    values = pictures.eight_bit(pictures.scene(640, 480))
    path = tmp_path / "tagged.png"
    Image.fromarray(values).save(path, icc_profile=profile(name))
    prints = render(path, '[[output]]\nkey = "p.png"\nformat = "png"\npixelate = { cells = 16 }\n')
    source = to_srgb(Image.fromarray(values), profile(name))
    expected = source.resize((16, 16), Image.Resampling.BILINEAR).resize(source.size, Image.Resampling.NEAREST)
    with Image.open(prints / "p.png") as picture:
        difference = pictures.mean_absolute_difference(pictures.visible(picture), pictures.visible(expected))
    print(f"{name}: {difference:.2f}")
    assert difference <= 2
