"""The nodes_* attributes of ONNX-ML's tree operators as trees whose children follow their parents.

Shapes: n nodes of one tree, K classes. Source: ai.onnx.ml TreeEnsembleClassifier: nodes_*, class_*, target_*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import ModelError, expected
from robustcert.trees.ensemble import LEAF, Tree

MODES = ("LEAF", "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE")
STRICT, SWAPPED = ("BRANCH_LT", "BRANCH_GTE"), ("BRANCH_GT", "BRANCH_GTE")

Key = tuple[int, int]


def trees_of(
    attributes: dict[str, Any],
    weights: NDArray[np.float64],
    *,
    kind: str,
    ids: Sequence[int],
    n_classes: int,
    source: str,
) -> list[Tree]:
    """Trees of a `kind` "class" or "target" operator, in the order of their numbers; ModelError where they are none."""
    keys = list(zip(attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True))
    row_of = {key: row for row, key in enumerate(keys)}
    modes = [mode.decode() for mode in attributes["nodes_modes"]]
    unknown = sorted(set(modes) - set(MODES))
    if unknown or len(row_of) != len(keys):
        raise _broken(f"nodes of mode {unknown[0]}" if unknown else "nodes with the same number", source=source)
    value_NK = np.zeros((len(keys), n_classes))
    leaves = zip(attributes[f"{kind}_treeids"], attributes[f"{kind}_nodeids"], strict=True)
    for key, column, weight in zip(leaves, ids, weights.tolist(), strict=True):
        if key not in row_of or not 0 <= column < n_classes:
            raise _broken(f"a weight for node {key}, class {column}", source=source)
        value_NK[row_of[key], column] += weight
    return [
        _tree(attributes, modes, value_NK, row_of, number, source=source)
        for number in sorted(set(attributes["nodes_treeids"]))
    ]


def _tree(
    attributes: dict[str, Any],
    modes: list[str],
    value_NK: NDArray[np.float64],
    row_of: dict[Key, int],
    number: int,
    *,
    source: str,
) -> Tree:
    order = _order(attributes, modes, row_of, number, source=source)
    place = {row: at for at, row in enumerate(order)}
    leaf = np.array([modes[row] == "LEAF" for row in order])
    strict = np.array([modes[row] in STRICT for row in order])
    threshold = np.array([attributes["nodes_values"][row] for row in order], dtype=np.float32)
    threshold = np.where(strict, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    children = [_children(attributes, modes, row_of, number, row) or (LEAF, LEAF) for row in order]
    left, right = (np.array([place.get(pair[side], LEAF) for pair in children], dtype=np.int64) for side in (0, 1))
    feature = np.array([attributes["nodes_featureids"][row] for row in order], dtype=np.int64)
    return Tree(
        feature=np.where(leaf, LEAF, feature),
        threshold=threshold.astype(np.float64),
        left=left,
        right=right,
        value=value_NK[order],
    )


def _order(
    attributes: dict[str, Any], modes: list[str], row_of: dict[Key, int], number: int, *, source: str
) -> list[int]:
    """Rows of one tree from its root, every parent before its children, each once.

    The root must be listed first: runtimes start there, whatever its number.
    """
    rows = [row for (tree, _), row in row_of.items() if tree == number]
    missing = -1
    below = {child for row in rows for child in _children(attributes, modes, row_of, number, row)}
    roots = [row for row in rows if row not in below]
    order = roots[:1]
    for row in order:  # grows while it is walked
        order.extend(_children(attributes, modes, row_of, number, row))
        if len(order) > len(rows):
            break
    if roots != rows[:1] or missing in below or sorted(order) != sorted(rows):
        raise _broken(f"nodes of tree {number} that form no tree from the first on", source=source)
    return order


def _children(
    attributes: dict[str, Any], modes: list[str], row_of: dict[Key, int], number: int, row: int
) -> tuple[int, ...]:
    """Rows of the branch at or below the threshold, then of the other; none at a leaf, -1 for a missing node."""
    if modes[row] == "LEAF":
        return ()
    pair = [row_of.get((number, attributes[name][row]), -1) for name in ("nodes_truenodeids", "nodes_falsenodeids")]
    return tuple(pair[::-1] if modes[row] in SWAPPED else pair)


def _broken(got: str, *, source: str) -> ModelError:
    remedy = "export the model again"
    return ModelError(expected("trees of an ONNX-ML file", got=f"{got} in {source}", remedy=remedy))
