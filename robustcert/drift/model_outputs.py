"""What the certified model makes of inputs: embedding, predicted class, margin, probabilities.

Shapes: N rows, X the shape of one input, K classes, E width of the embedding. The embedding is what enters the model's
last linear layer; the logits where it has none (some ONNX graphs). Rows are answered in fixed padded batches on the
CPU, as they were when they were certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.attacks.fixed_batches import in_fixed_batches, logits_of
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.model import LoadedModel

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ModelOutputs:
    """probabilities (N, K), margins (N,): float64; predictions (N,): int64.

    A margin is the largest logit less the second largest.
    """

    probabilities: Float64
    margins: Float64
    predictions: NDArray[np.int64]

    @property
    def confidences(self) -> Float64:
        """Probability of the predicted class, (N,)."""
        return np.asarray(self.probabilities.max(axis=1))

    def __len__(self) -> int:
        return len(self.predictions)


def model_outputs(model: LoadedModel, x_NX: Float64) -> ModelOutputs:
    """The certified model's answers to inputs in input units."""
    with canonical_execution():
        logits_NK = logits_of(model.module, torch.from_numpy(x_NX)).double()
    top_N2 = logits_NK.topk(2, dim=1).values
    return ModelOutputs(
        probabilities=logits_NK.softmax(dim=1).numpy(),
        margins=(top_N2[:, 0] - top_N2[:, 1]).numpy(),
        predictions=logits_NK.argmax(dim=1).numpy(),
    )


def embedding_of(model: LoadedModel, x_NX: Float64) -> Float64:
    """What enters the model's last linear layer for each input, (N, E); its logits where there is no such layer."""
    last = _last_linear(model.module)
    with canonical_execution(), torch.no_grad():
        (embedding_NE,) = in_fixed_batches(
            lambda block_BX: (_entering(model.module, last, block_BX),), torch.from_numpy(x_NX).float()
        )
    found: Float64 = embedding_NE.double().numpy()
    return found


def _last_linear(module: nn.Module) -> nn.Linear | None:
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers else None


def _entering(module: nn.Module, last: nn.Linear | None, block_BX: Tensor) -> Tensor:
    if last is None:
        logits_BK: Tensor = module(block_BX)
        return logits_BK
    entered: list[Tensor] = []
    handle = last.register_forward_pre_hook(lambda _layer, inputs: entered.append(inputs[0]))
    try:
        logits_BK = module(block_BX)
    finally:
        handle.remove()
    return entered[-1].reshape(len(block_BX), -1) if entered else logits_BK
