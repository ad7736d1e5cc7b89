"""Small source files of every kind that people upload, made anew for each run, always the same.

Every picture is `picture()`: soft colours, an edge, some grain, and a colour
of its own in each corner, so that a print turned the wrong way shows.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers itself with Pillow)
import qoi
import tifffile
from PIL import Image, ImageCms

import pictures
import profiles

pillow_heif.register_heif_opener()

# Top left, top right, bottom left, bottom right.
CORNERS = np.array([(190, 60, 50), (60, 190, 80), (50, 50, 150), (235, 220, 90)], np.uint8)


@dataclass(frozen=True)
class Source:
    """A file: its name, what it is in the rule's words, and how it is made."""

    name: str
    kind: str
    make: Callable[[], bytes]
    # The corners' colours can be told apart in it.
    corners: bool = True
    # Its colours are not sRGB, or said to be sRGB by a profile.
    profiled: bool = False
    # What it says of its colours other than by a profile, as a profile: for a judge that does not listen.
    meant: bytes | None = None
    # Documented as not read: rejected as unsupported.
    refused: bool = False
    # Pictures of an animation.
    frames: int = 1
    # Grey, so that only the brightness of the corners is there to be looked at.
    grey: bool = False


@cache
def values(width: int = 113, height: int = 79) -> np.ndarray:
    """The picture as numbers 0–1, shape (height, width, 3)."""
    base = pictures.scene(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    x, y = (x + 0.5) / width, (y + 0.5) / height
    for (cx, cy), colour in zip([(0, 0), (1, 0), (0, 1), (1, 1)], CORNERS / 255, strict=True):
        weight = np.clip(1.8 - 6 * np.hypot(x - cx, y - cy), 0, 1)[..., None]
        base = base * (1 - weight) + colour * weight
    return base


def rgb(width: int = 113, height: int = 79) -> np.ndarray:
    return pictures.eight_bit(values(width, height))


def picture(width: int = 113, height: int = 79) -> Image.Image:
    return Image.fromarray(rgb(width, height))


def rgba(width: int = 113, height: int = 79) -> Image.Image:
    """Alpha from full on the left to nothing along a part of the right edge, below the corner."""
    x = np.linspace(0, 1, width)[None, :] * np.ones((height, 1))
    y = np.linspace(0, 1, height)[:, None]
    hidden = np.clip((x - 0.3) * 2, 0, 1) * np.clip(1 - np.abs(y - 0.5) * 5, 0, 1)
    return Image.fromarray(np.dstack([rgb(width, height), pictures.eight_bit(1 - hidden)]), "RGBA")


def grey(width: int = 113, height: int = 79) -> np.ndarray:
    return np.asarray(picture(width, height).convert("L"))


def exif(orientation: int) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _sixteen(channels: int) -> np.ndarray:
    deep = np.round(values() * 65535).astype(np.uint16)
    alpha = np.asarray(rgba())[..., 3].astype(np.uint16)[..., None] * 257
    if channels < 3:
        deep = deep.mean(axis=-1, keepdims=True).astype(np.uint16)
    return np.concatenate([deep, alpha], axis=-1) if channels in (2, 4) else deep


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {
    "srgb": SRGB,
    "display-p3": profiles.profile("Display P3"),
    "adobe-rgb": profiles.profile("Adobe RGB (1998)"),
    "prophoto": profiles.profile("ProPhoto RGB"),
}
GREY_PROFILE = profiles.grey(1.8)


def _jpegs() -> list[Source]:
    found = []

    def add(name: str, make: Callable[[], bytes], kind: str = "JPEG", **more: bool) -> None:
        found.append(Source(f"jpeg-{name}.jpg", kind, make, **more))

    for sampling in ("444", "422", "420", "440", "411"):
        for quality in (30, 60, 75, 90, 100):
            add(
                f"{sampling}-q{quality}",
                lambda sampling=sampling, quality=quality: imagecodecs.jpeg8_encode(
                    rgb(), quality, colorspace="RGB", outcolorspace="YCBCR", subsampling=sampling
                ),
            )
    for sampling, other in (("4:4:4", "444"), ("4:2:2", "422"), ("4:2:0", "420")):
        options = {"quality": 88, "subsampling": sampling}
        add(f"progressive-{other}", lambda o=options: saved(picture(), "JPEG", progressive=True, **o))
        add(f"restart-blocks-{other}", lambda o=options: saved(picture(), "JPEG", restart_marker_blocks=3, **o))
        add(f"restart-rows-{other}", lambda o=options: saved(picture(), "JPEG", restart_marker_rows=1, **o))
        add(f"optimised-{other}", lambda o=options: saved(picture(), "JPEG", optimize=True, **o))
    for width, height in ((1, 1), (1, 17), (17, 1), (8, 8), (15, 17), (16, 16), (33, 9), (320, 240), (97, 211)):
        for sampling, other in (("4:4:4", "444"), ("4:2:0", "420")):
            make = lambda w=width, h=height, s=sampling: saved(picture(w, h), "JPEG", quality=92, subsampling=s)  # noqa: E731
            add(f"{width}x{height}-{other}", make, "JPEG", corners=min(width, height) > 7)
    add("grey", lambda: saved(Image.fromarray(grey()), "JPEG", quality=90), "grey JPEG", grey=True)
    add("grey-progressive", lambda: saved(Image.fromarray(grey()), "JPEG", quality=90, progressive=True), "grey JPEG", grey=True)
    add("rgb-coded", lambda: saved(picture(), "JPEG", quality=92, keep_rgb=True))
    inks = lambda: picture().convert("CMYK")  # noqa: E731
    for name, profile in (("", None), ("-profile", profiles.cmyk())):
        more = {"icc_profile": profile} if profile else {}
        kind = "CMYK JPEG with a profile" if profile else "CMYK JPEG"
        add(f"cmyk{name}", lambda m=more: saved(inks(), "JPEG", quality=95, **m), kind, corners=not profile, profiled=bool(profile))
        add(f"ycck{name}", lambda p=profile: _ycck(p), kind, corners=not profile, profiled=bool(profile))
    for name, profile in PROFILES.items():
        more = {"quality": 95, "icc_profile": profile}
        add(f"{name}-444", lambda m=more: saved(picture(), "JPEG", subsampling="4:4:4", **m), "JPEG with a profile", profiled=True)
        add(f"{name}-420", lambda m=more: saved(picture(), "JPEG", subsampling="4:2:0", **m), "JPEG with a profile", profiled=True)
    make = lambda: saved(Image.fromarray(grey()), "JPEG", quality=95, icc_profile=GREY_PROFILE)  # noqa: E731
    add("grey-profile", make, "grey JPEG with a profile", grey=True, profiled=True)
    for value in range(1, 9):
        make = lambda v=value: saved(picture(), "JPEG", quality=92, subsampling="4:4:4", exif=exif(v))  # noqa: E731
        add(f"orientation-{value}-444", make, "turned JPEG")
        make = lambda v=value: saved(picture(), "JPEG", quality=92, subsampling="4:2:0", progressive=True, exif=exif(v))  # noqa: E731
        add(f"orientation-{value}-420", make, "turned JPEG")
    return found


def _ycck(profile: bytes | None) -> bytes:
    """Inks the way Photoshop stores them: inverted, turned into YCCK, marked by Adobe's segment."""
    inverted = 255 - np.asarray(picture().convert("CMYK"))
    data = imagecodecs.jpeg8_encode(inverted, 95, colorspace="CMYK", outcolorspace="YCCK", subsampling="444")
    if profile is None:
        return data
    body = b"ICC_PROFILE\0\x01\x01" + profile
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + data[2:]


def _pngs() -> list[Source]:
    found = []

    def add(name: str, make: Callable[[], bytes], kind: str = "PNG", **more: object) -> None:
        found.append(Source(f"png-{name}.png", kind, make, **more))

    def grey_of(depth: int) -> np.ndarray:
        return np.round(values().mean(axis=-1) * (2**depth - 1)).astype(np.uint16)

    def palette(depth: int) -> tuple[np.ndarray, bytes]:
        image = picture().quantize(2**depth, dither=Image.Dither.NONE)
        return np.asarray(image), bytes(image.getpalette()[: 3 * 2**depth])

    def indexed(depth: int, interlaced: bool, transparent: bool = False) -> bytes:
        indices, colours = palette(depth)
        alpha = [(b"tRNS", bytes(255 - 200 * i // 2**depth for i in range(2**depth)))] if transparent else []
        return pictures.png_bytes(indices, 3, depth, [(b"PLTE", colours), *alpha], interlaced=interlaced)

    for interlaced in (False, True):
        end = "-interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8, 16):
            make = lambda d=depth, i=interlaced: pictures.png_bytes(grey_of(d), 0, d, interlaced=i)  # noqa: E731
            add(f"grey-{depth}{end}", make, f"grey PNG of {depth} bits", grey=True, corners=depth > 2)
        for depth in (1, 2, 4, 8):
            make = lambda d=depth, i=interlaced: indexed(d, i)  # noqa: E731
            add(f"palette-{depth}{end}", make, "palette PNG", corners=depth > 3)
        for channels, colour_type, name in ((3, 2, "rgb"), (2, 4, "grey-alpha"), (4, 6, "rgba")):
            deep = lambda c=channels, t=colour_type, i=interlaced: pictures.png_bytes(_sixteen(c), t, 16, interlaced=i)  # noqa: E731
            plain = lambda c=channels, t=colour_type, i=interlaced: pictures.png_bytes(_sixteen(c) >> 8, t, 8, interlaced=i)  # noqa: E731
            alpha = " with alpha" if channels in (2, 4) else ""
            add(f"{name}-8{end}", plain, f"PNG{alpha}", grey=channels == 2)
            add(f"{name}-16{end}", deep, f"PNG of 16 bits{alpha}", grey=channels == 2)
    for depth in (4, 8):
        add(f"palette-{depth}-transparent", lambda d=depth: indexed(d, False, True), "palette PNG with alpha", corners=False)
    key = lambda sample: [(b"tRNS", b"".join(struct.pack(">H", int(v)) for v in np.atleast_1d(sample)))]  # noqa: E731
    more = {"kind": "PNG with a transparent colour", "corners": False}
    add("grey-4-key", lambda: pictures.png_bytes(grey_of(4), 0, 4, key(grey_of(4)[40, 50])), grey=True, **more)
    add("grey-8-key", lambda: pictures.png_bytes(grey_of(8), 0, 8, key(grey_of(8)[40, 50])), grey=True, **more)
    add("grey-16-key", lambda: pictures.png_bytes(grey_of(16), 0, 16, key(grey_of(16)[40, 50])), grey=True, **more)
    blocky = lambda: rgb()[::8, ::8].repeat(8, axis=0).repeat(8, axis=1)[:79, :113]  # noqa: E731
    add("rgb-8-key", lambda: pictures.png_bytes(blocky(), 2, 8, key(blocky()[40, 50])), **more)
    add("rgb-16-key", lambda: pictures.png_bytes(blocky() * np.uint16(257), 2, 16, key(blocky()[40, 50] * np.uint16(257))), **more)

    gama = lambda g: (b"gAMA", struct.pack(">I", round(g * 100000)))  # noqa: E731
    primaries = [x for point in ((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)) for x in point]
    chrm = (b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in primaries)))
    # A gAMA of 0.45455 is what writers of sRGB's curve say: it is read as that curve, as it is without cHRM.
    tagged = {
        "srgb-chunk": ("PNG with sRGB", [(b"sRGB", b"\0")], None),
        "gamma-of-srgb": ("PNG with gAMA of sRGB", [gama(0.45455)], None),
        "gamma-1": ("PNG with another gAMA", [gama(1.0)], "linear"),
        "gamma-1.8": ("PNG with another gAMA", [gama(1 / 1.8)], "gamma 1.8"),
        "chrm-p3": ("PNG with cHRM", [gama(0.45455), chrm], "Display P3"),
        "cicp-srgb": ("PNG with cICP of sRGB", [(b"cICP", bytes([1, 13, 0, 1]))], None),
        "cicp-p3": ("PNG with another cICP", [(b"cICP", bytes([12, 13, 0, 1]))], "Display P3"),
    }
    for name, (kind, chunks, meant) in tagged.items():
        make = lambda c=chunks: pictures.png_bytes(rgb(), 2, 8, c)  # noqa: E731
        # Linear light read as such is so much brighter that the corners are other colours.
        add(name, make, kind, profiled=True, corners=name != "gamma-1", meant=meant and profiles.profile(meant))
    for name, profile in PROFILES.items():
        chunk = (b"iCCP", b"icc\0\0" + _deflated(profile))
        add(name, lambda c=chunk: pictures.png_bytes(rgb(), 2, 8, [c]), "PNG with a profile", profiled=True)
        add(f"{name}-16", lambda c=chunk: pictures.png_bytes(_sixteen(3), 2, 16, [c]), "PNG of 16 bits with a profile", profiled=True)
    p3 = (b"iCCP", b"icc\0\0" + _deflated(PROFILES["display-p3"]))
    add("display-p3-rgba", lambda: pictures.png_bytes(np.asarray(rgba()), 6, 8, [p3]), "PNG with a profile and alpha", profiled=True)
    chunk = (b"iCCP", b"icc\0\0" + _deflated(GREY_PROFILE))
    add("grey-profile", lambda: pictures.png_bytes(grey(), 0, 8, [chunk]), "grey PNG with a profile", grey=True, profiled=True)
    for value in range(1, 9):
        turned = (b"eXIf", exif(value).removeprefix(b"Exif\0\0"))
        add(f"orientation-{value}", lambda t=turned: pictures.png_bytes(rgb(), 2, 8, [t]), "turned PNG")
    for width, height in ((1, 1), (1, 17), (17, 1), (15, 17), (3, 2)):
        make = lambda w=width, h=height: pictures.png_bytes(rgb(w, h), 2, 8, interlaced=True)  # noqa: E731
        add(f"{width}x{height}-interlaced", make, corners=min(width, height) > 7)
    return found


def _deflated(data: bytes) -> bytes:
    return imagecodecs.zlib_encode(data)


def _webps() -> list[Source]:
    found = []

    def add(name: str, kind: str, image: Callable[[], Image.Image], more: dict[str, object], **marks: bool) -> None:
        found.append(Source(f"webp-{name}.webp", kind, lambda: saved(image(), "WEBP", **more), **marks))

    for quality in (40, 75, 95):
        add(f"lossy-{quality}", "WebP", picture, {"quality": quality})
        add(f"lossy-{quality}-alpha", "WebP with alpha", rgba, {"quality": quality})
    add("lossless", "lossless WebP", picture, {"lossless": True})
    add("lossless-alpha", "lossless WebP with alpha", rgba, {"lossless": True, "exact": True})
    for width, height in ((1, 1), (1, 17), (17, 1), (15, 17)):
        square = min(width, height) > 7
        add(f"{width}x{height}", "WebP", lambda w=width, h=height: picture(w, h), {"quality": 90}, corners=square)
        add(f"{width}x{height}-lossless", "lossless WebP", lambda w=width, h=height: picture(w, h), {"lossless": True}, corners=square)
    for name, profile in PROFILES.items():
        add(name, "WebP with a profile", picture, {"lossless": True, "icc_profile": profile}, profiled=True)
    for value in range(1, 9):
        add(f"orientation-{value}", "turned WebP", picture, {"lossless": True, "exif": exif(value)})
    return found


def _gifs() -> list[Source]:
    clear = lambda: rgba().quantize(64)  # noqa: E731
    return [
        Source("gif-256.gif", "GIF", lambda: saved(picture().quantize(256), "GIF")),
        Source("gif-16-interlaced.gif", "GIF", lambda: saved(picture().quantize(16), "GIF", interlace=1), corners=False),
        Source("gif-2.gif", "GIF", lambda: saved(picture().quantize(2), "GIF"), corners=False),
        Source("gif-grey.gif", "GIF", lambda: saved(Image.fromarray(grey()), "GIF"), grey=True),
        Source("gif-transparent.gif", "GIF with alpha", lambda: saved(clear(), "GIF"), corners=False),
        Source("gif-1x1.gif", "GIF", lambda: saved(picture(1, 1).quantize(2), "GIF"), corners=False),
    ]


def _tiffs() -> list[Source]:
    found = []

    def add(name: str, make: Callable[[], bytes], kind: str = "TIFF", **more: bool) -> None:
        found.append(Source(f"tiff-{name}.tif", kind, make, **more))

    def tiff(samples: np.ndarray, **options: object) -> bytes:
        out = io.BytesIO()
        order = options.pop("byteorder", "<")
        with tifffile.TiffWriter(out, byteorder=order) as writer:
            writer.write(samples, metadata=None, software=None, **options)
        return out.getvalue()

    for compression in (None, "lzw", "deflate", "packbits"):
        name = compression or "plain"
        add(f"{name}-strips", lambda c=compression: tiff(rgb(), photometric="rgb", compression=c, rowsperstrip=16))
        add(f"{name}-tiles", lambda c=compression: tiff(rgb(), photometric="rgb", compression=c, tile=(32, 32)))
    for compression in ("lzw", "deflate"):
        add(f"{compression}-predictor", lambda c=compression: tiff(rgb(), photometric="rgb", compression=c, predictor=True))
    add("jpeg", lambda: saved(picture(), "TIFF", compression="jpeg", quality=92), "TIFF with JPEG inside")
    jpeg = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 92}}
    add("jpeg-tiles", lambda: tiff(rgb(), tile=(32, 32), **jpeg), "TIFF with JPEG inside")
    add("big-endian", lambda: tiff(rgb(), photometric="rgb", byteorder=">"))
    add("planes", lambda: tiff(np.moveaxis(rgb(), -1, 0).copy(), photometric="rgb", planarconfig="separate"))
    add("grey", lambda: tiff(grey(), photometric="minisblack"), grey=True)
    add("grey-white-is-zero", lambda: tiff(255 - grey(), photometric="miniswhite"), grey=True)
    add("grey-16", lambda: tiff(_sixteen(1)[..., 0], photometric="minisblack"), "grey TIFF of 16 bits", grey=True)
    add("rgb-16", lambda: tiff(_sixteen(3), photometric="rgb"), "TIFF of 16 bits")
    add("rgb-16-deflate-big-endian", lambda: tiff(_sixteen(3), photometric="rgb", compression="deflate", byteorder=">"), "TIFF of 16 bits")
    add("rgba", lambda: tiff(np.asarray(rgba()), photometric="rgb", extrasamples=["unassalpha"]), "TIFF with alpha")
    add("palette", lambda: saved(picture().quantize(200), "TIFF"), corners=False)
    add("one-bit", lambda: saved(Image.fromarray(grey()).convert("1"), "TIFF"), "TIFF of one bit", corners=False, grey=True)
    add("cmyk", lambda: saved(picture().convert("CMYK"), "TIFF", compression="tiff_lzw"), "CMYK TIFF")
    cmyk = lambda: saved(picture().convert("CMYK"), "TIFF", icc_profile=profiles.cmyk())  # noqa: E731
    add("cmyk-profile", cmyk, "CMYK TIFF with a profile", corners=False, profiled=True)
    add("display-p3", lambda: saved(picture(), "TIFF", icc_profile=PROFILES["display-p3"]), "TIFF with a profile", profiled=True)
    add("prophoto-16", lambda: tiff(_sixteen(3), photometric="rgb", iccprofile=PROFILES["prophoto"]), "TIFF of 16 bits with a profile", profiled=True)
    for value in range(1, 9):
        add(f"orientation-{value}", lambda v=value: tiff(rgb(), photometric="rgb", extratags=[(274, 3, 1, v, True)]), "turned TIFF")
    return found


