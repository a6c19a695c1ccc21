"""PNG pictures as data URIs, small enough for one page: a sample, and the difference between two of them.

Shapes: (C, H, W) float64, in input units. One channel is drawn grey, three as RGB, any other number as their mean.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Float64 = NDArray[np.float64]

LONGEST_SIDE = 80
MIDDLE_GREY = 127.5
FACTORS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)


def picture(x_CHW: Float64, *, lower: float, upper: float) -> str:
    """The sample as a PNG data URI, `lower` black and `upper` white."""
    return _data_uri((x_CHW - lower) / (upper - lower) * 255)


def difference(clean_CHW: Float64, perturbed_CHW: Float64, *, lower: float, upper: float, factor: int) -> str:
    """The change times `factor` as a PNG data URI: middle grey is none, lighter is more, darker is less."""
    change_CHW = (perturbed_CHW - clean_CHW) / (upper - lower)
    return _data_uri(MIDDLE_GREY + change_CHW * factor * MIDDLE_GREY)


def amplification(largest_change: float) -> int:
    """The largest round factor at which a change, as a share of the range, is not cut off.

    >>> amplification(0.1), amplification(0.0), amplification(1.0)
    (10, 500, 1)
    """
    return max(factor for factor in FACTORS if factor == 1 or factor * largest_change <= 1 + 1e-6)


def is_reduced(shape: tuple[int, ...]) -> bool:
    """Whether pictures of this shape (C, H, W) are drawn smaller than they are."""
    return max(shape[1:]) > LONGEST_SIDE


def _data_uri(levels_CHW: Float64) -> str:
    levels = np.clip(np.rint(levels_CHW), 0, 255).astype(np.uint8)
    drawn = Image.fromarray(np.moveaxis(levels, 0, -1)) if len(levels) == 3 else Image.fromarray(_grey(levels))
    drawn.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    drawn.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _grey(levels_CHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey_HW: NDArray[np.uint8] = np.rint(levels_CHW.mean(axis=0)).astype(np.uint8)
    return grey_HW
