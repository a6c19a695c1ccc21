"""Exact answers by branch and bound on ReLU splits, after beta-CROWN (Wang et al. 2021, arXiv:2103.06624).

Open subdomains are bounded in batches with optimised slopes and multipliers, the lowest bound first; each is split at
the unit whose relaxation costs most. Where every unit is decided, a linear program is left, whose dual gives the bound:
recomputed from its multipliers in float64, so that no solver tolerance enters. Order and results depend on nothing but
the query; only whether the time is enough depends on the machine.

Shapes: B subdomains, M units of one layer, D flattened input values.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustcert.bounds.dense_linear import LinearBound, Relaxation, Weights, bounded, linear_rows
from robustcert.bounds.dense_optimised import optimised_rows
from robustcert.bounds.leaf_program import Leaf, leaf_of, solved_leaf
from robustcert.bounds.query import Outcome, Query

BATCH = 64
ITERATIONS = 20
MOST_OPEN = 200_000


@dataclass(frozen=True, kw_only=True)
class Subdomain:
    """Signs of the splits (M per layer, int8 joined over the layers) and a lower bound of the largest row."""

    signs: NDArray[np.int8]
    bound: float


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """A batch of subdomains after bounding: `lower` (B,) of the largest row, where to split next (-1: nowhere)."""

    lower: Tensor
    split: Tensor
    relaxed: list[Relaxation]
    points: Tensor


def solved_by_branching(query: Query, *, seconds: float, iterations: int = ITERATIONS) -> Outcome:
    """The answer within `seconds`, or `open` with the best bound so far."""
    return Search(query, iterations=iterations).run(seconds=seconds)


class Search:
    """The subdomains still open, the lowest bound that was left behind, and the counterexample once there is one."""

    def __init__(self, query: Query, *, iterations: int = ITERATIONS) -> None:
        self.query = query
        self.weights = Weights.of(query.network)
        self.units = query.network.sizes[1:]
        self.open = [Subdomain(signs=np.zeros(sum(self.units), np.int8), bound=-math.inf)]
        self.closed = math.inf
        self.undecided = False
        self.steps = 0
        self.witness: NDArray[np.float32] | None = None
        self._iterations = iterations

    def run(self, *, seconds: float) -> Outcome:
        """Goes on for so long, or until there is an answer."""
        end = time.monotonic() + seconds
        while self.open and self.witness is None and len(self.open) < MOST_OPEN and time.monotonic() < end:
            self.step()
        return self.outcome()

    def outcome(self) -> Outcome:
        """What is known so far."""
        bound = min([self.closed, *(domain.bound for domain in self.open)])
        if self.witness is not None:
            return Outcome(answer="found", bound=bound, steps=self.steps, witness=self.witness)
        decided = not self.open and not self.undecided and bound > self.query.tolerance
        return Outcome(answer="none" if decided else "open", bound=bound, steps=self.steps)

    def step(self) -> None:
        """Bounds the BATCH lowest subdomains, and closes each, answers it as a leaf, or splits it."""
        self.open.sort(key=lambda domain: (domain.bound, domain.signs.tobytes()))
        batch, self.open = self.open[:BATCH], self.open[BATCH:]
        self.steps += len(batch)
        found = self._bounded(batch)
        for row, domain in enumerate(batch):
            if self.witness is not None:
                self.open.append(domain)
            else:
                self._decide(domain, max(domain.bound, float(found.lower[row])), row, found)

    def _decide(self, domain: Subdomain, bound: float, row: int, found: Bounded) -> None:
        unit = int(found.split[row])
        if bound > self.query.tolerance:
            self.closed = min(self.closed, bound)
        elif not self._tried(found.points[row]):
            if unit >= 0:
                self._split(domain, unit, bound)
            else:
                self._leaf(domain, bound, [relaxation.rows(torch.tensor([row])) for relaxation in found.relaxed])
        else:
            self.closed = min(self.closed, bound)

    def _split(self, domain: Subdomain, unit: int, bound: float) -> None:
        for sign in (1, -1):
            signs = domain.signs.copy()
            signs[unit] = sign
            self.open.append(Subdomain(signs=signs, bound=bound))

    def _leaf(self, domain: Subdomain, bound: float, relaxed: list[Relaxation]) -> None:
        if any(bool(relaxation.unstable.any()) for relaxation in relaxed):  # scores that are no numbers: no leaf
            self.undecided, self.closed = True, min(self.closed, bound)
            return
        solved = solved_leaf(self._leaf_program(relaxed), self.query.region)
        bound = max(bound, solved.bound)
        found = solved.point is not None and self._tried(torch.from_numpy(solved.point))
        self.undecided |= not found and bound <= self.query.tolerance
        self.closed = min(self.closed, bound)

    def _leaf_program(self, relaxed: list[Relaxation]) -> Leaf:
        return leaf_of(self.query.network, relaxed)

    def _tried(self, point_D: Tensor) -> bool:
        self.witness = self.query.tried(point_D.numpy())
        return self.witness is not None

    def _bounded(self, batch: list[Subdomain]) -> Bounded:
        signs_BM = torch.from_numpy(np.stack([domain.signs for domain in batch])).double()
        signs = list(torch.split(signs_BM, list(self.units), dim=1)) if self.units else []
        with torch.no_grad():
            relaxed, possible_B = bounded(self.weights, self.query.region, signs)
            found = linear_rows(self.weights, self.query.region, relaxed)
        hard_B = (found.lower.amax(dim=1) <= self.query.tolerance) & possible_B
        if self._iterations and bool(hard_B.any()) and relaxed:
            found = self._tightened(found, relaxed, hard_B.nonzero()[:, 0])
        lower_B = torch.where(possible_B, found.lower.amax(dim=1), math.inf)
        return Bounded(lower=lower_B, split=_units(found), relaxed=relaxed, points=_points(self.query, found))

    def _tightened(self, found: LinearBound, relaxed: list[Relaxation], rows: Tensor) -> LinearBound:
        part = [relaxation.rows(rows) for relaxation in relaxed]
        better = optimised_rows(self.weights, self.query.region, part, iterations=self._iterations)
        return LinearBound(
            lower=found.lower.index_copy(0, rows, better.lower),
            coefficients=found.coefficients.index_copy(0, rows, better.coefficients),
            scores=[old.index_copy(0, rows, new) for old, new in zip(found.scores, better.scores, strict=True)],
        )


def _units(found: LinearBound) -> Tensor:
    """The unit to split in each subdomain, counted over all layers; -1 where all are decided."""
    if not found.scores:
        return torch.full((len(found.lower),), -1)
    scores_BM = torch.cat(found.scores, dim=1)
    best_B = scores_BM.max(dim=1)
    return torch.where(best_B.values > 0, best_B.indices, -1)


def _points(query: Query, found: LinearBound) -> Tensor:
    """Where each subdomain's linear bound is smallest in the set (B, D), for its best row."""
    row_B = found.lower.argmax(dim=1)
    return query.region.minimiser(found.coefficients[torch.arange(len(row_B)), row_B])