def _others() -> list[Source]:
    found = [
        Source("bmp-24.bmp", "BMP", lambda: saved(picture(), "BMP")),
        Source("bmp-8.bmp", "BMP", lambda: saved(picture().quantize(200), "BMP"), corners=False),
        Source("bmp-grey.bmp", "BMP", lambda: saved(Image.fromarray(grey()), "BMP"), grey=True),
        Source("bmp-1.bmp", "BMP", lambda: saved(Image.fromarray(grey()).convert("1"), "BMP"), corners=False, grey=True),
        Source("bmp-1x1.bmp", "BMP", lambda: saved(picture(1, 1), "BMP"), corners=False),
        Source("ico-png.ico", "ICO", lambda: saved(rgba(64, 64), "ICO", sizes=[(16, 16), (32, 32), (64, 64)])),
        Source("ico-bmp.ico", "ICO", lambda: saved(rgba(48, 48), "ICO", sizes=[(48, 48)], bitmap_format="bmp")),
        Source("qoi-rgb.qoi", "QOI", lambda: qoi.encode(rgb())),
        Source("qoi-rgba.qoi", "QOI with alpha", lambda: qoi.encode(np.ascontiguousarray(np.asarray(rgba())))),
    ]
    for sampling in ("4:2:0", "4:2:2", "4:4:4"):
        name = sampling.replace(":", "")
        found.append(Source(f"avif-{name}.avif", "AVIF", lambda s=sampling: saved(picture(), "AVIF", quality=85, subsampling=s)))
        make = lambda s=int(name): saved(picture(), "HEIF", quality=85, chroma=s)  # noqa: E731
        found.append(Source(f"heic-{name}.heic", "HEIC", make, refused=sampling != "4:2:0"))
    for start, format, title in (("avif", "AVIF", "AVIF"), ("heic", "HEIF", "HEIC"), ("jxl", "JXL", "JPEG XL")):
        for value in range(1, 9) if format != "JXL" else ():
            make = lambda v=value, f=format: saved(picture(), f, quality=85, exif=exif(v))  # noqa: E731
            found.append(Source(f"{start}-orientation-{value}.{start}", f"turned {title}", make))
        make = lambda f=format: saved(rgba(), f, quality=85)  # noqa: E731
        found.append(Source(f"{start}-alpha.{start}", f"{title} with alpha", make))
        make = lambda f=format: saved(picture(), f, quality=92, icc_profile=PROFILES["display-p3"])  # noqa: E731
        found.append(Source(f"{start}-display-p3.{start}", f"{title} with a profile", make, profiled=True))
        make = lambda f=format: saved(Image.fromarray(grey()), f, quality=85)  # noqa: E731
        found.append(Source(f"{start}-grey.{start}", f"grey {title}", make, grey=True))
        make = lambda f=format: saved(picture(15, 17), f, quality=85)  # noqa: E731
        found.append(Source(f"{start}-15x17.{start}", title, make))
    found.append(Source("avif-grid.avif", "AVIF", _avif_grid))
    deep = _sixteen(3)
    for bits in (10, 12):
        make = lambda b=bits: imagecodecs.avif_encode(deep >> (16 - b), level=90, bitspersample=b, pixelformat="444")  # noqa: E731
        found.append(Source(f"avif-{bits}-bits.avif", "AVIF of 16 bits", make))
    found.append(Source("heic-10-bits.heic", "HEIC of 16 bits", lambda: _deep_heic(deep)))
    found += [
        Source("jxl-lossy-75.jxl", "JPEG XL", lambda: saved(picture(), "JXL", quality=75)),
        Source("jxl-lossy-90.jxl", "JPEG XL", lambda: saved(picture(), "JXL", quality=90)),
        Source("jxl-lossless.jxl", "lossless JPEG XL", lambda: saved(picture(), "JXL", lossless=True)),
    ]
    return found


