"""Dense ReLU networks in float64: what the exact verifiers work on (Tjeng et al. 2019, arXiv:1711.07356, section 4).

Source 0 is the flattened input x, source j the output of hidden layer j. A layer is affine in any of the sources before
it, so that residual additions, leaky ReLUs and maxima fit as well: z_j = sum_s W_js a_s + b_j, a_j = max(z_j, 0).

Shapes: B batch, D input values, M units of one layer, Q rows of the last layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import ModelError, expected

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DenseLayer:
    """`weights[s]` is (M, size of source s), only for the sources that count; `bias` is (M,)."""

    weights: Mapping[int, Array]
    bias: Array

    @property
    def units(self) -> int:
        """M."""
        return len(self.bias)

    def applied(self, sources: Sequence[Array]) -> Array:
        """z_BM from the sources, each (B, size)."""
        rows = len(sources[0])
        parts = [sources[source] @ weight.T for source, weight in self.weights.items()]
        return sum(parts, start=np.broadcast_to(self.bias, (rows, self.units)).copy())


@dataclass(frozen=True, kw_only=True)
class DenseNetwork:
    """Hidden layers, each followed by ReLU, and one affine output layer."""

    inputs: int
    hidden: tuple[DenseLayer, ...]
    output: DenseLayer

    @property
    def relus(self) -> int:
        """Number of ReLUs."""
        return sum(layer.units for layer in self.hidden)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values of each source."""
        return (self.inputs, *(layer.units for layer in self.hidden))

    def layers(self) -> Iterator[tuple[int, DenseLayer]]:
        """The hidden layers with the number of the source that each makes."""
        return enumerate(self.hidden, start=1)

    def sources(self, x_BD: Array) -> list[Array]:
        """x_BD and every layer's output after ReLU."""
        found = [np.asarray(x_BD, dtype=np.float64)]
        for layer in self.hidden:
            found.append(np.maximum(layer.applied(found), 0.0))
        return found

    def forward(self, x_BD: Array) -> Array:
        """Output (B, Q) of inputs (B, D), float64."""
        return self.output.applied(self.sources(x_BD))

    def with_rows(self, rows_QK: Array, offsets_Q: Array) -> DenseNetwork:
        """The network whose output is rows @ output + offsets; merged, so that bounds see one layer."""
        weights = {source: rows_QK @ weight for source, weight in self.output.weights.items()}
        return replace(self, output=DenseLayer(weights=weights, bias=rows_QK @ self.output.bias + offsets_Q))


def dense_chain(layers: Sequence[tuple[Array, Array]]) -> DenseNetwork:
    """The network of (W, b) pairs with ReLU between; ModelError where their shapes do not follow one another."""
    found: list[DenseLayer] = []
    for source, (weight, bias) in enumerate(layers):
        weight, bias = np.asarray(weight, np.float64), np.asarray(bias, np.float64)
        wanted = weight.shape[1] if not found else found[-1].units
        if weight.ndim != 2 or weight.shape != (len(bias), wanted):
            got = f"weights {weight.shape} and bias {bias.shape}"
            raise ModelError(expected(f"a layer on {wanted} values", got=got, remedy="correct the shapes"))
        found.append(DenseLayer(weights={source: weight}, bias=bias))
    if not found:
        raise ModelError(expected("at least one layer", got="none", remedy="give the output layer"))
    return DenseNetwork(inputs=int(np.shape(layers[0][0])[1]), hidden=tuple(found[:-1]), output=found[-1])
