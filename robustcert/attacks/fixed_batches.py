"""Fixed padded batches, so that a sample's result depends on that sample alone.

Shapes: B batch, X the shape of one input, K classes. On one machine, logits differ in the last bits between batch sizes
but not between positions or neighbours within one batch size; hence blocks of FIXED_ROWS rows, zero-padded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustcert.models.execution_device import device_of

FIXED_ROWS = 256


def logits_of(module: nn.Module, x_BX: Tensor) -> Tensor:
    """logits_BK of x_BX, read as float32, without gradients; computed where the module lies, brought back to x_BX."""
    device = device_of(module)
    with torch.no_grad():
        (logits_BK,) = in_fixed_batches(lambda block_BX: (module(block_BX.to(device)).to(x_BX.device),), x_BX.float())
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