def _avif_grid() -> bytes:
    """The picture as a grid of 2 × 2 tiles of 64 × 64, which stand out over its right and lower edge.

    No encoder at hand writes grids: the tiles are Pillow's, the boxes around them are made here (ISO/IEC 23008-12, 6.6.2.3).
    """

    def box(kind: bytes, *content: bytes) -> bytes:
        body = b"".join(content)
        return struct.pack(">I", 8 + len(body)) + kind + body

    def found(file: bytes, kind: bytes) -> bytes:
        at = file.index(kind) - 4
        return file[at : at + struct.unpack_from(">I", file, at)[0]]

    short = lambda *numbers: struct.pack(f">{len(numbers)}H", *numbers)  # noqa: E731
    height, width = rgb().shape[:2]
    whole = np.pad(rgb(), ((0, 128 - height), (0, 128 - width), (0, 0)), mode="edge")
    tiles = [whole[y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)]
    files = [saved(Image.fromarray(tile), "AVIF", quality=90, subsampling="4:4:4") for tile in tiles]
    data = [found(file, b"mdat")[8:] for file in files]
    ids = range(2, 2 + len(tiles))
    grid = bytes([0, 0, 1, 1]) + short(width, height)
    size = lambda w, h: box(b"ispe", bytes(4), struct.pack(">II", w, h))  # noqa: E731
    properties = [size(64, 64), size(width, height), *(found(files[0], kind) for kind in (b"av1C", b"colr", b"pixi"))]
    of_tiles = b"".join(short(item) + bytes([4, 1, 0x80 | 3, 4, 5]) for item in ids)
    entry = lambda item, kind: box(b"infe", b"\2\0\0\0", short(item, 0), kind, b"\0")  # noqa: E731
    items = entry(1, b"grid") + b"".join(entry(item, b"av01") for item in ids)
    brands = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")

    def meta(start: int) -> bytes:
        # The grid lies in `idat`, the tiles one after the other from `start` on.
        places = short(1, 1, 0, 1) + struct.pack(">II", 0, len(grid))
        for item, tile in zip(ids, data, strict=True):
            places += short(item, 0, 0, 1) + struct.pack(">II", start, len(tile))
            start += len(tile)
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), short(1)),
            box(b"iloc", b"\1\0\0\0", bytes([0x44, 0]), short(5), places),
            box(b"iinf", bytes(4), short(5), items),
            box(b"iref", bytes(4), box(b"dimg", short(1, 4, *ids))),
            box(b"iprp", box(b"ipco", *properties), box(b"ipma", bytes(4), struct.pack(">I", 5), short(1), bytes([3, 2, 4, 5]), of_tiles)),
            box(b"idat", grid),
        )

    return brands + meta(len(brands) + len(meta(0)) + 8) + box(b"mdat", *data)


