"""TreeEnsemble: any forest or boosting as integers, so that its decisions can be searched without rounding.

Shapes: N nodes of all trees, T trees, D features, K classes, B samples.

Inputs are compared as the model compares them: cast to `precision` (scikit-learn's forests and gradient boosting:
float32; its histogram boosting: float64; ONNX files: float32), then `x <= threshold`. A feature's distinct thresholds
cut its axis into cells, 0 ... len(cuts); x lies in the cell whose number is the count of cuts below x, so x <= cut j is
cell <= j, exactly. Leaf values are integers in units of 2^-shift. What that and the model's own summation may differ by
is `rounding`, in the same units, for the difference of two classes in any order of summation (Higham 2002, section
4.2): 0 where every sum is exact, as in forests of pure leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, ModelError, expected

LEAF = -1
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
EXACT_BITS = {"float64": 50, "float32": 21}  # sums below 2^bits units are exact, and divisions keep them apart
MOST_SHIFT = 52
SUM_BITS = 60
EXTRA_OPERATIONS = 8  # learning rate, base value, division by the number of trees, a subtracted threshold

Precision = Literal["float32", "float64"]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One tree as its library holds it; node 0 is the root, `feature` is LEAF (-1) at leaves.

    feature, left, right: int (n,); threshold: float64 (n,), left where x <= threshold; value: float64 (n, K) of leaves.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How the model compares inputs and adds values up; `exact`: nothing but plain sums, so they may be exact.

    `ties`: whether the class that comes first surely wins between equal scores.
    """

    inputs: Precision
    sums: Precision
    exact: bool
    ties: Literal["first", "unspecified"]


@dataclass(frozen=True, kw_only=True)
class TreeEnsemble:
    """feature, cut, left, right: int32 (N,), `cut` is a cell; value: int64 (N, K); roots: (T,); base: int64 (K,).

    `cuts` holds the sorted thresholds of each feature (D), in `arithmetic.inputs`.
    """

    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.int64]
    roots: NDArray[np.int32]
    base: NDArray[np.int64]
    cuts: tuple[NDArray[np.float64], ...]
    arithmetic: Arithmetic
    shift: int
    rounding: int

    @property
    def n_features(self) -> int:
        """D, the number of features."""
        return len(self.cuts)

    @property
    def n_classes(self) -> int:
        """K, the number of classes."""
        return len(self.base)

    def cells(self, x_BD: NDArray[np.float64]) -> NDArray[np.int32]:
        """Cell of every coordinate, int32 (B, D); InputError for inputs that are not finite numbers of D features."""
        if x_BD.ndim != 2 or x_BD.shape[1] != self.n_features:
            what = f"rows of {self.n_features} features"
            raise InputError(expected(what, got=x_BD.shape, remedy="pass the features that the model was fitted on"))
        cast_BD = as_compared(x_BD, self.arithmetic.inputs)
        if not np.isfinite(cast_BD).all():
            raise InputError(expected("finite inputs", got="missing or infinite ones", remedy="fill them in first"))
        columns = [np.searchsorted(cuts, cast_BD[:, d], side="left") for d, cuts in enumerate(self.cuts)]
        return np.stack(columns, axis=1).astype(np.int32)

    def scores(self, cells_BD: NDArray[np.int32]) -> NDArray[np.int64]:
        """Scores int64 (B, K) in units of 2^-shift."""
        rows = np.arange(len(cells_BD))[:, None]
        node_BT = np.broadcast_to(self.roots, (len(cells_BD), len(self.roots)))
        while (inner_BT := self.feature[node_BT] != LEAF).any():
            below_BT = cells_BD[rows, np.maximum(self.feature[node_BT], 0)] <= self.cut[node_BT]
            node_BT = np.where(inner_BT, np.where(below_BT, self.left[node_BT], self.right[node_BT]), node_BT)
        scores: NDArray[np.int64] = self.value[node_BT].sum(axis=1) + self.base
        return scores

    def safe_from(self, label: int, rival: int) -> int:
        """Score of `label` less that of `rival` from which on the model surely prefers `label`, in units."""
        wins_ties = self.rounding == 0 and self.arithmetic.ties == "first" and label < rival
        return 0 if wins_ties else self.rounding + 1

    def sure_class(self, scores_K: NDArray[np.int64]) -> int | None:
        """The class that the model surely gives; None where rounding or a tie decides."""
        best = int(np.argmax(scores_K))
        rivals = [rival for rival in range(self.n_classes) if rival != best]
        sure = all(scores_K[best] - scores_K[rival] >= self.safe_from(best, rival) for rival in rivals)
        return best if sure else None


def as_compared(x: NDArray[np.float64], precision: Precision) -> NDArray[np.float64]:
    """Inputs as the model sees them: cast to `precision`, held in float64."""
    if precision == "float64":
        return x.astype(np.float64)
    with np.errstate(over="ignore"):
        return x.astype(np.float32).astype(np.float64)


