"""Canonical execution: fixed padded batches on one thread, so that a sample's result depends on that sample alone.

Shapes: B batch, X the shape of one input, K classes. On one machine, logits differ in the last bits between batch sizes
but not between positions or neighbours within one batch size; hence blocks of FIXED_ROWS rows, zero-padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

FIXED_ROWS = 256


@contextmanager
def canonical_execution() -> Iterator[None]:
    """One thread within an operation and deterministic algorithms only; the settings found are put back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def logits_of(module: nn.Module, x_BX: Tensor) -> Tensor:
    """logits_BK of x_BX, read as float32, without gradients."""
    with torch.no_grad():
        (logits_BK,) = in_fixed_batches(lambda block_BX: (module(block_BX),), x_BX.float())
    return logits_BK


def predictions_of(module: nn.Module, x_BX: Tensor) -> Tensor:
    """Most likely class of each row, int64 (B,); the smaller index where two are equal."""
    return logits_of(module, x_BX).argmax(dim=1)


def in_fixed_batches(function: Callable[..., tuple[Tensor, ...]], *batches: Tensor) -> tuple[Tensor, ...]:
    """Results of `function`, row by row, over blocks of FIXED_ROWS rows of equally long tensors; the last is padded."""
    blocks = list(zip(*(torch.split(batch, FIXED_ROWS) for batch in batches), strict=True))
    results = [[part[: len(block[0])] for part in function(*map(_padded, block))] for block in blocks]
    return tuple(torch.cat(parts) for parts in zip(*results, strict=True))


def _padded(block: Tensor) -> Tensor:
    missing = FIXED_ROWS - len(block)
    return torch.cat([block, block.new_zeros(missing, *block.shape[1:])]) if missing else block
