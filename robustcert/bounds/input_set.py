"""Where an exact verifier looks for counterexamples: a box, or a ball cut by a box.

Shapes: B subdomains, Q rows, D flattened input values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SetNorm = Literal["linf", "l2", "l1"]


@dataclass(frozen=True, kw_only=True)
class InputSet:
    """{x : lower <= x <= upper}, and for l2 and l1 also ||(x - centre) / scale|| <= epsilon; float64 (D,).

    A coordinate with scale 0 is fixed: lower = upper = centre there.
    """

    lower: Tensor
    upper: Tensor
    norm: SetNorm = "linf"
    centre: Tensor | None = None
    scale: Tensor | None = None
    epsilon: float = 0.0

    @classmethod
    def box(cls, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> InputSet:
        """The box between two flattened points."""
        return cls(lower=torch.tensor(lower, dtype=torch.float64), upper=torch.tensor(upper, dtype=torch.float64))

    @classmethod
    def ball(
        cls,
        norm: SetNorm,
        x: NDArray[np.float64],
        *,
        epsilon: float,
        scale: NDArray[np.float64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> InputSet:
        """The ball around x (all flattened to (D,)) within [lower, upper]; where the scale is 0, x stays."""
        reach = epsilon * scale
        low, high = np.minimum(x, np.maximum(x - reach, lower)), np.maximum(x, np.minimum(x + reach, upper))
        box = cls.box(np.where(scale > 0, low, x), np.where(scale > 0, high, x))
        if norm == "linf":
            return box
        centre, scales = (torch.tensor(values, dtype=torch.float64) for values in (x, scale))
        return cls(lower=box.lower, upper=box.upper, norm=norm, centre=centre, scale=scales, epsilon=epsilon)

    @property
    def complete(self) -> bool:
        """Whether linear programs describe it exactly."""
        return self.norm != "l2"

    def minimum(self, a_BQD: Tensor) -> Tensor:
        """A lower bound (B, Q) of a.x over the set; exact for a box, and for a ball that no limit cuts."""
        boxed_BQ = a_BQD.clamp(min=0) @ self.lower + a_BQD.clamp(max=0) @ self.upper
        if self.norm == "linf" or self.centre is None or self.scale is None:
            return boxed_BQ
        scaled_BQD = a_BQD * self.scale
        dual_BQ = scaled_BQD.norm(dim=-1) if self.norm == "l2" else scaled_BQD.abs().amax(dim=-1)
        return torch.maximum(boxed_BQ, a_BQD @ self.centre - self.epsilon * dual_BQ)

    def minimiser(self, a_BD: Tensor) -> Tensor:
        """Points (B, D) of the set where a.x is small: where a counterexample is looked for."""
        boxed_BD = torch.where(a_BD > 0, self.lower, self.upper)
        if self.norm == "linf" or self.centre is None or self.scale is None:
            return boxed_BD
        scaled_BD = a_BD * self.scale
        if self.norm == "l2":
            step_BD = -scaled_BD / scaled_BD.norm(dim=-1, keepdim=True).clamp(min=1e-300)
        else:
            largest_B = scaled_BD.abs().argmax(dim=-1, keepdim=True)
            step_BD = torch.zeros_like(a_BD).scatter(-1, largest_B, -scaled_BD.gather(-1, largest_B).sign())
        moved_BD = self.centre + self.epsilon * self.scale * step_BD
        return torch.minimum(torch.maximum(moved_BD, self.lower), self.upper)
