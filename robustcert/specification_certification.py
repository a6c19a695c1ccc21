"""The certified half of a specification: noise, radii, and how many votes may be drawn by which method.

Options that came after robustcert/v1 are absent by default; an absent one has the meaning that certificates issued
before it had: Gaussian noise, a selected candidate, one bound, n votes for every sample, float32.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from pydantic import Field, ValidationInfo, field_validator, model_validator

from robustcert.document import Positive, WrittenPart
from robustcert.errors import expected
from robustcert.threat_model import Unit

Radius = Annotated[float, Field(ge=0)]


class Meant(TypedDict):
    """What an absent option means."""

    method: Literal["fixed-n"]
    noise: Literal["gaussian"]
    candidate: Literal["selected"]
    bounds: Literal[1]
    beta: float
    tolerance: float
    precision: Literal["float32"]


WHEN_ABSENT: Final[Meant] = {
    "method": "fixed-n",
    "noise": "gaussian",
    "candidate": "selected",
    "bounds": 1,
    "beta": 0.01,
    "tolerance": 0.05,
    "precision": "float32",
}
NO_EFFECT = "remove it: it has no effect"


class Certification(WrittenPart):
    """Randomized smoothing, `sigma` and `radii` in `unit`: against l2 perturbations with Gaussian noise, else l1.

    `n0` noisy votes select the candidate class, others bound its probability at failure probability `alpha`: `n` of
    them with method fixed-n (Cohen et al. 2019), at most `n` with the others.
    """

    sigma: Positive = Field(description="standard deviation of the smoothing noise, in unit")
    unit: Unit = Field(description="unit of sigma and radii: input, 1/255 (images) or feature_std (tables)")
    radii: tuple[Radius, ...] = Field(
        min_length=1, max_length=32, description="radii of the curve, in unit, ascending: l2, or l1 with other noise"
    )
    n0: int = Field(default=100, gt=0, le=10_000, description="noisy votes that select the candidate class")
    n: int = Field(default=10_000, ge=100, le=10_000_000, description="noisy votes that bound its probability, at most")
    alpha: float = Field(
        default=0.001, gt=0, lt=0.5, description="probability that one sample's radius is too large, at most"
    )
    samples: int | None = Field(
        default=None, gt=0, description="how many test samples to certify; all of them when left out", examples=[200]
    )
    method: Literal["fixed-n", "group-sequential", "adaptive-pilot"] | None = Field(
        default=None,
        description="fixed-n (when left out), group-sequential (stops once radii are decided) or adaptive-pilot",
        examples=["group-sequential"],
    )
    noise: Literal["gaussian", "uniform", "laplace"] | None = Field(
        default=None, description="gaussian (l2; when left out), uniform or laplace (l1)", examples=["gaussian"]
    )
    candidate: Literal["selected", "label", "most-voted"] | None = Field(
        default=None,
        description="selected (by n0 votes of their own; when left out), label, or, with fixed-n only, most-voted",
        examples=["selected"],
    )
    bounds: Literal[1, 2] | None = Field(
        default=None,
        description="1 (the candidate's; when left out) or 2 (the runner-up's too; not with group-sequential)",
        examples=[1],
    )
    beta: Annotated[float, Field(gt=0, lt=0.5)] | None = Field(
        default=None,
        description="group-sequential: probability of giving up a radius that could be certified, at most",
        examples=[0.01],
    )
    tolerance: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="adaptive-pilot: share of the radius that n votes would give that may be lost",
        examples=[0.05],
    )
    precision: Literal["float32", "bfloat16"] | None = Field(
        default=None,
        description="arithmetic of the model that votes, in serving too: float32 (when left out) or bfloat16",
        examples=["float32"],
    )

    @model_validator(mode="after")
    def _ascending(self) -> Certification:
        if list(self.radii) != sorted(set(self.radii)):
            remedy = "sort them and drop repetitions"
            raise ValueError(expected("ascending radii", got=str(list(self.radii)), remedy=remedy))
        return self

    @field_validator("candidate")
    @classmethod
    def _selects_on_its_own_votes(cls, candidate: str | None, info: ValidationInfo) -> str | None:
        """Selecting on the votes that are bounded holds at alpha / 2 for one fixed n, and for nothing else."""
        if candidate == "most-voted" and _method(info) != "fixed-n":
            raise ValueError(expected("most-voted only with fixed-n", got=_method(info), remedy="take selected"))
        return candidate

    @field_validator("bounds")
    @classmethod
    def _has_a_second_bound(cls, bounds: int | None, info: ValidationInfo) -> int | None:
        if bounds == 2:
            _require_second_bound(_method(info), info.data.get("noise"), info.data.get("candidate"))
        return bounds

    @field_validator("beta", "tolerance")
    @classmethod
    def _belongs_to_the_method(cls, value: float | None, info: ValidationInfo) -> float | None:
        owner = {"beta": "group-sequential", "tolerance": "adaptive-pilot"}[str(info.field_name)]
        if value is not None and _method(info) != owner:
            what = f"'{info.field_name}' only with method {owner}"
            raise ValueError(expected(what, got=_method(info), remedy=NO_EFFECT))
        return value


def _method(info: ValidationInfo) -> str:
    return str(info.data.get("method") or WHEN_ABSENT["method"])


def _require_second_bound(method: str, noise: str | None, candidate: str | None) -> None:
    """Two bounds share alpha: no plan tests both, no l1 radius follows from both, no candidate may come from them."""
    broken = (
        ("a method with radii of its own", method == "group-sequential", method),
        ("gaussian noise", noise not in (None, "gaussian"), noise),
        ("a candidate of other votes", candidate == "most-voted", "most-voted"),
    )
    for what, found, got in broken:
        if found:
            raise ValueError(expected(f"2 bounds only with {what}", got=got, remedy="take 1 bound"))
