"""Make examples/photos from the photographs of a Debian package.

    apt-get download lomiri-wallpapers-16.04
    dpkg-deb -x lomiri-wallpapers-16.04_*.deb PHOTOS
    python tools/make_photos.py PHOTOS examples/photos

Every input is named below with its SHA-256, so that a run either starts from
the same bytes or says so. The JPEG originals are copied byte for byte; what is
done to the others stands beside each of them here and in CREDITS.md. Needs
Pillow and numpy in the versions of tests/requirements.txt: other versions
give the same pictures to the eye, in slightly different bytes.
"""

import argparse
import hashlib
import io
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

INPUTS = {
    "Dragonfly_by_Bolly.jpg": "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3",
    "Picture_0B_by_freespace.jpg": "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad",
    "aitzgorri_by_Aitzol_Berasategi.jpg": "66268e7b48f8854d36a28765fac6e23ec1aee251daa6da1f64715f201020ad36",
    "friends_by_Aitzol_Berasategi.jpg": "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d",
    "picosdeeuropa_by_Aitzol_Berasategi.jpg": "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a",
    "seeding_by_Clements_Engelhardt.jpg": "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
    "sunset_by_Aitzol_Berasategi.jpg": "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18",
}

ARTIST, COPYRIGHT, ORIENTATION = 0x013B, 0x8298, 0x0112


def dragonfly(source: Path, target: Path) -> None:
    """The picture of the benchmarks: 12 MP, baseline, 4:2:0, quality 90."""
    picture = Image.open(source).convert("RGB").resize((4000, 3000), Image.Resampling.LANCZOS)
    picture.save(target, quality=90, subsampling="4:2:0", optimize=False, progressive=False)


def dogs(source: Path, target: Path) -> None:
    """Stored lying on its side with EXIF orientation 6, as a phone held upright stores it."""
    upright = Image.open(source).convert("RGB")
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[ARTIST] = "Aitzol Berasategi"
    exif[COPYRIGHT] = "2018 Aitzol Berasategi, CC BY 4.0"
    lying.save(target, quality=90, subsampling="4:2:0", exif=exif)


def fig(source: Path, target: Path) -> None:
    """The bowl and the fig, cut out by a soft mask made from the redness of the picture."""
    picture = Image.open(source).convert("RGB").resize((1600, 1082), Image.Resampling.LANCZOS)
    rgb = np.asarray(picture, dtype=np.float32)
    redness = rgb[..., 0] - rgb[..., 1:].mean(axis=2)
    mask = Image.fromarray(np.where(redness > 45, 255, 0).astype(np.uint8))
    # Drop specks of the concrete, close the pits of the fig, smooth, then soften the edge.
    # The border keeps the filters, which repeat the last row, from growing the mask along it.
    mask = ImageOps.expand(mask, border=64, fill=0)
    for grow, times in ((False, 1), (True, 7), (False, 9), (True, 3)):
        for _ in range(times):
            mask = mask.filter((ImageFilter.MaxFilter if grow else ImageFilter.MinFilter)(9))
    mask = ImageOps.crop(mask, border=64)
    mask = mask.filter(ImageFilter.GaussianBlur(4))
    picture.putalpha(mask)
    # What cannot be seen costs no bytes.
    pixels = np.asarray(picture).copy()
    pixels[pixels[..., 3] == 0] = 0
    Image.fromarray(pixels, "RGBA").save(target, optimize=True)


def sunset(source: Path, target: Path) -> None:
    """6 MP as lossy WebP."""
    picture = Image.open(source).convert("RGB").resize((3000, 2000), Image.Resampling.LANCZOS)
    picture.save(target, quality=82, method=4)


def zoom(source: Path, target: Path) -> None:
    """24 frames: from the whole meadow to the first dandelion and half way back."""
    picture = Image.open(source).convert("RGB").reduce(2)
    width, height = picture.size
    end = (0.10, 0.02, 0.50, 0.42)
    frames = []
    for n in range(24):
        t = (n if n < 16 else 30 - n) / 15
        box = (end[0] * t, end[1] * t, 1 + (end[2] - 1) * t, 1 + (end[3] - 1) * t)
        pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        frames.append(picture.resize((384, 216), Image.Resampling.LANCZOS, box=pixels))
    strip = Image.new("RGB", (384, 216 * 3))
    for i, n in enumerate((0, 8, 15)):
        strip.paste(frames[n], (0, 216 * i))
    palette = strip.quantize(128)
    indexed = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    indexed[0].save(target, save_all=True, append_images=indexed[1:], duration=80, loop=0)


MADE = [
    ("Dragonfly_by_Bolly.jpg", "dragonfly-12mp.jpg", dragonfly),
    ("friends_by_Aitzol_Berasategi.jpg", "dogs at the window.jpg", dogs),
    ("Picture_0B_by_freespace.jpg", "fig-cutout.png", fig),
    ("sunset_by_Aitzol_Berasategi.jpg", "sunset.webp", sunset),
    ("seeding_by_Clements_Engelhardt.jpg", "dandelion-zoom.gif", zoom),
    ("seeding_by_Clements_Engelhardt.jpg", "dandelions.jpg", shutil.copyfile),
    ("picosdeeuropa_by_Aitzol_Berasategi.jpg", "Picos de Europa + snow.jpg", shutil.copyfile),
    ("aitzgorri_by_Aitzol_Berasategi.jpg", "Otoño en Aitzgorri.jpg", shutil.copyfile),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder the Debian package was unpacked into")
    parser.add_argument("out", type=Path, help="folder to write, usually examples/photos")
    arguments = parser.parse_args()
    found = {path.name: path for path in arguments.photos.rglob("*.jpg")}
    problems = []
    for name, digest in INPUTS.items():
        if name not in found:
            problems.append(f"{name}: not under {arguments.photos}")
        elif hashlib.sha256(found[name].read_bytes()).hexdigest() != digest:
            problems.append(f"{name}: not the file that the pictures were made from (SHA-256 differs)")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    for source, name, make in MADE:
        target = arguments.out / name
        make(found[source], target)
        with Image.open(io.BytesIO(target.read_bytes())) as picture:
            print(f"{name}: {picture.width}x{picture.height} {picture.mode}, {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
