"""What is checked on the subject itself before any vote counts: without it the theorem is about another classifier.

Shapes: B = 256 rows of a batch, K classes, *shape of one sample. All three checks run on noisy copies of one sample.

1. What enters the model is x + sigma * scale * z in raw input units, to within half a step of the grid: noise of the
   declared unit, added before any normalisation, and not clipped.
2. The same batch gives the same logits again: no dropout, no hidden randomness.
3. A row's logits depend on neither its place in the batch nor the other rows: no batch statistics, no cross-row work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.errors import ModelError, ValidityError, expected
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.noise import Stream, standard_normals
from robustcert.smoothing.votes import (
    BATCH,
    GridNoise,
    count_votes,
    logits_of,
    noisy_inputs,
    refuse_training_mode,
)

LOGIT_TOLERANCE = 1e-5
FLOAT32_TOLERANCE = 2.0**-23


def probe(
    module: nn.Module,
    x_int: NDArray[np.integer],
    *,
    noise: GridNoise,
    sample_id: int,
    sigma: float,
    scale: NDArray[np.float64],
    n_classes: int,
) -> None:
    """ModelError when the model can't be certified, ValidityError when it is not given the declared noise.

    `scale` (*shape) is in input units per unit of `sigma`, 0 where nothing may change.
    """
    seen_B = _inputs_seen(module, x_int, noise=noise, sample_id=sample_id, n_classes=n_classes)
    _refuse_other_noise(seen_B, x_int, noise=noise, sample_id=sample_id, sigma=sigma, scale=scale)
    refuse_training_mode(module)
    with canonical_execution(), torch.inference_mode():
        x_B = torch.from_numpy(
            noisy_inputs(x_int, noise=noise, sample_id=sample_id, stream=Stream.SELECTION, first_draw=0, draws=BATCH)
        )
        logits_BK = logits_of(module, x_B, n_classes=n_classes)
        _refuse_randomness(logits_BK, logits_of(module, x_B, n_classes=n_classes))
        _refuse_batch_dependence(module, x_B, logits_BK)


def _inputs_seen(
    module: nn.Module, x_int: NDArray[np.integer], *, noise: GridNoise, sample_id: int, n_classes: int
) -> NDArray[np.float32]:
    """What the module is given when the votes of 256 draws are counted."""
    seen: list[Tensor] = []

    def see(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0].cpu())

    hook = module.register_forward_pre_hook(see)
    try:
        count_votes(
            module,
            x_int,
            noise=noise,
            sample_id=sample_id,
            stream=Stream.SELECTION,
            draws=BATCH,
            n_classes=n_classes,
        )
    finally:
        hook.remove()
    return seen[0].numpy()


def _refuse_other_noise(
    seen_B: NDArray[np.float32],
    x_int: NDArray[np.integer],
    *,
    noise: GridNoise,
    sample_id: int,
    sigma: float,
    scale: NDArray[np.float64],
) -> None:
    z_BD = standard_normals(
        noise.key0,
        sample_id=sample_id,
        stream=Stream.SELECTION,
        first_draw=0,
        draws=BATCH,
        coordinates=x_int.size,
    )
    real_B = x_int * noise.unit + sigma * scale * z_BD.reshape(BATCH, *x_int.shape)
    allowed_B = noise.unit / 2 * (1 + LOGIT_TOLERANCE) + FLOAT32_TOLERANCE * np.abs(real_B)
    excess = float((np.abs(seen_B - real_B) - allowed_B).max())
    if excess > 0:
        remedy = "report this: noise must be of the declared unit, enter before normalisation, and not be clipped"
        raise ValidityError(
            expected("inputs x + sigma * scale * z", got=f"a difference of {excess:g} more", remedy=remedy)
        )


def _refuse_randomness(first_BK: Tensor, second_BK: Tensor) -> None:
    if not torch.equal(first_BK.nan_to_num(), second_BK.nan_to_num()):
        remedy = "remove randomness, such as dropout that ignores eval mode, and state that is kept between calls"
        raise ModelError(expected("equal logits for an equal batch", got="other logits", remedy=remedy))


def _refuse_batch_dependence(module: nn.Module, x_B: Tensor, logits_BK: Tensor) -> None:
    """Each half of the batch again, in other places and next to zeros."""
    clear_BK = logits_BK.nan_to_num()
    for half in (slice(BATCH // 2), slice(BATCH // 2, BATCH)):
        moved_B = torch.cat([torch.zeros_like(x_B[half]), x_B[half].flip(0)])
        moved_BK = logits_of(module, moved_B, n_classes=logits_BK.shape[1]).nan_to_num()[BATCH // 2 :].flip(0)
        change = float((moved_BK - clear_BK[half]).abs().max())
        if change > LOGIT_TOLERANCE * (1 + float(clear_BK.abs().max())):
            remedy = "use batch norm in eval mode and no operation across the rows of a batch"
            raise ModelError(
                expected("logits of a row alone", got=f"a change of {change:g} with other rows", remedy=remedy)
            )
