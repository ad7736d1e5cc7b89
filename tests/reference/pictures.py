"""Pictures made for the tests, files without an encoder's choices in their way, and how pictures are compared."""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

BUNDLED = [
    "dragonfly-12mp.jpg",
    "dandelions.jpg",
    "Picos de Europa + snow.jpg",
    "Otoño en Aitzgorri.jpg",
    "dogs at the window.jpg",
    "fig-cutout.png",
    "sunset.webp",
]


def scene(width: int, height: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    """Something like a photograph, 0–1: soft colours, an edge, some grain. Shape (height, width, channels)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = (x + 0.5) / width, (y + 0.5) / height
    waves = [np.sin(2 * np.pi * ((c + 1) * x + 0.7 * c)) * np.cos(2 * np.pi * (1.5 * y + 0.3 * c)) for c in range(channels)]
    picture = 0.5 + 0.35 * np.stack(waves, axis=-1)
    picture[(x + y > 1.1) & (x - y < 0.3)] *= 0.45
    return np.clip(picture + random.normal(0, 0.02, picture.shape), 0, 1)


def eight_bit(values: np.ndarray) -> np.ndarray:
    return np.round(values * 255).astype(np.uint8)


def png(path: Path, samples: np.ndarray, colour_type: int) -> None:
    """A PNG of 8 or 16 bits a sample, which Pillow cannot write for every colour type."""
    path.write_bytes(png_bytes(samples, colour_type, samples.dtype.itemsize * 8))


# Of each Adam7 pass: first column, first row, and the steps between columns and rows.
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_bytes(
    samples: np.ndarray,
    colour_type: int,
    depth: int,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
    interlaced: bool = False,
) -> bytes:
    """A PNG of any colour type and depth (1–16 bits), with these chunks before and after the pixels.

    Samples: (height, width) or (height, width, channels), each below 2 ** depth.
    """
    height, width = samples.shape[:2]

    def rows(part: np.ndarray) -> bytes:
        flat = part.reshape(part.shape[0], -1)
        if depth == 16:
            return b"".join(b"\0" + row.astype(">u2").tobytes() for row in flat)
        bits = np.unpackbits(flat.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        return b"".join(b"\0" + np.packbits(row).tobytes() for row in bits.reshape(flat.shape[0], -1))

    passes = [samples[y::dy, x::dx] for x, y, dx, dy in _ADAM7] if interlaced else [samples]
    data = zlib.compress(b"".join(rows(part) for part in passes if part.size))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    parts = [(b"IHDR", header), *before, (b"IDAT", data), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts)


def _saved(name: str, picture: Callable[[], Image.Image], **options: object) -> tuple[str, Callable[[Path], None]]:
    return name, lambda path: picture().save(path, **options)


def _rgb(width: int, height: int) -> Image.Image:
    return Image.fromarray(eight_bit(scene(width, height)))


def _grey(width: int, height: int) -> Image.Image:
    return Image.fromarray(eight_bit(scene(width, height, 1))[..., 0])


def _rgba(width: int, height: int) -> Image.Image:
    """Alpha from nothing to full, with wild colours where nothing is seen."""
    values = scene(width, height, 4)
    values[..., 3] = np.clip(values[..., 3] * 2 - 0.5, 0, 1)
    values[values[..., 3] == 0] = (1, 0, 1, 0)
    return Image.fromarray(eight_bit(values), "RGBA")


def _palette(transparent: bool) -> Image.Image:
    picture = _rgb(403, 301).quantize(200)
    if transparent:
        picture.info["transparency"] = bytes(max(0, 255 - 3 * i) for i in range(200))
    return picture


def _sixteen(channels: int, colour_type: int) -> Callable[[Path], None]:
    def write_it(path: Path) -> None:
        values = scene(317, 211, channels)
        png(path, np.round(values * 65535).astype(np.uint16), colour_type)

    return write_it


GENERATED: dict[str, Callable[[Path], None]] = dict(
    [
        _saved("1x1.png", lambda: Image.new("RGB", (1, 1), (12, 200, 99))),
        _saved("7x5.png", lambda: _rgb(7, 5)),
        _saved("9x1.png", lambda: _rgb(9, 1)),
        _saved("1001x667.png", lambda: _rgb(1001, 667)),
        _saved("1001x667.jpg", lambda: _rgb(1001, 667), quality=95, subsampling="4:4:4"),
        _saved("tall 97x2003.jpg", lambda: _rgb(97, 2003), quality=92),
        _saved("wide 2003x97.jpg", lambda: _rgb(2003, 97), quality=92, subsampling="4:2:2"),
        _saved("progressive 800x600.jpg", lambda: _rgb(800, 600), quality=90, progressive=True),
        _saved("grey 641x481.jpg", lambda: _grey(641, 481), quality=92),
        _saved("grey 641x481.png", lambda: _grey(641, 481)),
        _saved("cmyk 640x480.jpg", lambda: _rgb(640, 480).convert("CMYK"), quality=95),
        _saved("palette 403x301.png", lambda: _palette(False)),
        _saved("palette with alpha 403x301.png", lambda: _palette(True), transparency=bytes(max(0, 255 - 3 * i) for i in range(200))),
        _saved("one bit 333x222.png", lambda: _grey(333, 222).convert("1")),
        _saved("grey and alpha 333x222.png", lambda: _rgba(333, 222).convert("LA")),
        _saved("alpha 640x427.png", lambda: _rgba(640, 427)),
        _saved("alpha 640x427.webp", lambda: _rgba(640, 427), lossless=True),
        ("grey of 16 bits.png", _sixteen(1, 0)),
        ("grey and alpha of 16 bits.png", _sixteen(2, 4)),
        ("colour of 16 bits.png", _sixteen(3, 2)),
        ("colour and alpha of 16 bits.png", _sixteen(4, 6)),
    ]
)

# What the 16-bit files hold, reduced to 8 bits by rounding. Pillow's own
# reading of them cuts off or clips instead, depending on the colour type.
_SIXTEEN = {
    "grey of 16 bits.png": 1,
    "grey and alpha of 16 bits.png": 2,
    "colour of 16 bits.png": 3,
    "colour and alpha of 16 bits.png": 4,
}


def write(name: str, folder: Path) -> Path:
    path = folder / name
    GENERATED[name](path)
    return path


def open_upright(path: Path) -> Image.Image:
    """A source as a person sees it: orientation applied, RGB or, where it has alpha, RGBA."""
    if channels := _SIXTEEN.get(path.name):
        values = eight_bit(scene(317, 211, channels))
        if channels in (1, 2):
            values = np.concatenate([values[..., :1]] * 3 + [values[..., 1:]], axis=-1)
        return Image.fromarray(values)
    with Image.open(path) as picture:
        return with_or_without_alpha(ImageOps.exif_transpose(picture))


def with_or_without_alpha(picture: Image.Image) -> Image.Image:
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def reduced(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits as grey of 8, which Pillow's own convert() clips instead of dividing; others as they are."""
    if picture.mode not in ("I;16", "I;16B", "I"):
        return picture
    return Image.fromarray(np.round(np.asarray(picture).astype(np.float64) / 257).astype(np.uint8))


def visible(picture: Image.Image) -> np.ndarray:
    """RGBA as numbers 0–255 with colour premultiplied: where nothing is seen, colours are equal."""
    picture = reduced(picture)
    values = np.asarray(picture.convert("RGBA"), dtype=np.float64)
    values[..., :3] *= values[..., 3:] / 255
    return values


def mean_absolute_difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape, f"shapes differ: {one.shape} and {other.shape}"
    return float(np.abs(one - other).mean())


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """dB against a peak of 255; 99 for equal pictures."""
    assert one.shape == other.shape, f"shapes differ: {one.shape} and {other.shape}"
    error = float(np.mean((one - other) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004) over windows of 7 × 7, the mean of the channels; peak 255.

    Pictures smaller than a window are one window.
    """
    assert one.shape == other.shape, f"shapes differ: {one.shape} and {other.shape}"
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            window = min(7, values.shape[axis])
            values = np.lib.stride_tricks.sliding_window_view(values, window, axis=axis).mean(axis=-1)
        return values

    a, b = mean(one), mean(other)
    variances = mean(one * one) - a * a, mean(other * other) - b * b
    covariance = mean(one * other) - a * b
    return float(np.mean((2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (sum(variances) + c2))))
