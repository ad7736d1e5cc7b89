"""Are two contenders' files equally good? Dimensions, SSIMULACRA2, PSNR and SSIM against a lossless reference."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

import ssimulacra2
from contenders import Job

Image.MAX_IMAGE_PIXELS = 120_000_000

# Pictures of one job count as equally good when ours is at most this much
# worse, and its files at most this much larger, than a peer's. Where there are
# scores, these are what counts, and not PSNR and SSIM. A faster peer may not be
# this much larger either: it has another bargain of time and bytes.
PSNR_SLACK_DB = 0.5
SSIM_SLACK = 0.005
BYTES_SLACK = 1.03
SCORE_SLACK = 1.0
# From here on nobody sees a difference.
BEST_SCORE = 90.0


def enlarged(photo: Path, megapixels: int, folder: Path) -> Path:
    """The photograph in the largest size of its own aspect ratio of at most so many megapixels: a baseline JPEG."""
    with Image.open(photo) as picture:
        step = math.gcd(*picture.size)
        width, height = (side // step for side in picture.size)
        times = math.isqrt(megapixels * 1_000_000 // (width * height))
        path = folder / f"{megapixels}mp.jpg"
        large = picture.convert("RGB").resize((width * times, height * times), Image.Resampling.BICUBIC)
        large.save(path, "JPEG", quality=90)
    return path


def references(job: Job, source: Path) -> dict[int, Image.Image]:
    """What a job would give without an encoder: Pillow's Lanczos, or its box of cells."""
    picture = Image.open(io.BytesIO(source.read_bytes())).convert("RGB")
    if job.scored:
        return {
            width: picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
            for width in job.names
        }
    return {
        cells: picture.resize((cells, cells), Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.NEAREST)
        for cells in job.names
    }


def luma(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), dtype=np.float32)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; 99 for identical pictures."""
    error = float(np.mean((one - other) ** 2, dtype=np.float64))
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def _means(values: np.ndarray, side: int = 8) -> np.ndarray:
    sums = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    window = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return window / side**2


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004) with square windows of 8 pixels."""
    mean_one, mean_other = _means(one), _means(other)
    variance_one = _means(one * one) - mean_one**2
    variance_other = _means(other * other) - mean_other**2
    covariance = _means(one * other) - mean_one * mean_other
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = ((2 * mean_one * mean_other + c1) * (2 * covariance + c2)) / (
        (mean_one**2 + mean_other**2 + c1) * (variance_one + variance_other + c2)
    )
    return float(likeness.mean())


def measure(contender: str, job: Job, out: Path, wanted: dict[int, Image.Image]) -> dict[str, object]:
    """Of one contender's files: sizes, bytes, lowest score, PSNR and SSIM. Raises when one is missing or has another
    size. Pictures too small for a score have none."""
    files = []
    for name, reference in wanted.items():
        path = out / f"{name}.{job.extension}"
        if not path.is_file():
            raise ValueError(f"{contender}: {path.name} was not written")
        score = {}
        with Image.open(path) as picture:
            if picture.format != job.format or picture.size != reference.size:
                raise ValueError(
                    f"{contender}: {path.name} is a {picture.format} of {picture.size}, "
                    f"expected a {job.format} of {reference.size}"
                )
            one, other = luma(picture), luma(reference)
            if job.scored and min(reference.size) >= ssimulacra2.SMALLEST_SIDE:
                score["score"] = round(ssimulacra2.score(reference, picture), 2)
        files.append(
            {
                "width": reference.width,
                "height": reference.height,
                "bytes": path.stat().st_size,
                "psnr_db": round(psnr(one, other), 2),
                "ssim": round(ssim(one, other), 4),
                **score,
            }
        )
    scores = [file["score"] for file in files if "score" in file]
    return {
        "outputs": files,
        "bytes": sum(file["bytes"] for file in files),
        "psnr_db": min(file["psnr_db"] for file in files),
        "ssim": min(file["ssim"] for file in files),
        **({"score": min(scores)} if scores else {}),
    }


def inequality(ours: dict, theirs: dict) -> str:
    """Why our files may not be set against theirs, in words; empty when they may."""
    reasons = []
    if ours["bytes"] > theirs["bytes"] * BYTES_SLACK:
        reasons.append(f"our files are {ours['bytes'] / theirs['bytes'] - 1:.0%} larger")
    faster = theirs["wall_ms"]["median"] < ours["wall_ms"]["median"]
    if faster and theirs["bytes"] > ours["bytes"] * BYTES_SLACK:
        reasons.append(f"their files are {theirs['bytes'] / ours['bytes'] - 1:.0%} larger")
    pairs = list(zip(ours["outputs"], theirs["outputs"], strict=True))
    scored = [pair for pair in pairs if all("score" in file for file in pair)]
    if scored:
        loss = max(min(theirs["score"], BEST_SCORE) - ours["score"] for ours, theirs in scored)
        if loss > SCORE_SLACK:
            reasons.append(f"one of our files scores {loss:.1f} points less")
        pairs = [pair for pair in pairs if pair not in scored]
    if not pairs:
        return "; ".join(reasons)
    loss = max(theirs["psnr_db"] - ours["psnr_db"] for ours, theirs in pairs)
    if loss > PSNR_SLACK_DB:
        reasons.append(f"one of our files has {loss:.1f} dB less PSNR")
    loss = max(theirs["ssim"] - ours["ssim"] for ours, theirs in pairs)
    if loss > SSIM_SLACK:
        reasons.append(f"one of our files has {loss:.3f} less SSIM")
    return "; ".join(reasons)
