"""ThreatModel: what an attacker may do to one input, in raw input space, with a unit on every number.

Perturbations are measured before any preprocessing. With s the perturbation scale of each coordinate (1 for unit
`input`, 1/255 for `1/255`, the training split's standard deviation for `feature_std`, 0 where a feature may not be
changed), the ball of norm p and size epsilon around x is {x' : ||(x' - x) / s||_p <= epsilon, lower <= x' <= upper}.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robustcert.document import Name, Positive, WrittenPart

Norm = Literal["linf", "l2"]
Unit = Literal["input", "1/255", "feature_std"]
Access = Literal["gradients", "scores", "labels", "transfer"]
Goal = Literal["untargeted", "targeted"]

ACCESS_RANK: dict[Access, int] = {"transfer": 0, "labels": 1, "scores": 2, "gradients": 3}


class ThreatModel(WrittenPart):
    """One threat. No field has a default: a rate without its budget and unit says nothing.

    `epsilon` is in `unit`; `bounds` is `contract` (the range that the data contract allows) or [low, high] in input
    units; `access` is the most that an attack may use; `goal` is any wrong class, or one chosen class.
    """

    name: Name
    norm: Norm
    epsilon: Positive
    unit: Unit
    bounds: Literal["contract"] | Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]
    access: Access
    goal: Goal

    @model_validator(mode="after")
    def _bounds_ascend(self) -> ThreatModel:
        if self.bounds != "contract" and self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"expected bounds [low, high] with low < high, got {list(self.bounds)}; correct them")
        return self

    def allows(self, needed: Access) -> bool:
        """Whether an attack that needs `needed` may run under this threat."""
        return ACCESS_RANK[needed] <= ACCESS_RANK[self.access]
