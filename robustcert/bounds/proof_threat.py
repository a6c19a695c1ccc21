"""The ball that a proof is about, in the forms that attacks, bounds and exact verifiers need; l1 included.

Shapes: B batch, X the shape of one input, D = flattened X. Membership of a witness is judged in float64 on the float32
point that the model is given, as `robustcert.attacks.budget` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from robustcert.attacks.ball import Ball
from robustcert.attacks.budget import legal, within
from robustcert.bounds.dense import Array
from robustcert.bounds.input_set import InputSet, SetNorm
from robustcert.data.dataset import Dataset
from robustcert.errors import InputError, expected
from robustcert.threat_model import ThreatModel, Unit

Float32 = NDArray[np.float32]
INWARD = 1 - 1e-7  # an l1 projection is pulled in by this, so that rounding to float32 keeps it inside


@dataclass(frozen=True, kw_only=True)
class ProofThreat:
    """`epsilon` as written, in `unit`; scale, lower, upper are float64 (*X) in input units; scale 0: fixed."""

    norm: SetNorm
    epsilon: str
    unit: Unit
    scale: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, dataset: Dataset, *, norm: SetNorm, epsilon: str, unit: Unit) -> ProofThreat:
        """The threat on a data set's inputs, within the ranges of its contract.

        Raises InputError for an epsilon that is no positive number, SpecificationError where nothing may be changed.
        """
        size = _positive(epsilon)
        ball = Ball.from_threat(_threat("linf", size, unit), dataset)
        scale, lower, upper = (values.numpy() for values in (ball.scale, ball.lower, ball.upper))
        return cls(norm=norm, epsilon=epsilon, unit=unit, scale=scale, lower=lower, upper=upper)

    @property
    def size(self) -> float:
        """Epsilon as a number."""
        return float(self.epsilon)

    def ball(self, norm: Literal["linf", "l2"] | None = None) -> Ball:
        """The ball for attacks; for l1 the l2 or linf ball around it, which the caller cuts."""
        scale, lower, upper = (torch.from_numpy(values) for values in (self.scale, self.lower, self.upper))
        chosen = norm or ("l2" if self.norm == "l1" else self.norm)
        return Ball(norm=chosen, epsilon=self.size, scale=scale, lower=lower, upper=upper)

    def input_set(self, x: Array) -> InputSet:
        """The set around one input (*X), flattened."""
        return InputSet.ball(
            self.norm,
            x.ravel(),
            epsilon=self.size,
            scale=self.scale.ravel(),
            lower=self.lower.ravel(),
            upper=self.upper.ravel(),
        )

    def contains(self, x_adv_BX: Float32, x_BX: Array) -> NDArray[np.bool_]:
        """Bool (B,): the float32 point lies in the ball and, where it moved, within the ranges."""
        if self.norm != "l1":
            return np.asarray(self.ball().contains(torch.from_numpy(x_adv_BX), torch.from_numpy(x_BX)).numpy())
        moved = np.where(x_adv_BX == x_BX.astype(np.float32), 0.0, np.abs(x_adv_BX.astype(np.float64) - x_BX))
        ratios = np.divide(moved, self.scale, out=np.where(moved > 0, np.inf, 0.0), where=self.scale > 0)
        total_B = ratios.reshape(len(ratios), -1).sum(axis=1)
        return within(total_B, self.size) & legal(x_adv_BX, x_BX, lower=self.lower, upper=self.upper)

    def projected(self, points_BX: Array, x_BX: Array) -> Float32:
        """Float32 points inside the ball near points_BX."""
        if self.norm != "l1":
            inside = self.ball().project(torch.from_numpy(points_BX), torch.from_numpy(x_BX))
            return np.asarray(inside.numpy(), np.float32)
        v_BX = np.divide(points_BX - x_BX, self.scale, out=np.zeros_like(points_BX), where=self.scale > 0)
        total_B = np.abs(v_BX).reshape(len(v_BX), -1).sum(axis=1)
        shrink_B = np.minimum(1.0, self.size * INWARD / np.maximum(total_B, 1e-300))
        moved_BX = x_BX + self.scale * v_BX * shrink_B.reshape(-1, *(1,) * (x_BX.ndim - 1))
        inside = self.ball("linf").project(torch.from_numpy(moved_BX), torch.from_numpy(x_BX))
        return np.asarray(inside.numpy(), np.float32)


def _threat(norm: Literal["linf", "l2"], epsilon: float, unit: Unit) -> ThreatModel:
    return ThreatModel(
        name="proof",
        norm=norm,
        epsilon=epsilon,
        unit=unit,
        bounds="contract",
        access="gradients",
        goal="untargeted",
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(expected("a positive epsilon", got=repr(text), remedy="write a number such as 0.1"))
    return value