def _deep_heic(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    size = samples.shape[1], samples.shape[0]
    pillow_heif.encode("RGB;16", size, samples.tobytes(), out, quality=90, chroma=420, save_hdr_to_12_bit=False)
    return out.getvalue()


def frame(number: int) -> Image.Image:
    """One picture of the animations: a bar moves on, the corners stay."""
    moved = rgb().copy()
    moved[30:50, 20 + 15 * number : 34 + 15 * number] = (240, 240, 240)
    return Image.fromarray(moved)


def _animations() -> list[Source]:
    frames = [frame(number) for number in range(4)]
    indexed = [image.quantize(256, dither=Image.Dither.NONE) for image in frames]
    more = {"save_all": True, "duration": [80, 120, 200, 400], "loop": 0}
    return [
        Source("gif-animated.gif", "animated GIF", lambda: saved(indexed[0], "GIF", append_images=indexed[1:], **more), frames=4),
        Source("png-animated.png", "APNG", lambda: saved(frames[0], "PNG", append_images=frames[1:], **more), frames=4),
        Source(
            "webp-animated.webp",
            "animated WebP",
            lambda: saved(frames[0], "WEBP", append_images=frames[1:], lossless=True, **more),
            frames=4,
        ),
    ]


def _svg() -> bytes:
    """The corners as squares, a gradient between them, and shapes with round and slanted edges."""
    places = [(0, 0), (89, 0), (0, 55), (89, 55)]
    squares = "".join(
        f'<rect x="{x}" y="{y}" width="24" height="24" fill="rgb({r},{g},{b})"/>'
        for (x, y), (r, g, b) in zip(places, CORNERS.tolist(), strict=True)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="113" height="79" viewBox="0 0 113 79">
<defs><linearGradient id="g"><stop offset="0" stop-color="#205080"/><stop offset="1" stop-color="#d0a060"/></linearGradient></defs>
<rect width="113" height="79" fill="url(#g)"/>{squares}
<circle cx="56" cy="40" r="20" fill="#e8e0d0"/><path d="M40 60 L56 24 L72 60 Z" fill="#305030" fill-opacity="0.8"/>
</svg>
""".encode()


CORPUS = [*_jpegs(), *_pngs(), *_webps(), *_gifs(), *_tiffs(), *_others(), *_animations(), Source("svg-shapes.svg", "SVG", _svg)]

PRINTED = [source for source in CORPUS if not source.refused]


def write(folder: Path) -> dict[str, Path]:
    """Every file of the corpus below `folder`, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for source in CORPUS:
        written[source.name] = folder / source.name
        written[source.name].write_bytes(source.make())
    return written


def turned(orientation: int) -> tuple[int, int, int, int]:
    """Which of `CORNERS` lies top left, top right, bottom left and bottom right once the orientation is applied.

    After the EXIF specification: where the 0th row and column of the stored picture go.
    """
    return {
        1: (0, 1, 2, 3),
        2: (1, 0, 3, 2),
        3: (3, 2, 1, 0),
        4: (2, 3, 0, 1),
        5: (0, 2, 1, 3),
        6: (2, 0, 3, 1),
        7: (3, 1, 2, 0),
        8: (1, 3, 0, 2),
    }[orientation]
