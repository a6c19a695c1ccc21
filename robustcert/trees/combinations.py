"""Combinations of leaves that some input reaches together: pruning, bounds, merging of trees, exhaustive search.

Shapes: n leaves of G groups (a tree, or several merged ones), sorted by group; F features; all integers.

Chen et al. (2019), "Robustness verification of tree-based models", section 3: leaves of different trees that overlap
pairwise overlap together, since they are boxes (Helly), so that combinations are cliques of a G-partite graph. An input
is adversarial where its leaves' margins sum to less than `safe_from`. A leaf that can't be part of such a sum, even
with every other group at its least, is dropped; what the rest of a group can reach narrows the box for all others.
Merging two groups takes all pairs of leaves that overlap: one group left is the exact answer. Where merging would grow
too large, a depth-first search fixes one leaf after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LEAVES_PER_COST = 500

Cells = NDArray[np.int32]
Judge = Callable[[Cells, Cells], bool]
"""Whether inputs with cells first ... last (F,), which reach one leaf of every tree, are misclassified."""


@dataclass(frozen=True, kw_only=True)
class Combinations:
    """group: (n,) ascending; first, last: (n, F); margin: int64 (n,); the box (F,) left; `settled`: no choice."""

    group: NDArray[np.int64]
    first: Cells
    last: Cells
    margin: NDArray[np.int64]
    box_first: Cells
    box_last: Cells
    settled: int
    safe_from: int

    def starts(self) -> NDArray[np.int64]:
        """Where each group begins (G,)."""
        return np.flatnonzero(np.diff(self.group, prepend=-1))

    def least(self) -> int:
        """A lower bound of the margin: every group at its least."""
        return (
            self.settled + int(np.minimum.reduceat(self.margin, self.starts()).sum())
            if len(self.group)
            else self.settled
        )


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """`found`: cells (first, last) of misclassified inputs; `complete`: nothing was left out; `unsure`: a sum within
    rounding that was judged as right; `spent` of the budget."""

    found: tuple[Cells, Cells] | None
    complete: bool
    unsure: bool
    spent: int


def pruned(part: Combinations) -> Combinations | None:
    """Without leaves that no adversarial input reaches; None where a group has none left: nothing is adversarial."""
    while part.least() < part.safe_from:
        smaller = _settled(_pruned_once(part))
        if smaller is None or _size(smaller) == _size(part):
            return smaller
        part = smaller
    return None


def merged_while_small(part: Combinations, *, leaves: int) -> Combinations | None:
    """Pairs of groups merged and pruned, then pairs of those, while a pair makes at most `leaves` leaves."""
    state: Combinations | None = part
    while state is not None and len(state.starts()) > 1:
        groups = len(state.starts())
        together = merged(state, leaves=leaves)
        if len(together.starts()) == groups:
            return state
        state = pruned(together)
    return state


def merged(part: Combinations, *, leaves: int) -> Combinations:
    """Neighbouring groups in pairs, each pair that makes at most `leaves` leaves; the same where none does."""
    bounds = [*part.starts().tolist(), len(part.group)]
    ranges = [slice(a, b) for a, b in pairwise(bounds)]
    pieces, at = [], 0
    while at < len(ranges):
        pair = ranges[at : at + 2]
        sizes = [piece.stop - piece.start for piece in pair]
        if len(pair) == 2 and sizes[0] * sizes[1] <= leaves:
            pieces.append(_pairs(part, *pair))
        else:
            pieces.extend((part.first[piece], part.last[piece], part.margin[piece]) for piece in pair)
        at += 2
    return replace(
        part,
        group=np.repeat(np.arange(len(pieces)), [len(piece[2]) for piece in pieces]),
        first=np.concatenate([piece[0] for piece in pieces]),
        last=np.concatenate([piece[1] for piece in pieces]),
        margin=np.concatenate([piece[2] for piece in pieces]),
    )


def search(part: Combinations, judge: Judge, *, most: int) -> SearchResult:
    """Depth first, the least margin first, a leaf of the smallest group at a time; to the first hit.

    A state costs 1 and 1 more for every 500 leaves; `most` is what may be spent.
    """
    stack, spent, unsure = [part], 0, False
    while stack:
        if spent >= most:
            return SearchResult(found=None, complete=False, unsure=unsure, spent=spent)
        spent += 1 + len(stack[-1].group) // LEAVES_PER_COST
        state = pruned(stack.pop())
        if state is None:
            continue
        if len(state.group):
            stack.extend(_branches(state))
        elif judge(state.box_first, state.box_last):
            found = (state.box_first, state.box_last)
            return SearchResult(found=found, complete=True, unsure=unsure, spent=spent)
        else:
            unsure = True
    return SearchResult(found=None, complete=True, unsure=unsure, spent=spent)


def _size(part: Combinations) -> tuple[int, int, int]:
    """What shrinks whenever pruning does anything: leaves, and the box from either side."""
    return len(part.group), -int(part.box_first.sum(dtype=np.int64)), int(part.box_last.sum(dtype=np.int64))


def _pruned_once(part: Combinations) -> Combinations | None:
    """Leaves outside the box or too good to matter are dropped, then the box is narrowed to what each group reaches."""
    starts = part.starts()
    if not len(starts):
        return part
    least_G = np.minimum.reduceat(part.margin, starts)
    sizes_G = np.diff(np.append(starts, len(part.group)))
    others = part.settled + int(least_G.sum()) - np.repeat(least_G, sizes_G)
    kept = part.margin + others < part.safe_from
    kept &= ((part.first <= part.box_last) & (part.last >= part.box_first)).all(axis=1)
    if (np.add.reduceat(kept, starts) == 0).any():
        return None
    if kept.all():
        narrowed = part
    else:
        narrowed = replace(
            part, group=part.group[kept], first=part.first[kept], last=part.last[kept], margin=part.margin[kept]
        )
    starts = narrowed.starts()
    box_first = np.maximum(part.box_first, np.minimum.reduceat(narrowed.first, starts, axis=0).max(axis=0))
    box_last = np.minimum(part.box_last, np.maximum.reduceat(narrowed.last, starts, axis=0).min(axis=0))
    if (box_first > box_last).any():
        return None
    return replace(narrowed, box_first=box_first, box_last=box_last)


def _settled(part: Combinations | None) -> Combinations | None:
    """Groups of one leaf are no choice any more: their margin is settled, and the box has been narrowed to theirs."""
    if part is None or not len(part.group):
        return part
    starts = part.starts()
    sizes_G = np.diff(np.append(starts, len(part.group)))
    if (sizes_G > 1).all():
        return part
    single = np.repeat(sizes_G == 1, sizes_G)
    return replace(
        part,
        group=part.group[~single],
        first=part.first[~single],
        last=part.last[~single],
        margin=part.margin[~single],
        settled=part.settled + int(part.margin[single].sum()),
    )


def _branches(state: Combinations) -> Iterator[Combinations]:
    """One state per leaf of the smallest group, the least margin last, so that a stack gives it first."""
    starts = state.starts()
    sizes_G = np.diff(np.append(starts, len(state.group)))
    smallest = int(np.argmin(sizes_G))
    leaves = np.arange(starts[smallest], starts[smallest] + sizes_G[smallest])
    others = state.group != state.group[leaves[0]]
    rest = replace(
        state,
        group=state.group[others],
        first=state.first[others],
        last=state.last[others],
        margin=state.margin[others],
    )
    for leaf in leaves[np.argsort(-state.margin[leaves], kind="stable")]:
        yield replace(
            rest,
            box_first=np.maximum(state.box_first, state.first[leaf]),
            box_last=np.minimum(state.box_last, state.last[leaf]),
            settled=state.settled + int(state.margin[leaf]),
        )


def _pairs(part: Combinations, left: slice, right: slice) -> tuple[Cells, Cells, NDArray[np.int64]]:
    """All pairs of leaves of two groups that overlap."""
    first = np.maximum(part.first[left][:, None], part.first[right])
    last = np.minimum(part.last[left][:, None], part.last[right])
    together = (first <= last).all(axis=2)
    margin = part.margin[left][:, None] + part.margin[right]
    return first[together], last[together], margin[together]
