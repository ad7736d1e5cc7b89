"""Holds the golden prints of make_formats.py against decoders that share no
code with minilab: tifffile with imagecodecs (libjpeg-turbo, libjxl, the reference QOI), Pillow
(BMP, ICO, animations), CairoSVG.

    python3 tests/golden/compare_formats.py [-v]

Fails where print 0, the picture itself as PNG, is not the decoder's to within
the bound below.
"""

import gzip
import io
import pathlib
import struct
import sys
import tomllib
import zlib

import cairosvg
import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms

HERE = pathlib.Path(__file__).parent
SRGB = ImageCms.createProfile("sRGB")
# Largest difference of a sample (times alpha) that passes, where it is not 1,
# and why.
BOUNDS = {
    "jxl/lossy": (3, "two decoders of the same lossy file"),
    "jxl/lossy_rgba": (3, "two decoders of the same lossy file"),
    "jxl/container": (3, "two decoders of the same lossy file"),
    "jxl/progressive": (3, "two decoders of the same lossy file"),
    "jxl/patches": (3, "two decoders of the same lossy file"),
    "jxl/animated": (3, "two decoders of the same lossy file"),
    "jxl/from_jpeg": (3, "two decoders of the same lossy file"),
    "jxl/orientation6": (3, "two decoders of the same lossy file"),
    "jxl/p3_lossy": (3, "two decoders of the same lossy file"),
    "jxl/p3_lossless": (2, "two colour engines"),
    "tiff/p3": (2, "two colour engines"),
    "tiff/p3_16": (3, "two colour engines, Pillow's with 8 bits"),
}
TURNS = {1: [], 6: [Image.Transpose.ROTATE_270]}


def managed(array, icc):
    if not icc:
        return array
    image = Image.fromarray(array[..., :3])
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(ImageCms.applyTransform(image, ImageCms.buildTransform(profile, SRGB, "RGB", "RGB")))


