"""Where an attack starts: random points of the unit ball, keyed by (seed, sample id, restart).

Shapes: B batch, D coordinates of one input, X its shape. Words come from Philox4x64-10 (Salmon et al. 2011) under key
(key of the seed, sample id) and a counter that holds the restart, so a sample starts from the same point in any batch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Philox
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from robustcert.attacks.ball import Ball

DOMAIN = b"robustcert-attack-v1\0"


def random_starts(ball: Ball, *, sample_ids: Sequence[int], restart: int, seed: int) -> Tensor:
    """Float64 v_BX on the CPU, uniform in the ball of radius ball.epsilon; coordinates with scale 0 stay 0.

    linf: uniform in each coordinate. l2: a normal direction at radius epsilon * u^(1/D), D coordinates may move.
    """
    movable = (ball.scale > 0).cpu().numpy()
    draw = _in_cube if ball.norm == "linf" else _in_sphere
    v_BX = np.zeros((len(sample_ids), *movable.shape))
    for row, sample_id in enumerate(sample_ids):
        v_BX[row][movable] = draw(_stream(seed, sample_id, restart), int(movable.sum()))
    return ball.epsilon * torch.from_numpy(v_BX)


def key_of(seed: int) -> int:
    """First key word of the attack streams: the first 8 bytes of SHA-256 over domain and seed, little-endian."""
    return int.from_bytes(hashlib.sha256(DOMAIN + str(seed).encode()).digest()[:8], "little")


def _stream(seed: int, sample_id: int, restart: int) -> Philox:
    return Philox(key=np.array([key_of(seed), sample_id], np.uint64), counter=np.array([0, restart, 0, 0], np.uint64))


def _uniforms(stream: Philox, count: int) -> NDArray[np.float64]:
    words = stream.random_raw(count)
    return np.asarray(((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _in_cube(stream: Philox, count: int) -> NDArray[np.float64]:
    return 2 * _uniforms(stream, count) - 1


def _in_sphere(stream: Philox, count: int) -> NDArray[np.float64]:
    uniforms = _uniforms(stream, count + 1)
    direction = ndtri(uniforms[:-1])
    radius = uniforms[-1] ** (1 / count)
    scaled: NDArray[np.float64] = direction * (radius / math.sqrt(float(direction @ direction)))
    return scaled
