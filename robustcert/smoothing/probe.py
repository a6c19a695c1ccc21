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
from robustcert.models.precision import Precision
from robustcert.smoothing.noise import Stream, standard_noise
from robustcert.smoothing.rounds import Draws
from robustcert.smoothing.tallies import Piece
from robustcert.smoothing.votes import BATCH, GridNoise, VoteCounter, refuse_training_mode

LOGIT_TOLERANCE = 1e-5
FLOAT32_TOLERANCE = 2.0**-23
PROBED = Piece(stream=Stream.SELECTION, first=0, draws=BATCH)


def probe(
    module: nn.Module,
    x_int: NDArray[np.integer],
    *,
    noise: GridNoise,
    sample_id: int,
    sigma: float,
    scale: NDArray[np.float64],
    n_classes: int,
    precision: Precision = "float32",
) -> None:
    """ModelError when the model can't be certified, ValidityError when it is not given the declared noise.

    `scale` (*shape) is in input units per unit of `sigma`, 0 where nothing may change.
    """
    counter = VoteCounter(module, x_int[None], noise=noise, n_classes=n_classes, precision=precision)
    probe_votes(counter, Draws(place=0, sample_id=sample_id, piece=PROBED), sigma=sigma, scale=scale)


def probe_votes(counter: VoteCounter, drawn: Draws, *, sigma: float, scale: NDArray[np.float64]) -> None:
    """The same for a counter that is about to be used; `drawn` are a whole batch of one of its samples."""
    x_B = _inputs_seen(counter, drawn)
    _refuse_other_noise(x_B.numpy(), counter, drawn, sigma=sigma, scale=scale)
    refuse_training_mode(counter.module)
    with canonical_execution(), torch.inference_mode():
        logits_BK = counter.logits(x_B)
        _refuse_randomness(logits_BK, counter.logits(x_B))
        _refuse_batch_dependence(counter, x_B, logits_BK)


def _inputs_seen(counter: VoteCounter, drawn: Draws) -> Tensor:
    """What the module is given when the votes are counted."""
    seen: list[Tensor] = []

    def see(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0].cpu().clone())

    hook = counter.module.register_forward_pre_hook(see)
    try:
        with canonical_execution(), torch.inference_mode():
            counter.count([drawn])
    finally:
        hook.remove()
    return seen[0]


def _refuse_other_noise(
    seen_B: NDArray[np.float32], counter: VoteCounter, drawn: Draws, *, sigma: float, scale: NDArray[np.float64]
) -> None:
    noise, x_int = counter.noise, counter.sample(drawn.place)
    z_BD = standard_noise(
        noise.kind,
        noise.key0,
        sample_id=drawn.sample_id,
        stream=drawn.piece.stream,
        first_draw=drawn.piece.first,
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


def _refuse_batch_dependence(counter: VoteCounter, x_B: Tensor, logits_BK: Tensor) -> None:
    """Each half of the batch again, in other places and next to zeros."""
    clear_BK = logits_BK.nan_to_num()
    for half in (slice(BATCH // 2), slice(BATCH // 2, BATCH)):
        moved_B = torch.cat([torch.zeros_like(x_B[half]), x_B[half].flip(0)])
        moved_BK = counter.logits(moved_B).nan_to_num()[BATCH // 2 :].flip(0)
        change = float((moved_BK - clear_BK[half]).abs().max())
        if change > LOGIT_TOLERANCE * (1 + float(clear_BK.abs().max())):
            remedy = "use batch norm in eval mode and no operation across the rows of a batch"
            raise ModelError(
                expected("logits of a row alone", got=f"a change of {change:g} with other rows", remedy=remedy)
            )
