"""Random questions about tiny networks; their weights are multiples of 1/64, exact in float32 and in rationals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robustcert.bounds.dense import dense_chain
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.query import Query, tolerance_of

Array = NDArray[np.float64]
GRID = 64


@dataclass(frozen=True, kw_only=True)
class RandomQuestion:
    """Layers, the box around x, and the rows that a counterexample makes at most 0."""

    layers: list[tuple[Array, Array]]
    x: Array
    lower: Array
    upper: Array
    rows: Array
    offsets: Array

    def query(self) -> Query:
        """The question for our verifiers; the deployed model is torch in float32."""
        network = dense_chain(self.layers)
        return Query(
            network=network.with_rows(self.rows, self.offsets),
            region=InputSet.box(self.lower, self.upper),
            tolerance=tolerance_of(network.forward(self.x[None])[0]),
            confirm=self._confirmed,
        )

    def module(self) -> nn.Sequential:
        """The network in float32."""
        parts: list[nn.Module] = []
        for weight, bias in self.layers:
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight))
                linear.bias.copy_(torch.from_numpy(bias))
            parts += [linear, nn.ReLU()]
        return nn.Sequential(*parts[:-1]).eval().requires_grad_(False)

    def _confirmed(self, point_D: Array) -> NDArray[np.float32] | None:
        point = np.clip(point_D, self.lower, self.upper).astype(np.float32)
        output = self.module()(torch.from_numpy(point)[None])[0].double().numpy()
        inside = (point >= self.lower) & (point <= self.upper)
        return point if bool(inside.all() and (self.rows @ output + self.offsets <= 0).all()) else None


def random_question(seed: int, *, most_units: int = 6, rows: int = 1) -> RandomQuestion:
    """One question; about half of them have a counterexample."""
    generator = np.random.Generator(np.random.Philox(seed))
    sizes = [int(generator.integers(2, 5)), *generator.integers(2, most_units + 1, 2).tolist(), 3]
    layers = [
        (
            _grid(1.5 * generator.normal(size=shape[::-1]) / np.sqrt(shape[0])),
            _grid(0.3 * generator.normal(size=shape[1])),
        )
        for shape in pairwise(sizes)
    ]
    x, radius = _grid(generator.uniform(-1, 1, sizes[0])), _grid(generator.uniform(0.05, 0.9))
    output = dense_chain(layers).forward(x[None])[0]
    label = int(output.argmax())
    others = [other for other in range(3) if other != label][:rows]
    matrix = np.zeros((rows, 3))
    matrix[np.arange(rows), label], matrix[np.arange(rows), others] = 1.0, -1.0
    return RandomQuestion(layers=layers, x=x, lower=x - radius, upper=x + radius, rows=matrix, offsets=np.zeros(rows))


def _grid(values: Array) -> Array:
    return np.asarray(np.round(np.asarray(values) * GRID) / GRID)
