"""The least value of a linear function of the input over a region.

Box: A c - |A| r, with the box's center and radius. Ball of radius epsilon around x: A x - epsilon ||A scale||_*, with
the dual norm (l2: l2, l1: linf); the better of both, because the region lies in both. Shapes: V directions, N rows,
B batch, X the shape of one sample.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robustcert.bounds.patches import ChannelsLast, Patches
from robustcert.bounds.regions import Ball, Region

TILE = (0, 1, 4)


class Concretization:
    """Least values over one region, of coefficients in either layout."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._center_BX = (region.lower_BX + region.upper_BX) / 2
        self._radius_BX = (region.upper_BX - region.lower_BX) / 2
        self._maps: dict[str, ChannelsLast] = {}

    def least(self, coefficients: Tensor | Patches, sample_N: Tensor) -> Tensor:
        """The least value of each row's linear function over its sample's region, (V, N)."""
        if isinstance(coefficients, Patches):
            return self._of_patches(coefficients)
        values = coefficients.flatten(2)
        center, radius = (bound.flatten(1)[sample_N] for bound in (self._center_BX, self._radius_BX))
        least = (values * center).sum(dim=-1) - (values.abs() * radius).sum(dim=-1)
        ball = self._region.ball
        if ball is None:
            return least
        x, scale = ball.x_BX.flatten(1)[sample_N], ball.scale_X.flatten()
        return torch.maximum(least, _ball_least(ball, values, x, scale, sample_N, axes=(-1,)))

    def _of_patches(self, patches: Patches) -> Tensor:
        values, side, places = patches.values, patches.side, patches.places
        center = self._map("center", self._center_BX).at(places, side)
        radius = self._map("radius", self._radius_BX).at(places, side)
        least = torch.addcmul(values * center, values.abs(), radius, value=-1).sum(dim=TILE)
        ball = self._region.ball
        if ball is None:
            return least
        x = self._map("x", ball.x_BX).at(places, side)
        scale = self._map("scale", ball.scale_X.expand_as(ball.x_BX)).at(places, side)
        return torch.maximum(least, _ball_least(ball, values, x, scale, patches.sample_N, axes=TILE))

    def _map(self, name: str, map_BX: Tensor) -> ChannelsLast:
        if name not in self._maps:
            self._maps[name] = ChannelsLast(map_BX)
        return self._maps[name]


def _ball_least(
    ball: Ball, values: Tensor, x: Tensor, scale: Tensor, sample_N: Tensor, *, axes: tuple[int, ...]
) -> Tensor:
    scaled = values * scale
    dual = torch.linalg.vector_norm(scaled, dim=axes) if ball.norm == "l2" else scaled.abs().amax(dim=axes)
    return (values * x).sum(dim=axes) - ball.epsilon_B[sample_N] * dual
