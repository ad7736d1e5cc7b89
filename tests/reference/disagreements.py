"""Where a judge's print differs from minilab's for a reason of the judge's own, and the page that says so.

    .tools/venv/bin/python tests/reference/disagreements.py

writes docs/fidelity.md. A row that no longer holds fails test_fidelity.py.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

RESIZED = ("width 60", "48 × 48")
EVERY = ("same size", *RESIZED)
BOTH = ("Pillow", "sharp")


@dataclass(frozen=True)
class Disagreement:
    """One row: which sources (globs of their names), beside which judges, in which geometries, and why."""

    what: str
    patterns: tuple[str, ...]
    judges: tuple[str, ...]
    geometries: tuple[str, ...]
    reason: str
    # Shown by the test: minilab's print is nearer than the judge's to the picture that was encoded.
    nearer: bool = False

    def names(self, names: list[str]) -> list[str]:
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in self.patterns)]


KNOWN = [
    Disagreement(
        "JPEG with chroma of 4:1:1, not resized",
        ("jpeg-411-*.jpg",),
        BOTH,
        ("same size",),
        "libjpeg-turbo, in both judges, repeats each sample of the chroma four times; minilab enlarges it smoothly.",
        nearer=True,
    ),
    Disagreement(
        "JPEG of 4:2:0 with 9 to 17 pixels to a side",
        ("jpeg-1x17-420.jpg", "jpeg-17x1-420.jpg", "jpeg-15x17-420.jpg", "jpeg-16x16-420.jpg", "jpeg-33x9-420.jpg"),
        BOTH,
        EVERY,
        "The chroma is 5 to 9 samples high, and how it is enlarged is most of the picture: "
        "libjpeg-turbo, in both judges, uses a triangle, minilab Lanczos.",
        nearer=True,
    ),
    Disagreement(
        "CMYK without a profile",
        ("jpeg-cmyk.jpg", "jpeg-ycck.jpg", "tiff-cmyk.tif"),
        ("sharp",),
        EVERY,
        "sharp takes it for a printing profile that it brings along; minilab and Pillow use the plain formula.",
    ),
    Disagreement(
        "Grey PNG of 4 bits with a transparent grey",
        ("png-grey-4-key.png",),
        ("Pillow",),
        EVERY,
        "Pillow widens the samples to 8 bits but not the transparent grey, so nothing, or another grey, becomes transparent.",
    ),
    Disagreement(
        "PNG with gAMA, cHRM or cICP that is not sRGB",
        ("png-gamma-1.png", "png-gamma-1.8.png", "png-chrm-p3.png", "png-cicp-p3.png"),
        BOTH,
        EVERY,
        "Pillow and sharp ignore these chunks. minilab's prints are held against LittleCMS with a profile that says the same.",
    ),
    Disagreement(
        "AVIF of 4:2:0, not resized",
        ("avif-420.avif", "avif-orientation-1.avif", "avif-display-p3.avif"),
        ("sharp",),
        ("same size",),
        "libheif, in sharp, repeats each sample of the chroma; minilab enlarges it smoothly, as Pillow's libavif does.",
    ),
    Disagreement(
        "AVIF of 4:2:0 with 15 × 17 pixels",
        ("avif-15x17.avif",),
        ("sharp",),
        EVERY,
        "The same, on a picture of which the chroma is most.",
    ),
    Disagreement(
        "HEIC of 4:2:0, not resized",
        ("heic-420.heic", "heic-orientation-1.heic", "heic-alpha.heic", "heic-display-p3.heic", "heic-10-bits.heic"),
        ("Pillow",),
        ("same size",),
        "libheif, in pillow-heif, repeats each sample of the chroma; minilab enlarges it smoothly.",
    ),
    Disagreement(
        "HEIC of 4:2:0 with 15 × 17 pixels",
        ("heic-15x17.heic",),
        ("Pillow",),
        EVERY,
        "The same, on a picture of which the chroma is most.",
    ),
    Disagreement(
        "Black and white without greys, resized",
        ("tiff-one-bit.tif",),
        ("sharp",),
        RESIZED,
        "Lanczos overshoots at every edge. minilab cuts off once both passes are done, sharp and Pillow between them too.",
    ),
    Disagreement(
        "The same, resized and cropped",
        ("tiff-one-bit.tif", "bmp-1.bmp"),
        ("Pillow",),
        ("48 × 48",),
        "The same.",
    ),
    Disagreement(
        "HEIC, JPEG XL, BMP, ICO and QOI",
        ("*.heic", "*.jxl", "*.bmp", "*.ico", "*.qoi"),
        ("sharp",),
        EVERY,
        "sharp's own build of libvips does not read them.",
    ),
    Disagreement("SVG", ("*.svg",), ("Pillow",), EVERY, "Pillow does not read it."),
]


def of(judge: str, name: str) -> dict[str, Disagreement]:
    """By geometry, the rows in which this judge is known to differ about this source."""
    rows = [row for row in KNOWN if judge in row.judges and row.names([name])]
    return {geometry: row for row in rows for geometry in row.geometries}


HEAD = """# Fidelity

<!-- Rendered from the code: change tests/reference/disagreements.py, then run
     .tools/venv/bin/python tests/reference/disagreements.py -->

`make test` makes {sources} small pictures of every kind that minilab reads and holds the prints against two judges
that share no code with it: Pillow with LittleCMS, and sharp with libvips. Each picture is printed in its own size,
60 pixels wide, and as a square of 48.

- The size is exactly the judge's, and every corner is where the orientation puts it.
- The pixels are within 40 dB (PSNR), or an SSIM of 0.99.
- Where a picture has a profile, or says its colours otherwise, the mean of each channel is within 0.6 of 255 of the judge's.
- JPEG and WebP prints of quality 90 lose no more than Pillow's of the same quality, or stay above 40 dB.

Where a judge differs for a reason of its own, the row stands here; a row that no longer holds fails the test.

| picture | beside | in | why |
|---|---|---|---|
"""


def page() -> str:
    import corpus

    rows = []
    for row in KNOWN:
        reason = row.reason + (" Its print is nearer to the picture that was encoded." if row.nearer else "")
        where = "every geometry" if row.geometries == EVERY else ", ".join(row.geometries)
        rows.append(f"| {row.what} | {' and '.join(row.judges)} | {where} | {reason} |\n")
    return HEAD.format(sources=len(corpus.PRINTED)) + "".join(rows)


if __name__ == "__main__":
    (Path(__file__).resolve().parents[2] / "docs" / "fidelity.md").write_text(page(), encoding="utf-8")
