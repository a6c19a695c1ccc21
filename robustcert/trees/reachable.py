"""Which leaves of every tree a box of inputs can reach, with the part of the box that reaches each.

Shapes: n reachable leaves, sorted by tree; F features on which the box spans more than one cell ("free"); K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.trees.ensemble import LEAF, TreeEnsemble

Cells = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """tree: (n,); first, last: cells of the free features that lead to each leaf, (n, F); value: int64 (n, K).

    free: (F,), the features that columns of `first` and `last` stand for.
    """

    tree: NDArray[np.int64]
    first: Cells
    last: Cells
    value: NDArray[np.int64]
    free: NDArray[np.int64]


def reachable_leaves(ensemble: TreeEnsemble, lower_cell_D: Cells, upper_cell_D: Cells) -> Leaves:
    """Leaves that inputs with cells lower ... upper reach; level by level through all trees at once."""
    free = np.flatnonzero(lower_cell_D < upper_cell_D)
    roots = len(ensemble.roots)
    walk = _Walk(
        node=ensemble.roots.astype(np.int64),
        tree=np.arange(roots),
        first=np.tile(lower_cell_D[free], (roots, 1)),
        last=np.tile(upper_cell_D[free], (roots, 1)),
    )
    column_D = np.full(ensemble.n_features, -1)
    column_D[free] = np.arange(len(free))
    found: list[_Walk] = []
    while len(walk.node):
        leaf = ensemble.feature[walk.node] == LEAF
        found.append(walk.only(leaf))
        walk = _next_level(walk.only(~leaf), ensemble, column_D, lower_cell_D)
    tree = np.concatenate([part.tree for part in found])
    order = np.argsort(tree, kind="stable")
    return Leaves(
        tree=tree[order],
        first=np.concatenate([part.first for part in found])[order],
        last=np.concatenate([part.last for part in found])[order],
        value=ensemble.value[np.concatenate([part.node for part in found])[order]],
        free=free,
    )


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """Nodes reached on one level (n,), their trees, and the cells of the free features that lead there (n, F)."""

    node: NDArray[np.int64]
    tree: NDArray[np.int64]
    first: Cells
    last: Cells

    def only(self, chosen: NDArray[np.bool_]) -> _Walk:
        return _Walk(node=self.node[chosen], tree=self.tree[chosen], first=self.first[chosen], last=self.last[chosen])


def _next_level(walk: _Walk, ensemble: TreeEnsemble, column_D: NDArray[np.int64], cell_D: Cells) -> _Walk:
    """The children within reach; `cell_D` is the one cell of a feature that is not free."""
    feature, cut = ensemble.feature[walk.node], ensemble.cut[walk.node]
    column, rows = column_D[feature], np.arange(len(walk.node))
    low = high = cell_D[feature]
    if walk.first.shape[1]:
        low = np.where(column < 0, low, walk.first[rows, column])
        high = np.where(column < 0, high, walk.last[rows, column])
    left, right = low <= cut, high > cut
    below, above = walk.only(left), walk.only(right)
    _clip(below.last, column[left], cut[left], np.minimum)
    _clip(above.first, column[right], cut[right] + 1, np.maximum)
    return _Walk(
        node=np.concatenate((ensemble.left[below.node], ensemble.right[above.node])).astype(np.int64),
        tree=np.concatenate((below.tree, above.tree)),
        first=np.concatenate((below.first, above.first)),
        last=np.concatenate((below.last, above.last)),
    )


def _clip(cells: Cells, column: NDArray[np.int64], cut: NDArray[np.int32], nearer: np.ufunc) -> None:
    """Narrows one column per row of `cells` to a cut, where the split is on a free feature."""
    rows = np.flatnonzero(column >= 0)
    cells[rows, column[rows]] = nearer(cells[rows, column[rows]], cut[rows])
