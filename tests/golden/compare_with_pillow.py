"""Holds the golden prints against Pillow, which shares no code with minilab.

    python3 tests/golden/compare_with_pillow.py

Fails where a print that Pillow can make too is further from Pillow's than the
case's bound (PSNR in dB). Not compared: lossy prints (their coding noise is
checked by the golden test) and the picks where the two differ on purpose,
each with its reason.
"""

import io
import pathlib
import sys
import tomllib

import numpy as np
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin

try:
    import pillow_heif
    pillow_heif.register_heif_opener()
except ImportError:
    print("without pillow-heif the HEIC cases are left out")

HERE = pathlib.Path(__file__).parent
SRGB = ImageCms.createProfile("sRGB")
# These are held against other decoders by compare_formats.py, like all animations.
ELSEWHERE = {"tiff", "bmp", "ico", "qoi", "jxl", "svg", "animation"}
ON_PURPOSE = {
    "colour/gamma1": "Pillow ignores gAMA",
    "png/flattened 3": "GIF alpha is all or nothing, Pillow's reference is not",
}
LOSSLESS, LOSSY = 40, 24
# dB, where the two differ on purpose.
BOUNDS = {
    "png/grey1 1": (30, "dithered black and white: the filter's overshoots are cut off after each pass, and the passes come in another order"),
}
NEAREST = (28, "libheif repeats chroma of 4:2:0 in pictures that it need not turn; luma agrees to 59 dB")
BOUNDS |= {f"heic/{name} 0": NEAREST for name in ("420", "grid", "p3", "second_is_primary")}
CHROMA = (35, "chroma of 4:2:0 and 4:2:2 is enlarged with Lanczos3 in the scaling itself, not by libjpeg's triangle before it")


def opened(path):
    image = Image.open(path)
    icc = image.info.get("icc_profile")
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if image.mode in ("1", "L"):
        image = image.convert("L").convert("RGB")
    elif image.mode != "RGB" or "transparency" in image.info:
        image = image.convert("RGBA")
    if icc:
        transform = ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(icc)), SRGB, image.mode, image.mode)
        image = ImageCms.applyTransform(image, transform)
    return image


def placed(image, output):
    """The recipe's resize by Pillow, sizes after sharp's rules."""
    resize = output.get("resize")
    if not resize:
        return image
    w, h = image.size
    bw, bh = resize.get("width"), resize.get("height")
    enlarge = resize.get("enlarge", False)
    cap = (lambda s: s) if enlarge else (lambda s: min(s, 1))
    half_up = lambda v: max(1, int(np.floor(v + 0.5)))
    size = lambda s: (half_up(w * s), half_up(h * s))
    fit = resize.get("fit", "inside")
    if bw is None or bh is None:
        return scaled(image, size(cap(bw / w if bw else bh / h)))
    sx, sy = bw / w, bh / h
    if fit == "fill":
        return scaled(image, (half_up(w * cap(sx)), half_up(h * cap(sy))))
    if fit == "inside":
        return scaled(image, size(cap(min(sx, sy))))
    if fit == "outside":
        return scaled(image, size(cap(max(sx, sy))))
    position = resize.get("position", "center").split()
    share = lambda low, high: 0 if low in position else 2 if high in position else 1
    if fit == "contain":
        inner = scaled(image, size(cap(min(sx, sy))))
        colour = output.get("background", "#ffffff")
        alpha = len(colour) == 9
        canvas = Image.new("RGBA", (bw, bh), colour)
        slack = (bw - inner.width, bh - inner.height)
        at = tuple(s * share(*side) // 2 for s, side in zip(slack, [("left", "right"), ("top", "bottom")]))
        canvas.paste(inner.convert("RGBA"), at)
        return canvas if alpha or image.mode == "RGBA" else canvas.convert("RGB")
    whole = size(cap(max(sx, sy)))
    big = scaled(image, whole)
    target = (min(bw, whole[0]), min(bh, whole[1]))
    slack = (whole[0] - target[0], whole[1] - target[1])
    left, top = (-(-s * share(*side) // 2) for s, side in zip(slack, [("left", "right"), ("top", "bottom")]))
    return big.crop((left, top, left + target[0], top + target[1]))


def scaled(image, size):
    if size == image.size:
        return image
    if image.mode == "RGBA":
        return image.convert("RGBa").resize(size, Image.LANCZOS).convert("RGBA")
    return image.resize(size, Image.LANCZOS)


def pixelated(image, output):
    cells = output.get("pixelate", {}).get("cells")
    if not cells:
        return image
    grid = (min(cells, image.width), min(cells, image.height))
    small = image.convert("RGBa").resize(grid, Image.BILINEAR).convert("RGBA") if image.mode == "RGBA" else \
        image.resize(grid, Image.BILINEAR)
    return small.resize(image.size, Image.NEAREST)


def subsampled(path):
    return path.suffix == ".jpg" and JpegImagePlugin.get_sampling(Image.open(path)) > 0


def weighed(image):
    rgba = np.asarray(image.convert("RGBA")).astype(float)
    return np.concatenate([rgba[..., :3] * rgba[..., 3:] / 255, rgba[..., 3:]], axis=2)


failed, compared = [], 0
for recipe in sorted(HERE.glob("*/*/recipe.toml")):
    folder = recipe.parent
    name = str(folder.relative_to(HERE))
    if folder.parent.name in ELSEWHERE:
        continue
    source = next(folder.glob("input.*"))
    if getattr(Image.open(source), "n_frames", 1) > 1:
        continue
    for index, output in enumerate(tomllib.loads(recipe.read_text())["output"]):
        if name in ON_PURPOSE or f"{name} {index}" in ON_PURPOSE:
            continue
        if "block" in output.get("pixelate", {}):
            continue
        lossy = output.get("format", source.suffix) not in ("png", ".png")
        if source.suffix == ".gif" and output.get("format") is None:
            continue
        expected = pixelated(placed(opened(source), output), output)
        if output.get("format") == "jpeg" and expected.mode == "RGBA":
            ground = Image.new("RGBA", expected.size, output.get("background", "#ffffff"))
            expected = Image.alpha_composite(ground, expected)
        print_ = Image.open(folder / f"expected/{index}.png")
        if print_.size != expected.size:
            failed.append(f"{name} {index}: {print_.size}, Pillow {expected.size}")
            continue
        a, b = weighed(print_), weighed(expected)
        error = ((a - b) ** 2).mean()
        psnr = 99.0 if error == 0 else 10 * np.log10(255**2 / error)
        compared += 1
        bound = LOSSY if lossy else LOSSLESS
        bound, _ = BOUNDS.get(f"{name} {index}", CHROMA if subsampled(source) and not lossy else (bound, ""))
        line = f"{name} {index}: {psnr:.1f} dB, worst {np.abs(a - b).max():.0f}"
        if psnr < bound:
            failed.append(line)
        elif "-v" in sys.argv:
            print(line)
print(f"{compared} prints compared")
if failed or not compared:
    sys.exit("\n".join(failed))
