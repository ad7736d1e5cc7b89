"""Does `quality = "auto"` give what was asked for, and what does it save? Writes docs/quality.md.

    tools/setup.sh test
    .tools/venv/bin/pip install --no-deps --target .tools/photographs scikit-image==0.25.2
    .tools/venv/bin/python bench/auto_quality.py --minilab target/release/minilab

Twenty photographs are printed at quality 80 and at `auto`. The judge is not the
one that minilab asks: `ssimulacra2.py` here is written after the original in
another language, and scores each print against the pixels that were encoded.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

import ssimulacra2

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "auto_quality.json"
PAGE = ROOT / "docs" / "quality.md"
BUNDLED = [
    "dragonfly-12mp.jpg",
    "dandelions.jpg",
    "Picos de Europa + snow.jpg",
    "Otoño en Aitzgorri.jpg",
    "dogs at the window.jpg",
    "fig-cutout.png",
    "sunset.webp",
]
# Of scikit-image's own pictures those that a camera took.
PACKAGED = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
]
FORMATS = ("jpeg", "webp")
SIDE = 512
FIXED = 80
DEFAULT_TARGET = 75
# A target counts as met within so many points.
NEAR = 2.0


def recipe(outputs: dict[str, str]) -> str:
    head = '[source]\nbucket = "quality-source"\n[processed]\nbucket = "quality-processed"\n'
    size = f'resize = {{ width = {SIDE}, height = {SIDE}, fit = "inside" }}\n'
    white = 'background = "#ffffff"\nmetadata = "none"\n'
    return head + "".join(f'[[output]]\nkey = "{name}/{{stem}}"\n{fields}\n{size}{white}' for name, fields in outputs.items())


def printed(minilab: Path, sources: Path, outputs: dict[str, str], folder: Path) -> Path:
    folder.mkdir()
    (folder / "recipe.toml").write_text(recipe(outputs), encoding="utf-8")
    command = [minilab, "render", sources, "--config", folder / "recipe.toml", "--out", folder / "prints"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "prints"


def flat(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def measured(prints: Path, name: str, references: dict[str, Image.Image]) -> dict[str, dict]:
    return {
        stem: {
            "bytes": (prints / name / stem).stat().st_size,
            "score": round(ssimulacra2.score(reference, flat(prints / name / stem)), 2),
        }
        for stem, reference in references.items()
    }


def measure(minilab: Path, packaged: Path) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        for path in [*(ROOT / "examples" / "photos" / name for name in BUNDLED), *(packaged / name for name in PACKAGED)]:
            # What is transparent is laid on white once, so that every format encodes the same pixels.
            with Image.open(path) as picture:
                if picture.has_transparency_data:
                    picture = picture.convert("RGBA")
                    white = Image.new("RGBA", picture.size, "white")
                    white.alpha_composite(picture)
                    white.convert("RGB").save(folder / "in" / f"{path.stem}.png")
                else:
                    (folder / "in" / path.name).write_bytes(path.read_bytes())
        fixed = {format: f'format = "{format}"\nquality = {FIXED}' for format in FORMATS}
        prints = printed(minilab, folder / "in", {"reference": 'format = "png"', **fixed}, folder / "fixed")
        references = {path.name: flat(path) for path in sorted((prints / "reference").iterdir())}
        at_fixed = {format: measured(prints, format, references) for format in FORMATS}
        # One point more than the lowest score at the fixed quality: `auto` may miss by one.
        targets = {format: {"default": DEFAULT_TARGET, "equal": round(floor(at_fixed[format]) + 1, 2)} for format in FORMATS}
        autos = {
            f"{format}-{name}": f'format = "{format}"\nquality = "auto"\ntarget = {target}'
            for format in FORMATS
            for name, target in targets[format].items()
        }
        prints = printed(minilab, folder / "in", autos, folder / "auto")
        at_auto = {name: measured(prints, name, references) for name in autos}
    version = subprocess.run([minilab, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return {"version": version, "targets": targets, "fixed": at_fixed, "auto": at_auto}


def floor(prints: dict[str, dict]) -> float:
    """The lowest score, which is all that one quality for every photograph is sure of."""
    return min(one["score"] for one in prints.values())


def total(prints: dict[str, dict]) -> int:
    return sum(one["bytes"] for one in prints.values())


def spread(prints: dict[str, dict]) -> str:
    scores = [one["score"] for one in prints.values()]
    return f"{min(scores):.1f}–{max(scores):.1f}, mean {sum(scores) / len(scores):.1f}"


def missed(results: dict, name: str) -> dict[str, float]:
    """By how much each print misses its target, where it is by more than `NEAR`."""
    format, which = name.split("-")
    target = results["targets"][format][which]
    off = {stem: one["score"] - target for stem, one in results["auto"][name].items()}
    return {stem: value for stem, value in off.items() if abs(value) > NEAR}


def page(results: dict) -> str:
    count = len(BUNDLED) + len(PACKAGED)
    lines = [
        "# Quality you ask for",
        "",
        "<!-- Written by bench/auto_quality.py. Changes made by hand are lost. -->",
        "",
        f"{count} photographs, {len(BUNDLED)} of `examples/photos` and {len(PACKAGED)} that scikit-image 0.25.2 brings along, printed with no "
        f"side over {SIDE} pixels at `quality = {FIXED}` and at `quality = \"auto\"`. The scores are SSIMULACRA2 by another "
        "implementation than minilab's own, `bench/ssimulacra2.py`, against the pixels that were encoded.",
        "",
        "## Is the target met?",
        "",
        f"| format | target | within {NEAR:.0f} points | furthest off | lowest | highest |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, prints in results["auto"].items():
        format, which = name.split("-")
        target = results["targets"][format][which]
        scores = [one["score"] for one in prints.values()]
        furthest = max((score - target for score in scores), key=abs)
        near = sum(abs(score - target) <= NEAR for score in scores)
        lines.append(f"| {format} | {target:g} | {near} of {count} | {furthest:+.1f} | {min(scores):.1f} | {max(scores):.1f} |")
    lines += [
        "",
        f"## What does it save beside quality {FIXED}?",
        "",
        f"One number gives every photograph another score. Whoever chooses {FIXED} is sure of the lowest of them and pays for "
        "all the others. `auto` is asked here for one point more than that lowest score, since it may miss by one.",
        "",
        f"| format | scores at {FIXED} | scores at auto | kB at {FIXED} | kB at auto | saved |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for format in FORMATS:
        fixed, auto = results["fixed"][format], results["auto"][f"{format}-equal"]
        before, after = total(fixed), total(auto)
        lines.append(
            f"| {format} | {spread(fixed)} | {spread(auto)} | {before / 1000:.0f} | {after / 1000:.0f} | {1 - after / before:.0%} |"
        )
    lines += [
        "",
        f"| photograph | {' | '.join(f'{format} {FIXED}: score, bytes | {format} auto: score, bytes' for format in FORMATS)} |",
        f"| --- |{' --: | --: |' * len(FORMATS)}",
    ]
    for stem in sorted(results["fixed"][FORMATS[0]]):
        cells = []
        for format in FORMATS:
            for one in (results["fixed"][format][stem], results["auto"][f"{format}-equal"][stem]):
                cells.append(f"{one['score']:.1f}, {one['bytes']}")
        lines.append(f"| {stem} | {' | '.join(cells)} |")
    command = "\n".join(line.removeprefix("    ") for line in __doc__.splitlines() if line.startswith("    "))
    lines += ["", f"Made by {results['version']} with", "", "```", command, "```", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minilab", type=Path, default=ROOT / "target" / "release" / "minilab")
    parser.add_argument("--photographs", type=Path, default=ROOT / ".tools" / "photographs" / "skimage" / "data")
    arguments = parser.parse_args()
    results = measure(arguments.minilab.resolve(), arguments.photographs)
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
