"""Torch modules as classifiers of integer rows, for the exact certificates (splitting noise, ablation, flips).

Shapes: B = 256 rows of a batch, W integers a row, *shape of one model input, K classes. Canonical execution, as for
randomized smoothing: batches of 256 rows, the last one filled up with zeros, float32, and a vote whose two best logits
are closer than the fragile gap counts for no class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import ModelError, expected
from robustcert.smoothing.splitting_noise import FRAGILE, Classify

if TYPE_CHECKING:
    from torch import Tensor, nn


def torch_classifier(
    module: nn.Module, *, step: float | NDArray[np.float64], lower: float | NDArray[np.float64] = 0.0,
    shape: tuple[int, ...], n_classes: int,
) -> Classify:  # fmt: skip
    """Classes of rows (N, W) of integers: each becomes float32(lower + row * step), shaped (N, *shape), for `module`.

    `step` and `lower` are numbers or (W,), in the model's input units. Raises ModelError for a module in training mode.
    """
    import torch

    from robustcert.models.canonical_execution import canonical_execution
    from robustcert.smoothing.votes import BATCH, refuse_training_mode

    refuse_training_mode(module)

    def classify(rows_NW: NDArray[np.int64]) -> NDArray[np.int64]:
        votes = []
        with canonical_execution(), torch.inference_mode():
            for first in range(0, len(rows_NW), BATCH):
                part = rows_NW[first : first + BATCH]
                x_B = np.zeros((BATCH, *shape), dtype=np.float32)
                x_B[: len(part)] = (lower + part * step).reshape(len(part), *shape)
                votes.append(_votes(module, torch.from_numpy(x_B), n_classes=n_classes)[: len(part)])
        return np.concatenate(votes)

    return classify


def _votes(module: nn.Module, x_B: Tensor, *, n_classes: int) -> NDArray[np.int64]:
    """Class of each row (B,), FRAGILE where the two best logits are too close; NaN is, since no gap with it is wide."""
    import torch

    from robustcert.models.execution_device import device_of
    from robustcert.smoothing.votes import FRAGILE_GAP

    logits_BK = module(x_B.to(device_of(module))).cpu()
    if logits_BK.shape != (len(x_B), n_classes):
        remedy = "return one row of logits per input, one column per class"
        what = f"logits {(len(x_B), n_classes)}"
        raise ModelError(expected(what, got=tuple(logits_BK.shape), remedy=remedy))
    best_B2, class_B2 = logits_BK.topk(2, dim=1)
    clear_B = best_B2[:, 0] - best_B2[:, 1] >= FRAGILE_GAP
    return np.asarray(torch.where(clear_B, class_B2[:, 0], FRAGILE).numpy())
