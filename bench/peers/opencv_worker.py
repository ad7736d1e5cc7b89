"""OpenCV, hand-tuned only: it has no documented way to make several sizes."""

import cv2
import numpy as np
from worker import CELLS, CELLS_QUALITY, WIDTHS, WIDTHS_QUALITY, serve


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def widths_tuned(source: bytes) -> dict[str, bytes]:
    """INTER_AREA, its filter for making pictures smaller, each print from the one before."""
    picture = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_COLOR)
    files = {}
    for width in WIDTHS:
        height = round(picture.shape[0] * width / picture.shape[1])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        files[f"{width}.jpg"] = jpeg(picture, WIDTHS_QUALITY)
    return files


def cells_tuned(source: bytes) -> dict[str, bytes]:
    """Decoded at one eighth; the mean of each cell. Decoding at one eighth gives the size rounded up."""
    data = np.frombuffer(source, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_8)
    full = (picture.shape[1] * 8, picture.shape[0] * 8)
    files = {}
    for n in CELLS:
        small = cv2.resize(picture, (n, n), interpolation=cv2.INTER_AREA)
        files[f"{n}.jpg"] = jpeg(cv2.resize(small, full, interpolation=cv2.INTER_NEAREST), CELLS_QUALITY)
    return files


serve({"widths-tuned": widths_tuned, "cells-tuned": cells_tuned})
