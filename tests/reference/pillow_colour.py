"""Pictures with a colour profile of their own become sRGB, as LittleCMS converts them in Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

import pictures

# Primaries (x, y) and the exponent of the tone curve. White is D65 for all.
SPACES = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), "sRGB"),
    "Adobe RGB (1998)": (((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)), 563 / 256),
}
D65, D50 = (0.31271, 0.32902), np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def profile(name: str) -> bytes:
    """A matrix profile of ICC version 2, made from the space's published numbers (ICC.1:2001-04)."""
    primaries, gamma = SPACES[name]
    white = xyz(*D65)
    columns = np.column_stack([xyz(*point) for point in primaries])
    to_xyz = columns * np.linalg.solve(columns, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    matrix = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ to_xyz

    def fixed(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)

    if gamma == "sRGB":
        codes = np.linspace(0, 1, 1024)
        linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
        curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(linear * 65535).astype(">u2").tobytes()
    else:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    ascii_name = name.encode("ascii") + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(ascii_name)) + ascii_name + bytes(78)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0No copyright, made for a test\0",
        b"wtpt": fixed(D50),
        b"rXYZ": fixed(matrix[:, 0]),
        b"gXYZ": fixed(matrix[:, 1]),
        b"bXYZ": fixed(matrix[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += b"".join(struct.pack(">i", round(float(v) * 65536)) for v in D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


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
