"""What an attacker may reach: {x' : ||(x' - x) / s||_p <= epsilon, lower <= x' <= upper}, in raw input space.

Shapes: B batch, X the shape of one input. `s` is the perturbation scale of each coordinate, 0 where it is fixed.
Attacks search in float32, as the model sees its input; membership is judged in float64. Both agree because every
float32 limit is rounded toward x: no point that a Region returns lies outside its ball.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robustcert.attacks.budget import distances, legal, within
from robustcert.data.dataset import Dataset
from robustcert.errors import SpecificationError, expected
from robustcert.threat_model import Norm, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Ball:
    """The ball of one threat: `scale`, `lower`, `upper` are float64 (*X), `epsilon` is in units of scale."""

    norm: Norm
    epsilon: float
    scale: Tensor
    lower: Tensor
    upper: Tensor

    @classmethod
    def from_threat(cls, threat: ThreatModel, dataset: Dataset, *, epsilon: float | None = None) -> Ball:
        """Ball of `threat` on the data set's inputs, with another `epsilon` (units of scale) where given.

        Raises SpecificationError when no coordinate may move, or a sample lies outside the threat's own bounds.
        """
        ball = cls(
            norm=threat.norm,
            epsilon=threat.epsilon if epsilon is None else epsilon,
            scale=torch.from_numpy(dataset.perturbation_scale(threat.unit)),
            lower=_bound(threat, dataset, side=0),
            upper=_bound(threat, dataset, side=1),
        )
        _require_movable(threat, ball)
        _require_inside(threat, ball, torch.from_numpy(dataset.x()))
        return ball

    def to(self, device: torch.device) -> Ball:
        """The same ball, its tensors on `device`."""
        scale, lower, upper = self.scale.to(device), self.lower.to(device), self.upper.to(device)
        return Ball(norm=self.norm, epsilon=self.epsilon, scale=scale, lower=lower, upper=upper)

    def around(self, x_BX: Tensor) -> Region:
        """The ball around each row of x_BX (float64 where the inputs are not float32 values)."""
        x_BX = x_BX.double()
        reach = self.epsilon * self.scale
        clean_BX = x_BX.float()
        lowest_BX = _no_less(torch.maximum(x_BX - reach, self.lower))
        highest_BX = _no_more(torch.minimum(x_BX + reach, self.upper))
        fixed = (self.scale == 0).expand_as(x_BX)
        return Region(
            ball=self,
            x_BX=x_BX,
            clean_BX=clean_BX,
            lowest_BX=torch.where(fixed, clean_BX, torch.minimum(lowest_BX, clean_BX)),
            highest_BX=torch.where(fixed, clean_BX, torch.maximum(highest_BX, clean_BX)),
        )

    def project(self, x_adv_BX: Tensor, x_BX: Tensor) -> Tensor:
        """x_adv_BX as float32 inside the ball and bounds around x_BX."""
        return self.around(x_BX).project(x_adv_BX)

    def distance(self, x_adv_BX: Tensor, x_BX: Tensor) -> Tensor:
        """Float64 (B,) norm of (x_adv_BX - x_BX) / scale, as `robustcert.attacks.budget` measures it."""
        x_adv, x = x_adv_BX.float().numpy(), x_BX.double().numpy()
        return torch.from_numpy(distances(x_adv, x, scale=self.scale.numpy(), norm=self.norm))

    def contains(self, x_adv_BX: Tensor, x_BX: Tensor) -> Tensor:
        """Bool (B,): distance at most epsilon * (1 + 1e-6) + 1e-9, and every moved coordinate within the bounds."""
        x_adv, x = x_adv_BX.float().numpy(), x_BX.double().numpy()
        inside = legal(x_adv, x, lower=self.lower.numpy(), upper=self.upper.numpy())
        return torch.from_numpy(inside & within(self.distance(x_adv_BX, x_BX).numpy(), self.epsilon))


@dataclass(frozen=True, kw_only=True)
class Region:
    """The ball around a batch, ready for many steps: float32 limits of each coordinate, rounded toward x.

    `x_BX` is float64, `clean_BX` its float32 value (what the model sees), always inside. The limits of an l2 ball are
    those of the linf ball around it; `project` does the rest.
    """

    ball: Ball
    x_BX: Tensor
    clean_BX: Tensor
    lowest_BX: Tensor
    highest_BX: Tensor

    def rows(self, index: Tensor) -> Region:
        """The region of these rows only."""
        return Region(
            ball=self.ball,
            x_BX=self.x_BX[index],
            clean_BX=self.clean_BX[index],
            lowest_BX=self.lowest_BX[index],
            highest_BX=self.highest_BX[index],
        )

    def to(self, device: torch.device) -> Region:
        """The same region, its tensors on `device`."""
        return Region(
            ball=self.ball.to(device),
            x_BX=self.x_BX.to(device),
            clean_BX=self.clean_BX.to(device),
            lowest_BX=self.lowest_BX.to(device),
            highest_BX=self.highest_BX.to(device),
        )

    def displaced(self, v_BX: Tensor) -> Tensor:
        """The float32 point x + scale * v_BX, clamped to the limits: where a random start or one step leads."""
        scale = self.ball.scale.to(v_BX.dtype)
        return self._clamped((self.clean_BX + scale * v_BX).float())

    def ascend(self, x_adv_BX: Tensor, gradient_BX: Tensor, *, step: float) -> Tensor:
        """One step of length `step` (units of scale) up the gradient: its sign for linf, its direction for l2."""
        scale = self.ball.scale.float()
        if self.ball.norm == "linf":
            return self._clamped(torch.addcmul(x_adv_BX, scale, gradient_BX.sign(), value=step))
        v_BX = _quotient(x_adv_BX - self.clean_BX, scale) + step * unit_vectors(gradient_BX * scale)
        return self.displaced(shrunk(v_BX, radius=self.ball.epsilon))

    def project(self, x_adv_BX: Tensor) -> Tensor:
        """x_adv_BX as float32 inside the ball in float64 arithmetic: scaled back to epsilon, rounded toward x."""
        if self.ball.norm == "linf":
            return self._clamped(x_adv_BX.float())
        moved_BX = torch.where(x_adv_BX.float() == self.clean_BX, 0.0, x_adv_BX.double() - self.x_BX)
        v_BX = shrunk(_quotient(moved_BX, self.ball.scale), radius=self.ball.epsilon)
        return self._clamped(_toward(self.x_BX, self.x_BX + self.ball.scale * v_BX))

    def _clamped(self, x_adv_BX: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x_adv_BX, self.lowest_BX), self.highest_BX)


def unit_vectors(v_BX: Tensor) -> Tensor:
    """Each row divided by its l2 norm, without overflow or underflow; zero rows stay zero."""
    flat_BD = v_BX.flatten(start_dim=1)
    flat_BD = _quotient(flat_BD, flat_BD.abs().amax(dim=1, keepdim=True))
    return _quotient(flat_BD, flat_BD.norm(dim=1, keepdim=True)).reshape(v_BX.shape)


def shrunk(v_BX: Tensor, *, radius: float) -> Tensor:
    """Each row scaled down to l2 norm `radius` where it is longer."""
    flat_BD = v_BX.flatten(start_dim=1)
    norms_B1 = flat_BD.norm(dim=1, keepdim=True)
    factors_B1 = torch.where(norms_B1 > radius, radius / norms_B1, 1.0).to(v_BX.dtype)
    return (flat_BD * factors_B1).reshape(v_BX.shape)


def _bound(threat: ThreatModel, dataset: Dataset, *, side: int) -> Tensor:
    contract = torch.from_numpy((dataset.lower, dataset.upper)[side])
    return contract if threat.bounds == "contract" else torch.full_like(contract, threat.bounds[side])


def _require_movable(threat: ThreatModel, ball: Ball) -> None:
    if not bool((ball.scale > 0).any()):
        what = f"a feature that threat {threat.name!r} may change"
        raise SpecificationError(expected(what, got="none", remedy="set perturbable: true for one in the contract"))


def _require_inside(threat: ThreatModel, ball: Ball, x_BX: Tensor) -> None:
    outside_BX = ((x_BX < ball.lower) | (x_BX > ball.upper)) & (ball.scale > 0)
    count = int(outside_BX.flatten(start_dim=1).any(dim=1).sum())
    if count:
        what = f"every sample within the bounds of threat {threat.name!r}"
        raise SpecificationError(expected(what, got=f"{count} outside", remedy="widen its bounds, or use 'contract'"))


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(denominator == 0, 0.0, numerator / denominator)


def _no_less(limit_BX: Tensor) -> Tensor:
    nearest_BX = limit_BX.float()
    above_BX = torch.nextafter(nearest_BX, torch.full_like(nearest_BX, float("inf")))
    return torch.where(nearest_BX.double() < limit_BX, above_BX, nearest_BX)


def _no_more(limit_BX: Tensor) -> Tensor:
    return -_no_less(-limit_BX)


def _toward(x_BX: Tensor, point_BX: Tensor) -> Tensor:
    nearest_BX = point_BX.float()
    overshot_BX = (nearest_BX.double() - x_BX).abs() > (point_BX - x_BX).abs()
    return torch.where(overshot_BX, torch.nextafter(nearest_BX, x_BX.float()), nearest_BX)
