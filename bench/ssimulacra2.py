"""SSIMULACRA2, the perceptual score that files of different formats are compared by.

100 is identical, 90 cannot be told apart, 70 is high and 50 medium quality.
Written after the definition (<https://github.com/cloudinary/ssimulacra2>, whose
weights and constants these are), on NumPy alone and apart from the scorer that
minilab itself uses. tests/reference/test_ssimulacra2.py holds it against scores
of the original program.
"""

import numpy as np
from PIL import Image

SCALES = 6
# Below this on a side the picture runs out before the scales do, and the
# weights, which were fitted to six, mean something else.
SMALLEST_SIDE = 8 << (SCALES - 1)

# A row for each of X, Y and B at each scale: SSIM, ringing and lost detail, of
# the mean and then of the fourth root of the mean fourth power.
WEIGHTS = np.array(
    [
        [0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0],
        [0.0, 0.0004371155730107379, 0.0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752],
        [0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0],
        [0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0],
        [0.0007289346991508072, 0.9677937080626833, 0.0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053],
        [0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0],
        [0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262],
        [0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264],
        [225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985],
        [176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408],
        [0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0],
        [0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0],
        [95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379],
        [0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537],
    ]
)

# Cone responses of linear RGB (JPEG XL's opsin absorbance, ISO/IEC 18181-1).
ABSORBANCE = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
    ],
    dtype=np.float32,
)
BIAS = np.float32(0.0037930732552754493)
C2 = np.float32(0.0009)


def _kernel(sigma: float = 1.5) -> np.ndarray:
    """The Gaussian as three truncated cosines, by which the original blurs it
    (Charalampidis 2016; equations in brackets)."""
    radius = round(3.2795 * sigma + 0.2546)  # (57)
    odd = np.array([1, 3, 5])
    omega = odd * np.pi / (2 * radius)
    p = np.array([1, -1, 1]) / np.tan(omega / 2)  # (37)
    r = np.array([1, -1, 1]) * p**2 / np.sin(omega)  # (44)
    rho = np.exp(-(sigma**2) * omega**2 / 2) / radius  # (50)
    d13, d35, d51 = p[0] * r[1] - r[0] * p[1], p[1] * r[2] - r[1] * p[2], p[2] * r[0] - r[2] * p[0]
    zeta = np.array([d35 / d13, d51 / d13, 1.0])  # (52)
    beta = np.linalg.solve(np.stack([p, r, zeta]), [1.0, radius**2 - sigma**2, zeta @ rho])  # (53), (55), (56)
    return (beta @ np.cos(omega[:, None] * np.arange(1 - radius, radius))).astype(np.float32)


KERNEL = _kernel()


def _blur(planes: np.ndarray) -> np.ndarray:
    """Blurred along both axes; outside the picture is 0."""
    for axis in (1, 2):
        side, reach = planes.shape[axis], len(KERNEL) // 2
        padded = np.pad(planes, [(reach, reach) if each == axis else (0, 0) for each in range(3)])
        planes = sum(weight * padded.take(range(at, at + side), axis) for at, weight in enumerate(KERNEL))
    return planes


def _linear(picture: Image.Image) -> np.ndarray:
    """Light of the sRGB samples, as three planes of 0–1."""
    samples = np.arange(256) / 255
    light = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return light[np.moveaxis(np.asarray(picture.convert("RGB")), 2, 0)]


def _halved(planes: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 pixels, the last ones of an odd side counted twice."""
    planes = np.pad(planes, ((0, 0), (0, planes.shape[1] % 2), (0, planes.shape[2] % 2)), mode="edge")
    return (planes[:, ::2, ::2] + planes[:, 1::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, 1::2]) / 4


def _xyb(light: np.ndarray) -> np.ndarray:
    """XYB, moved and stretched to about 0–1."""
    long, middle, short = np.cbrt(np.maximum(np.tensordot(ABSORBANCE, light, 1) + BIAS, 0)) - np.cbrt(BIAS)
    x, y = (long - middle) / 2, (long + middle) / 2
    return np.stack([x * 14 + np.float32(0.42), y + np.float32(0.01), short - y + np.float32(0.55)])


def _pooled(values: np.ndarray) -> np.ndarray:
    """Of each plane the mean, and the fourth root of the mean fourth power."""
    values = values.astype(np.float64)
    return np.stack([values.mean((1, 2)), ((values**2) ** 2).mean((1, 2)) ** 0.25], axis=1)


def _errors(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of one scale: for each plane the six figures of a row of the weights."""
    mean_one, mean_other = _blur(one), _blur(other)
    covariance = _blur(one * other) - mean_one * mean_other
    variances = (_blur(one * one) - mean_one**2) + (_blur(other * other) - mean_other**2)
    ssim = 1 - (1 - (mean_one - mean_other) ** 2) * (2 * covariance + C2) / (variances + C2)
    edges = (1 + np.abs(other - mean_other)) / (1 + np.abs(one - mean_one)) - 1
    maps = (np.maximum(ssim, 0), np.maximum(edges, 0), np.maximum(-edges, 0))
    return np.stack([_pooled(each) for each in maps], axis=2).reshape(3, 6)


def score(reference: Image.Image, picture: Image.Image) -> float:
    """How much `picture` looks like `reference`: at most 100. Both are taken as sRGB and opaque."""
    if reference.size != picture.size:
        raise ValueError(f"pictures of {reference.size} and {picture.size} cannot be compared")
    light = [_linear(reference), _linear(picture)]
    scales = []
    for scale in range(SCALES):
        if min(light[0].shape[1:]) < 8:
            break
        if scale > 0:
            light = [_halved(each) for each in light]
        scales.append(_errors(*map(_xyb, light)))
    # Of a small picture the original takes the rows in this order too.
    rows = np.stack(scales, axis=1).reshape(-1, 6)
    error = 0.9562382616834844 * float((rows * WEIGHTS[: len(rows)]).sum())
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100.0 - 10.0 * error**0.6276336467831387 if error > 0 else 100.0
