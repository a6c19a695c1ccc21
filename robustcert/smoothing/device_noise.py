"""Noisy inputs where the model lies: the same integers as `robustcert.smoothing.noise`, on the CPU and on a GPU.

Shapes: R rows of any samples, D coordinates. On the CPU numpy makes the noise; on a GPU one kernel makes noise, sum and
input (robustcert/smoothing/triton_noise.py), or, without triton, plain torch operations. All three take the same
correctly rounded steps, so that they agree by construction; benchmarks/noise_agreement.py compares them.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robustcert.errors import InputError, expected
from robustcert.smoothing import torch_noise
from robustcert.smoothing.noise import (
    QUANTILES,
    WORDS_PER_BLOCK,
    Stream,
    refuse_counters,
    rows_of_noise,
)
from robustcert.smoothing.noise_kinds import NoiseName

NoisePath = Literal["numpy", "torch", "triton"]
TORCH_WORDS = 1 << 22  # made at a time by torch operations, which keep some twenty arrays of them


def noise_path(device: torch.device) -> NoisePath:
    """What makes the noise of batches on `device`, for the record of a run.

    >>> noise_path(torch.device("cpu"))
    'numpy'
    """
    if device.type != "cuda":
        return "numpy"
    return "triton" if find_spec("triton") is not None and _compiles() else "torch"


def noisy_batch(
    x_RD: Tensor,
    *,
    sample_ids_R: Tensor,
    draws_R: Tensor,
    key0: int,
    stream: Stream,
    steps_D: Tensor,
    unit_D: Tensor,
    kind: NoiseName = "gaussian",
    dtype: torch.dtype = torch.float32,
    path: NoisePath | None = None,
) -> Tensor:
    """float32((x + noise) * unit) as `dtype` (R, D) on x's device; row r: draw draws_R[r] of sample sample_ids_R[r].

    x_RD is int32, ids and draws int64, `steps_D` (deviation in grid steps, `noise.refuse_steps` allowing) and `unit_D`
    float64. Give ids and draws on the CPU: they are checked first, and on a GPU that would wait for it. Every path
    gives the same values; `path` chooses another one than `noise_path`. Raises InputError for draws beyond the counter.
    """
    _refuse_types(x_RD, sample_ids_R, draws_R, steps_D, unit_D, kind=kind)
    _refuse_rows(key0, sample_ids_R, draws_R, blocks=-(-x_RD.shape[1] // WORDS_PER_BLOCK))
    chosen = path or noise_path(x_RD.device)
    if chosen == "numpy":
        return _by_numpy(x_RD, sample_ids_R, draws_R, key0, stream, steps_D, unit_D, kind).to(x_RD.device, dtype)
    ids_R, numbers_R = (rows_R.to(x_RD.device, non_blocking=True) for rows_R in (sample_ids_R, draws_R))
    if chosen == "torch":
        return _by_torch(x_RD, ids_R, numbers_R, key0, stream, steps_D, unit_D, kind).to(dtype)
    from robustcert.smoothing import triton_noise

    return triton_noise.noisy_batch(
        x_RD,
        sample_ids_R=ids_R,
        draws_R=numbers_R,
        key0=key0,
        stream=int(stream),
        steps_D=steps_D,
        unit_D=unit_D,
        kind=kind,
        dtype=dtype,
    )


def _compiles() -> bool:
    """Whether there is what Triton needs to build the caller of its kernels: a C compiler, and Python's header."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return any(map(shutil.which, (os.environ.get("CC", "gcc"), "gcc", "clang"))) and header.is_file()


def _by_numpy(
    x_RD: Tensor,
    sample_ids_R: Tensor,
    draws_R: Tensor,
    key0: int,
    stream: Stream,
    steps_D: Tensor,
    unit_D: Tensor,
    kind: NoiseName,
) -> Tensor:
    noise_RD = rows_of_noise(
        key0,
        sample_ids_R=sample_ids_R.cpu().numpy(),
        draws_R=draws_R.cpu().numpy(),
        stream=stream,
        sigma_steps=steps_D.cpu().numpy(),
        kind=kind,
    )
    noise_RD += x_RD.cpu().numpy()
    return torch.from_numpy((noise_RD * unit_D.cpu().numpy()).astype(np.float32))


def _by_torch(
    x_RD: Tensor,
    sample_ids_R: Tensor,
    draws_R: Tensor,
    key0: int,
    stream: Stream,
    steps_D: Tensor,
    unit_D: Tensor,
    kind: NoiseName,
) -> Tensor:
    rows, width = x_RD.shape
    blocks = -(-width // WORDS_PER_BLOCK)
    noisy_RD = torch.empty(rows, width, dtype=torch.float32, device=x_RD.device)
    size = max(1, TORCH_WORDS // max(1, blocks * WORDS_PER_BLOCK))
    for start in range(0, rows, size):
        part = slice(start, start + size)
        words = torch_noise.words_of_rows(
            key0=key0, sample_ids_R=sample_ids_R[part], draws_R=draws_R[part], stream=int(stream), blocks=blocks
        )
        steps = torch.round(torch_noise.standard_noise(words[:, :width], kind=kind) * steps_D)
        noisy_RD[part] = (x_RD[part].double() + steps) * unit_D
    return noisy_RD


def _refuse_types(
    x_RD: Tensor, sample_ids_R: Tensor, draws_R: Tensor, steps_D: Tensor, unit_D: Tensor, *, kind: NoiseName
) -> None:
    wanted = (torch.int32, torch.int64, torch.int64, torch.float64, torch.float64)
    found = tuple(tensor.dtype for tensor in (x_RD, sample_ids_R, draws_R, steps_D, unit_D))
    if found != wanted:
        remedy = "convert x to int32, ids and draws to int64, steps and unit to float64"
        raise InputError(expected(f"types {wanted}", got=found, remedy=remedy))
    if kind not in QUANTILES:
        raise InputError(expected(f"noise of kind {', '.join(QUANTILES)}", got=repr(kind), remedy="choose one"))


def _refuse_rows(key0: int, sample_ids_R: Tensor, draws_R: Tensor, *, blocks: int) -> None:
    if not len(draws_R):
        return
    lowest, highest = (int(extreme) for extreme in draws_R.aminmax())
    for sample_id in (int(extreme) for extreme in sample_ids_R.aminmax()):
        refuse_counters(key0, sample_id=sample_id, first_block=lowest * blocks, blocks=(highest - lowest + 1) * blocks)
