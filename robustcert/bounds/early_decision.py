"""Stops a neuron's backward pass as soon as its activation is decided, at whatever depth that happens.

Wherever a pass stands, its coefficients times the ranges of the nodes they stand at give a bound already: looser than
the one at the input, often enough to show that a ReLU's input has one sign. Such rows are left out of the (more
costly) rest. Bounds of all depths hold, so each row keeps its best. Shapes: N rows, M rows still on their way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from robustcert.bounds.concretization import Concretization
from robustcert.bounds.patches import Patches
from robustcert.bounds.regions import Region

WORTH_COPYING = 0.1
WORTH_LOOKING = 0.2

Coefficients = Tensor | Patches


class Ranges:
    """Concretizations over the ranges of the nodes known so far, and where looking at them was of use."""

    def __init__(self, intervals: Sequence[tuple[Tensor, Tensor]]) -> None:
        self._intervals = intervals
        self._made: dict[int, Concretization] = {}
        self._useless: set[int] = set()

    def least(self, pending: Mapping[int, Coefficients], sample_M: Tensor) -> Tensor:
        """The sum over nodes of the least values (V, M) of linear functions of their neurons."""
        return torch.stack([self._at(number).least(part, sample_M) for number, part in pending.items()]).sum(dim=0)

    def worth_a_look(self, number: int) -> bool:
        """Whether no look at that node has shown too little so far."""
        return number not in self._useless

    def looked(self, number: int, *, decided: float) -> None:
        """A look at that node decided such a share of the rows."""
        if decided < WORTH_LOOKING:
            self._useless.add(number)

    def _at(self, number: int) -> Concretization:
        if number not in self._made:
            lower, upper = self._intervals[number]
            self._made[number] = Concretization(Region(lower_BX=lower, upper_BX=upper))
        return self._made[number]


class EarlyDecision:
    """What is known of N rows: `best_VN`, their lower bounds so far, and which of them no bound has shown positive."""

    def __init__(self, ranges: Ranges, slack_N: Tensor, *, start: int) -> None:
        self._ranges, self._slack_N, self._start = ranges, slack_N, start
        self._open_M = torch.arange(len(slack_N))
        self.best_VN = torch.full((1, len(slack_N)), -torch.inf, dtype=slack_N.dtype)

    def look(self, at: int, pending: Mapping[int, Coefficients], total: Tensor, sample_M: Tensor) -> Tensor | None:
        """Places of the rows to go on with, None for all; called at an activation, where every node has a range."""
        if at == self._start or not self._ranges.worth_a_look(at):
            return None
        bounds_VM = total + self._ranges.least(pending, sample_M)
        open_M = (bounds_VM < self._slack_N[self._open_M]).all(dim=0)
        decided = 1.0 - float(open_M.double().mean())
        self._ranges.looked(at, decided=decided)
        if decided < WORTH_COPYING:
            return None
        self.note(bounds_VM)
        self._open_M = self._open_M[open_M]
        return open_M.nonzero()[:, 0]

    def part(self, rows: slice) -> EarlyDecision:
        """The same for some of the open rows, to be noted in this one."""
        return EarlyDecision(self._ranges, self._slack_N[self._open_M[rows]], start=self._start)

    def note(self, bounds_VM: Tensor) -> None:
        """Bounds of the open rows."""
        self.best_VN[:, self._open_M] = bounds_VM