def build_ensemble(
    trees: Sequence[Tree], *, base: Sequence[float], n_features: int, arithmetic: Arithmetic
) -> TreeEnsemble:
    """One ensemble of `trees`, whose leaf values add up to `base` (K,); ModelError for trees that are none."""
    base_K = np.asarray(base, dtype=np.float64)
    for tree in trees:
        _require_tree(tree, n_features=n_features, n_classes=len(base_K))
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
    threshold = floored(np.concatenate([tree.threshold for tree in trees]), arithmetic.inputs)
    offset = np.cumsum([0, *(len(tree.feature) for tree in trees)])
    cuts = tuple(np.unique(threshold[feature == d]) for d in range(n_features))
    value = np.concatenate([np.where((tree.feature == LEAF)[:, None], tree.value, 0.0) for tree in trees])
    shift, rounding = _units(value, base_K, trees=trees, arithmetic=arithmetic)
    return TreeEnsemble(
        feature=feature,
        cut=_cut_numbers(feature, threshold, cuts),
        left=np.concatenate([tree.left + at for tree, at in zip(trees, offset, strict=False)]).astype(np.int32),
        right=np.concatenate([tree.right + at for tree, at in zip(trees, offset, strict=False)]).astype(np.int32),
        value=np.rint(value * 2.0**shift).astype(np.int64),
        roots=offset[:-1].astype(np.int32),
        base=np.rint(base_K * 2.0**shift).astype(np.int64),
        cuts=cuts,
        arithmetic=arithmetic,
        shift=shift,
        rounding=rounding,
    )


def floored(threshold: NDArray[np.float64], precision: Precision) -> NDArray[np.float64]:
    """The largest numbers of `precision` that are at most `threshold`: no input lies in between."""
    if precision == "float64":
        return threshold
    with np.errstate(over="ignore"):
        cast = threshold.astype(np.float32)
        below = np.nextafter(cast, np.float32(-np.inf))
    return np.where(cast.astype(np.float64) > threshold, below, cast).astype(np.float64)


def _cut_numbers(
    feature: NDArray[np.int32], threshold: NDArray[np.float64], cuts: Sequence[NDArray[np.float64]]
) -> NDArray[np.int32]:
    cut = np.zeros(len(feature), dtype=np.int32)
    for d, values in enumerate(cuts):
        cut[feature == d] = np.searchsorted(values, threshold[feature == d])
    return cut


def _units(
    value: NDArray[np.float64], base_K: NDArray[np.float64], *, trees: Sequence[Tree], arithmetic: Arithmetic
) -> tuple[int, int]:
    """Shift and rounding: 0 where all values are whole units and no sum can round."""
    most = (float(np.abs(tree.value[tree.feature == LEAF]).max(initial=0.0)) for tree in trees)
    largest = float(np.abs(base_K).max()) + sum(most)
    values = np.append(value.ravel(), base_K)
    for shift in range(EXACT_BITS[arithmetic.sums] if arithmetic.exact else 0):
        whole = bool((values * 2.0**shift == np.rint(values * 2.0**shift)).all())
        if whole and largest * 2.0**shift <= 2.0 ** EXACT_BITS[arithmetic.sums]:
            return shift, 0
    shift = min(MOST_SHIFT, SUM_BITS - max(0, math.ceil(math.log2(max(largest, 1.0)))))
    operations = 2 * len(trees) + EXTRA_OPERATIONS
    summed = 1.01 * operations * ROUNDOFF[arithmetic.sums] * largest * 2.0**shift
    return shift, 2 * math.ceil(summed + (len(trees) + 1) / 2)


def _require_tree(tree: Tree, *, n_features: int, n_classes: int) -> None:
    """ModelError unless children come after their parents, so that every walk ends, and numbers are finite."""
    n = len(tree.feature)
    inner = np.flatnonzero(tree.feature != LEAF)
    children = np.concatenate((tree.left[inner], tree.right[inner]))
    parents = np.concatenate((inner, inner))
    faults = (
        (n == 0, "a tree without nodes"),
        (tree.value.shape != (n, n_classes), f"values {tree.value.shape}, not {(n, n_classes)}"),
        (bool((tree.feature < LEAF).any() or (tree.feature >= n_features).any()), "a feature that inputs don't have"),
        (bool((children <= parents).any() or (children >= n).any()), "children that don't follow their parents"),
        (
            bool(np.isnan(tree.threshold[inner]).any() or not np.isfinite(tree.value).all()),
            "numbers that are not finite",
        ),
    )
    for fault, got in faults:
        if fault:
            raise ModelError(expected("trees of finite numbers", got=got, remedy="export or fit the model again"))
