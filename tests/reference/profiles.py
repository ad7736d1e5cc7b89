"""Colour profiles made byte by byte from published numbers, so that no test rests on a file of somebody else's."""

import struct

import numpy as np

D65, D50_XY = (0.31271, 0.32902), (0.34567, 0.35850)
# The white of the profile connection space (ICC.1:2001-04).
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# Primaries (x, y), the tone curve ("sRGB" or an exponent) and the white (x, y).
SPACES = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), "sRGB", D65),
    "Adobe RGB (1998)": (((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)), 563 / 256, D65),
}
_BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
OTHERS = {
    "ProPhoto RGB": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), 461 / 256, D50_XY),
    "linear": (_BT709, 1.0, D65),
    "gamma 1.8": (_BT709, 1.8, D65),
}


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def profile(name: str) -> bytes:
    """A matrix profile of ICC version 2 for a space of `SPACES` or `OTHERS`."""
    primaries, gamma, white = (SPACES | OTHERS)[name]
    white = xyz(*white)
    columns = np.column_stack([xyz(*point) for point in primaries])
    to_xyz = columns * np.linalg.solve(columns, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    matrix = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ to_xyz
    curve = _curve(gamma)
    colorants = {b"rXYZ": matrix[:, 0], b"gXYZ": matrix[:, 1], b"bXYZ": matrix[:, 2]}
    tags = {tag: _xyz(column) for tag, column in colorants.items()}
    return _assembled(name, b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey(gamma: float) -> bytes:
    """A profile for grey pictures with this exponent."""
    return _assembled("Grey", b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk() -> bytes:
    """A printer that does not exist: a table of 5 × 5 × 5 × 5 inks to CIELAB, with a greenish cyan and a brown black.

    So far from the plain formula that a picture read without it is plainly another.
    """
    c, m, y, k = np.meshgrid(*[np.linspace(0, 1, 5)] * 4, indexing="ij")
    light = np.stack([1 - c * np.array(0.9), 1 - 0.8 * m - 0.1 * c, 1 - 0.9 * y - 0.2 * m], axis=-1)
    light = np.clip(light, 0.02, 1) * (1 - k[..., None] * np.array([0.90, 0.94, 0.97]))
    linear = light**2.2
    srgb_to_d50 = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])
    relative = linear @ srgb_to_d50.T / D50
    f = np.where(relative > 216 / 24389, np.cbrt(relative), (relative * 24389 / 27 + 16) / 116)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    # The encoding of version 2 (ICC.1:2001-04, 6.3.4): L 100 is FF00, a and b 0 are 8000.
    coded = np.stack([lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], axis=-1)
    table = np.clip(np.round(coded), 0, 65535).astype(">u2").tobytes()
    straight = struct.pack(">HH", 0, 65535)
    identity = b"".join(struct.pack(">i", round(v * 65536)) for v in np.eye(3).ravel())
    lut = b"mft2\0\0\0\0" + bytes([4, 3, 5, 0]) + identity + struct.pack(">HH", 2, 2) + straight * 4 + table + straight * 3
    return _assembled("Inks", b"prtr", b"CMYK", b"Lab ", dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), lut))


def _curve(gamma: str | float) -> bytes:
    if gamma == "sRGB":
        codes = np.linspace(0, 1, 1024)
        linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
        return b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(linear * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _fixed(values: np.ndarray) -> bytes:
    return b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _assembled(name: str, kind: bytes, colours: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    ascii_name = name.encode("ascii") + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(ascii_name)) + ascii_name + bytes(78),
        b"cprt": b"text\0\0\0\0No copyright, made for a test\0",
        b"wtpt": _xyz(D50),
    } | tags
    table, body, start, placed = b"", b"", 128 + 4 + 12 * len(tags), {}
    for tag, data in tags.items():
        if data not in placed:
            placed[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", placed[data], len(data))
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, kind, colours, connection)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