def rgba(array):
    """Whatever an array holds, as RGBA of 8 bits."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] in (1, 2):
        array = np.concatenate([array[..., :1]] * 3 + [array[..., 1:]], axis=2)
    if array.shape[2] == 3:
        array = np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])
    return array


def tiff(path):
    with tifffile.TiffFile(path) as file:
        page = next(p for p in file.pages if not p.is_reduced)
        data = page.asarray()
        kind, bits = page.photometric.name, page.bitspersample
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            data = np.moveaxis(data, 0, -1)
        if kind == "PALETTE":
            data = np.moveaxis(page.colormap, 0, -1)[data]
        elif bits not in (1, 8, 16):
            data = (data.astype(np.uint32) * 255 * 2 // (2**bits - 1) + 1).astype(np.uint32) // 2
            data = data.astype(np.uint8)
        if kind == "MINISWHITE":
            data = ~data
        if kind == "SEPARATED":
            data = data.astype(float) / np.iinfo(data.dtype).max
            data = np.rint((1 - data[..., :3]) * (1 - data[..., 3:]) * 255).astype(np.uint8)
        extra = page.extrasamples
        colours = 1 if kind in ("MINISBLACK", "MINISWHITE") else 3
        if extra and extra[0] == 0:
            data = data[..., :colours]
        data = rgba(data)
        if extra and extra[0] == 1:
            alpha = data[..., 3:].astype(float)
            data = np.concatenate([np.where(alpha > 0, data[..., :3].astype(float) * 255 / np.maximum(alpha, 1), 0).clip(0, 255).round().astype(np.uint8), data[..., 3:]], axis=2)
        if icc := page.iccprofile:
            data = rgba(managed(data, icc))
        return data, page.tags["Orientation"].value if "Orientation" in page.tags else 1


def pillow(path):
    image = Image.open(path)
    image.load()
    return np.asarray(image.convert("RGBA")), 1


def jxl(path):
    bytes_ = path.read_bytes()
    data = imagecodecs.jpegxl_decode(bytes_, index=0 if "animated" in str(path) else None)
    import pillow_jxl  # noqa: F401  (registers itself; for the profile and the orientation)
    image = Image.open(path)
    icc = image.info.get("icc_profile")
    if "p3_lossless" in str(path):
        image.load()
        data = managed(np.asarray(image.convert("RGB")), icc)
    return rgba(data), 1


def decoded(path):
    suffix = path.suffix
    if suffix == ".tif":
        data, orientation = tiff(path)
    elif suffix == ".qoi":
        data, orientation = rgba(imagecodecs.qoi_decode(path.read_bytes())), 1
    elif suffix == ".jxl":
        data, orientation = jxl(path)
    else:
        data, orientation = pillow(path)
    image = Image.fromarray(np.ascontiguousarray(data), "RGBA")
    for turn in TURNS[orientation]:
        image = image.transpose(turn)
    return image


def weighed(image):
    pixels = np.asarray(image.convert("RGBA")).astype(float)
    return np.concatenate([pixels[..., :3] * pixels[..., 3:] / 255, pixels[..., 3:]], axis=2)


failed, compared = [], 0
for area in ("tiff", "bmp", "ico", "qoi", "jxl"):
    for folder in sorted((HERE / area).iterdir()):
        name = f"{area}/{folder.name}"
        if folder.name.startswith("prints"):
            continue
        print_ = Image.open(folder / "expected/0.png")
        expected = decoded(next(folder.glob("input.*")))
        if print_.size != expected.size:
            failed.append(f"{name}: {print_.size}, the judge {expected.size}")
            continue
        if name == "jxl/p3_lossy":  # libjxl gives it as linear light with sRGB's primaries
            light = np.asarray(print_.convert("RGB")) / 255
            light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
            print_ = Image.fromarray(np.rint(light * 255).astype(np.uint8))
        worst = np.abs(weighed(print_) - weighed(expected)).max()
        compared += 1
        bound, _ = BOUNDS.get(name, (1, ""))
        line = f"{name}: worst {worst:.1f}"
        if worst > bound:
            failed.append(line)
        elif "-v" in sys.argv:
            print(line)
def over(path):
    """The frames of an APNG by the specification: Pillow pastes where it should composite."""
    bytes_, at, chunks = path.read_bytes(), 8, []
    while at < len(bytes_):
        length, kind = struct.unpack_from(">I4s", bytes_, at)
        chunks.append((kind, bytes_[at + 8:at + 8 + length]))
        at += length + 12
    header = dict(chunks)[b"IHDR"]
    width, height = struct.unpack(">II", header[:8])
    canvas, shown, control, data = np.zeros((height, width, 4)), [], None, b""
    for kind, body in chunks:
        if kind in (b"fcTL", b"IEND") and control:
            w, h, x, y, _, _, dispose, blend = struct.unpack(">4I2H2B", control[4:])
            part = b"\x89PNG\r\n\x1a\n"
            for name, content in [(b"IHDR", struct.pack(">II", w, h) + header[8:]), (b"IDAT", data), (b"IEND", b"")]:
                part += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
            new = np.asarray(Image.open(io.BytesIO(part)).convert("RGBA")) / 255
            before, view = canvas.copy(), canvas[y:y + h, x:x + w]
            if blend:
                a, b = new[..., 3:], view[..., 3:] * (1 - new[..., 3:])
                colour = (new[..., :3] * a + view[..., :3] * b) / np.maximum(a + b, 1e-9)
                new = np.concatenate([colour, a + b], axis=2)
            canvas[y:y + h, x:x + w] = new
            shown.append(np.rint(canvas * 255).astype(np.uint8))
            if dispose == 1 or dispose == 2 and len(shown) == 1:
                canvas[y:y + h, x:x + w] = 0
            elif dispose == 2:
                canvas = before
            data = b""
        if kind == b"fcTL":
            control = body
        elif kind == b"IDAT" and control:
            data += body
        elif kind == b"fdAT":
            data += body[4:]
    return shown


def frames(path, output):
    """The frames by Pillow, one below the other; None where it makes no comparable print."""
    source = Image.open(path)
    kind = output.get("format", path.suffix[1:])
    if "pixelate" in output or "resize" in output or kind not in ("png", "webp", "gif"):
        return None
    icc = source.info.get("icc_profile")
    stack = []
    if "blend1" in str(path):
        return np.concatenate(over(path))
    # Pillow counts a default image that is no frame as the first.
    for index in range(1 if source.info.get("default_image") else 0, source.n_frames):
        source.seek(index)
        frame = np.asarray(source.convert("RGBA")).copy()
        if icc:
            frame[..., :3] = managed(frame, icc)
        stack.append(frame)
    if kind == "gif":
        for frame in stack:
            frame[frame[..., 3] < 128] = 0
            frame[..., 3] = np.where(frame[..., 3] > 0, 255, 0)
    return np.concatenate(stack)


for recipe in sorted(HERE.glob("*/*/recipe.toml")):
    folder = recipe.parent
    name = str(folder.relative_to(HERE))
    path = next(folder.glob("input.*"))
    if path.suffix not in (".gif", ".webp", ".png") or getattr(Image.open(path), "n_frames", 1) == 1:
        continue
    for index, output in enumerate(tomllib.loads(recipe.read_text())["output"]):
        expected = frames(path, output)
        if expected is None:
            continue
        print_ = Image.open(folder / f"expected/{index}.png")
        if print_.size != (expected.shape[1], expected.shape[0]):
            failed.append(f"{name} {index}: {print_.size}, the judge {expected.shape}")
            continue
        worst = np.abs(weighed(print_) - weighed(Image.fromarray(expected))).max()
        bound = {"png": 2, "webp": 2}.get(output.get("format", path.suffix[1:]), 0)
        compared += 1
        line = f"{name} {index}: worst {worst:.1f}"
        if worst > bound:
            failed.append(line)
        elif "-v" in sys.argv:
            print(line)
# Two painters differ on every edge: what is compared is the picture as a whole.
DRAWINGS = {"svg/shapes": 24, "svg/compressed": 22, "svg/picture": 40, "svg/alpha": 30}
for name, bound in DRAWINGS.items():
    folder = HERE / name
    path = next(folder.glob("input.*"))
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".svgz" else data
    for index, output in enumerate(tomllib.loads((folder / "recipe.toml").read_text())["output"]):
        if output.get("format") != "png" or "height" in output.get("resize", {}):
            continue
        print_ = Image.open(folder / f"expected/{index}.png")
        drawn = Image.open(io.BytesIO(cairosvg.svg2png(data, output_width=print_.width, output_height=print_.height)))
        error = ((weighed(print_) - weighed(drawn)) ** 2).mean()
        psnr = 99.0 if error == 0 else 10 * np.log10(255**2 / error)
        compared += 1
        line = f"{name} {index}: {psnr:.1f} dB"
        if psnr < bound:
            failed.append(line)
        elif "-v" in sys.argv:
            print(line)

# JPEG XL prints: the encoder's file, shown by a decoder that is not its own.
for folder in sorted((HERE / "jxl").glob("prints*")):
    source = imagecodecs.png_decode((folder / "input.png").read_bytes())
    source = weighed(Image.fromarray(rgba(source)))
    print_ = weighed(Image.open(folder / "expected/0.png"))
    compared += 1
    if np.abs(print_ - source).max() > 0:
        failed.append(f"{folder.name}: not without loss")
print(f"{compared} prints compared")
if failed or not compared:
    sys.exit("\n".join(failed))
