"""The two judges of the fidelity tests: each makes the print that minilab was asked for, in its own way."""

import io
import json
import subprocess
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

import pictures

ROOT = Path(__file__).resolve().parents[2]
SRGB = ImageCms.createProfile("sRGB")
LANCZOS = Image.Resampling.LANCZOS

# A geometry: its name, the recipe's resize, and sharp's.
GEOMETRIES = {
    "same size": (None, None),
    "width 60": ("{ width = 60 }", {"width": 60, "withoutEnlargement": True}),
    "48 × 48": (
        '{ width = 48, height = 48, fit = "cover" }',
        {"width": 48, "height": 48, "fit": "cover", "withoutEnlargement": True},
    ),
}


def half_up(value: float) -> int:
    return max(1, int(value + 0.5))


def pillow_upright(path: Path, meant: bytes | None = None) -> Image.Image:
    """A source by Pillow: orientation applied, in sRGB (LittleCMS, perceptual), RGB or RGBA of 8 bits.

    `meant` is the profile of a source that holds none.
    """
    with Image.open(path) as image:
        image.load()
        profile = image.info.get("icc_profile") or meant
        image = ImageOps.exif_transpose(image)
    image = pictures.reduced(image)
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = {"P": "RGB", "PA": "RGBA", "1": "L"}.get(image.mode, image.mode)
        image = image if mode == image.mode else image.convert(mode)
        alpha = image.getchannel("A") if mode in ("RGBA", "LA") else None
        plain = image.convert({"RGBA": "RGB", "LA": "L"}[mode]) if alpha else image
        transform = ImageCms.buildTransform(source, SRGB, plain.mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        image = ImageCms.applyTransform(plain, transform)
        if alpha:
            image.putalpha(alpha)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def pillow(path: Path, geometry: str) -> Image.Image:
    image = pillow_upright(path)
    width, height = image.size
    if geometry == "width 60" and width > 60:
        return pillow_scaled(image, (60, half_up(height * 60 / width)))
    if geometry == "48 × 48":
        scale = min(1, max(48 / width, 48 / height))
        image = pillow_scaled(image, (half_up(width * scale), half_up(height * scale)))
        box = (min(48, image.width), min(48, image.height))
        # The middle, and the half pixel that is left over to the right and below, as sharp does.
        left, top = -(-(image.width - box[0]) // 2), -(-(image.height - box[1]) // 2)
        return image.crop((left, top, left + box[0], top + box[1]))
    return image


def pillow_scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """By Lanczos; colours that are not seen do not count."""
    if image.size == size:
        return image
    if image.mode == "RGBA":
        return image.convert("RGBa").resize(size, LANCZOS).convert("RGBA")
    return image.resize(size, LANCZOS)


def sharp(paths: list[Path], out: Path) -> dict[tuple[str, str], Path | str]:
    """sharp's prints of all files in every geometry: the PNG, or what it says against the file."""
    jobs, answers = [], {}
    for number, (geometry, (_, resize)) in enumerate(GEOMETRIES.items()):
        folder = out / str(number)
        folder.mkdir(parents=True)
        for path in paths:
            answers[path.name, geometry] = folder / f"{path.name}.png"
            jobs.append({"file": str(path), "out": str(answers[path.name, geometry]), "resize": resize})
    command = ["node", Path(__file__).parent / "node" / "judge.mjs"]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"the judge did not run: {done.stderr[-2000:]}"
    of = {str(path): key for key, path in answers.items()}
    for line in map(json.loads, done.stdout.splitlines()):
        answers[of[line["out"]]] = line["error"]
    return answers
