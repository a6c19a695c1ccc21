"""Exact linf verification of a tree ensemble on one sample: wrong, verified, falsified with a witness, or unknown.

Shapes: D features. In this order, as Chen et al. (2019) have it: the sum of every tree's least margin over the leaves
within reach; a short search for a witness; trees merged in pairs, and the pairs again, while they stay small; a search
over what is left, exhaustive unless its budget ends, which gives unknown. A witness is an input of the ball, evaluated
again, by the model itself where `predict` is given. Verified holds for every float64 input of the ball.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, ValidityError, expected
from robustcert.trees.ball import Box, box_around, input_in
from robustcert.trees.combinations import Cells, Combinations, merged_while_small, pruned, search
from robustcert.trees.ensemble import TreeEnsemble
from robustcert.trees.reachable import Leaves, reachable_leaves

Verdict = Literal["wrong", "falsified", "verified", "unknown"]
Stage = Literal["clean", "sums", "merged trees", "search", "rounding"]
Predict = Callable[[NDArray[np.float64]], int]
"""Class of one input (D,), by the model itself."""

QUICK_NODES = 64
STAGES: tuple[Stage, ...] = ("sums", "merged trees", "search")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Most states of the search per sample (a state of many leaves costs more), most leaves of one merged group."""

    nodes: int = 10_000
    leaves: int = 2_000


@dataclass(frozen=True, kw_only=True)
class TreeVerdict:
    """`stage` decided; `witness` float64 (D,) and its class `found`, where falsified."""

    verdict: Verdict
    stage: Stage
    witness: NDArray[np.float64] | None = None
    found: int | None = None


UNDECIDED = TreeVerdict(verdict="unknown", stage="search")
ROUNDED = TreeVerdict(verdict="unknown", stage="rounding")


def verify_sample(
    ensemble: TreeEnsemble,
    x_D: NDArray[np.float64],
    label: int,
    epsilon_D: NDArray[np.float64],
    *,
    lower_D: NDArray[np.float64] | float = -np.inf,
    upper_D: NDArray[np.float64] | float = np.inf,
    predict: Predict | None = None,
    effort: Effort | None = None,
) -> TreeVerdict:
    """Whether every input x' with |x' - x| <= epsilon, feature by feature, within the domain has class `label`.

    Raises ValidityError where `predict` contradicts what the ensemble surely gives.
    """
    if not 0 <= label < ensemble.n_classes:
        remedy = "pass the index of the class"
        raise InputError(expected(f"a label below {ensemble.n_classes}", got=label, remedy=remedy))
    box = box_around(ensemble, x_D, epsilon_D, lower_D=lower_D, upper_D=upper_D)
    sample = _Sample(ensemble=ensemble, box=box, label=label, predict=predict)
    clean = sample.class_of(box.x)
    if clean is None:
        return ROUNDED
    if clean != label:
        return TreeVerdict(verdict="wrong", stage="clean")
    return sample.verdict(effort or Effort())


@dataclass(frozen=True, kw_only=True)
class _Sample:
    ensemble: TreeEnsemble
    box: Box
    label: int
    predict: Predict | None

    def class_of(self, x_D: NDArray[np.float64]) -> int | None:
        """The class of one input, None where rounding decides and the model can't be asked."""
        sure = self.ensemble.sure_class(self.ensemble.scores(self.ensemble.cells(x_D[None]))[0])
        if self.predict is None:
            return sure
        asked = self.predict(x_D)
        if sure is not None and asked != sure:
            remedy = "report it with the model: one of the two is wrong"
            raise ValidityError(expected(f"class {sure} of the model, as its trees add up", got=asked, remedy=remedy))
        return asked

    def verdict(self, effort: Effort) -> TreeVerdict:
        """A short search against every rival class, then thorough ones that share what is left of the budget."""
        leaves = reachable_leaves(self.ensemble, self.box.lower_cell, self.box.upper_cell)
        found: list[TreeVerdict] = []
        rivals, budget = self._open_rivals(leaves), effort.nodes
        for merged_leaves, most in ((0, QUICK_NODES), (effort.leaves, effort.nodes)):
            left = []
            for rival in rivals:
                most = min(most, budget)
                verdict, spent = self._against(rival, leaves, merged_leaves=merged_leaves, most=most)
                budget -= spent
                if verdict.verdict == "falsified":
                    return verdict
                if verdict == UNDECIDED:
                    left.append(rival)
                else:
                    found.append(verdict)
            rivals = left
        return _weakest([*found, *[UNDECIDED] * len(rivals)])

    def _open_rivals(self, leaves: Leaves) -> list[int]:
        """Classes that the sums of least margins leave open, the nearest first."""
        starts = np.flatnonzero(np.diff(leaves.tree, prepend=-1))
        margin_nK = leaves.value[:, [self.label]] - leaves.value
        least_K = np.minimum.reduceat(margin_nK, starts, axis=0).sum(axis=0)
        least_K += self.ensemble.base[self.label] - self.ensemble.base
        others = [rival for rival in range(self.ensemble.n_classes) if rival != self.label]
        open_ = [rival for rival in others if least_K[rival] < self.ensemble.safe_from(self.label, rival)]
        return sorted(open_, key=lambda rival: int(least_K[rival]))

    def _against(self, rival: int, leaves: Leaves, *, merged_leaves: int, most: int) -> tuple[TreeVerdict, int]:
        """Verified, falsified or unknown against one rival class, and what the search spent."""

        def judge(first_F: Cells, last_F: Cells) -> bool:
            return self.class_of(self._input(leaves, first_F, last_F)) not in (self.label, None)

        part = pruned(self._combinations(rival, leaves))
        if part is not None:
            part = merged_while_small(part, leaves=merged_leaves)
        if part is None:
            return TreeVerdict(verdict="verified", stage="merged trees"), 0
        result = search(part, judge, most=most)
        if result.found is not None:
            witness_D = self._input(leaves, *result.found)
            verdict = TreeVerdict(
                verdict="falsified", stage="search", witness=witness_D, found=self.class_of(witness_D)
            )
        elif result.complete:
            verdict = ROUNDED if result.unsure else TreeVerdict(verdict="verified", stage="search")
        else:
            verdict = UNDECIDED
        return verdict, result.spent

    def _combinations(self, rival: int, leaves: Leaves) -> Combinations:
        base_K = self.ensemble.base
        return Combinations(
            group=leaves.tree,
            first=leaves.first,
            last=leaves.last,
            margin=leaves.value[:, self.label] - leaves.value[:, rival],
            box_first=self.box.lower_cell[leaves.free],
            box_last=self.box.upper_cell[leaves.free],
            settled=int(base_K[self.label] - base_K[rival]),
            safe_from=self.ensemble.safe_from(self.label, rival),
        )

    def _input(self, leaves: Leaves, first_F: Cells, last_F: Cells) -> NDArray[np.float64]:
        first_D, last_D = self.box.x_cell.copy(), self.box.x_cell.copy()
        first_D[leaves.free], last_D[leaves.free] = first_F, last_F
        return input_in(self.ensemble, self.box, first_D, last_D)


def _weakest(found: list[TreeVerdict]) -> TreeVerdict:
    """Of verdicts against every open rival: unknown where one is, else verified by the latest stage of all."""
    unknown = next((part for part in found if part.verdict == "unknown"), None)
    if unknown is not None:
        return unknown
    return TreeVerdict(verdict="verified", stage=max((part.stage for part in found), key=STAGES.index, default="sums"))
