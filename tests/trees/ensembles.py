"""Random small data, fitted ensembles of every kind, and the oracle: every cell of the grid of thresholds, asked."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

KINDS = ("forest", "pure forest", "extra trees", "boosting", "histogram boosting", "tree")
ROWS = 80


def fitted(kind: str, x: NDArray[np.float64], y: NDArray[np.int64], *, seed: int) -> Any:
    """A small estimator of `kind`, fitted."""
    made = {
        "forest": lambda: RandomForestClassifier(4, max_depth=3, random_state=seed),
        "pure forest": lambda: RandomForestClassifier(4, max_samples=15, random_state=seed),
        "extra trees": lambda: ExtraTreesClassifier(4, max_leaf_nodes=6, random_state=seed),
        "boosting": lambda: GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=seed),
        "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=4, max_depth=2, min_samples_leaf=4),
        "tree": lambda: DecisionTreeClassifier(max_depth=5, random_state=seed),
    }[kind]()
    return made.fit(x, y)


def random_data(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """x (80, 2 or 3), on a coarse grid for every second seed, so that thresholds tie; y of 2 to 4 classes."""
    generator = np.random.default_rng(seed)
    D, K = int(generator.integers(2, 4)), int(generator.integers(2, 5))
    x = generator.normal(size=(ROWS, D))
    if seed % 2:
        x = np.round(x * 3) / 3
    y = (x @ generator.normal(size=(D, K)) + generator.normal(size=(ROWS, K)) / 2).argmax(axis=1)
    y[:K] = range(K)
    return x, y


def thresholds_of(estimator: Any) -> list[set[float]]:
    """All thresholds of every feature, read off the estimator, not off our representation of it."""
    found: list[set[float]] = [set() for _ in range(estimator.n_features_in_)]
    if hasattr(estimator, "_predictors"):
        for member in (tree for stage in estimator._predictors for tree in stage):
            for node in member.nodes[member.nodes["is_leaf"] == 0]:
                found[node["feature_idx"]].add(float(node["num_threshold"]))
        return found
    members = np.ravel(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]
    for tree in (member.tree_ for member in members):
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            if feature >= 0:
                found[feature].add(float(threshold))
    return found


def next_to(threshold: float) -> list[float]:
    """The threshold, and the numbers of float64 and float32 around it."""
    narrow = np.float32(threshold)
    with np.errstate(over="ignore"):
        sides = [float(np.nextafter(narrow, np.float32(sign * np.inf))) for sign in (-1, 1)]
    return [
        threshold,
        float(np.nextafter(threshold, -np.inf)),
        float(np.nextafter(threshold, np.inf)),
        float(narrow),
        *sides,
    ]


def points_of_all_cells(
    estimator: Any, lower: NDArray[np.float64], upper: NDArray[np.float64], *, centre: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """A point in every cell of the grid of thresholds within lower ... upper: the ends, and beside each threshold."""
    axes = []
    for d, thresholds in enumerate(thresholds_of(estimator)):
        values = {float(lower[d]), float(upper[d]), *([] if centre is None else [float(centre[d])])}
        for threshold in thresholds:
            below, above = (threshold, float(np.nextafter(threshold, np.inf)))
            if not hasattr(estimator, "_predictors"):
                around = sorted(next_to(threshold))
                below = max(value for value in around if float(np.float32(value)) <= threshold)
                above = min(value for value in around if float(np.float32(value)) > threshold)
            values |= {value for value in (below, above) if lower[d] <= value <= upper[d]}
        axes.append(sorted(values))
    return np.array(list(product(*axes)))


def points_around_thresholds(estimator: Any, *, count: int, seed: int) -> NDArray[np.float64]:
    """Random points whose every coordinate is a threshold or a neighbour of one in floating point."""
    generator = np.random.default_rng(seed)
    axes = [[value for t in sorted(found) for value in next_to(t)] or [0.0] for found in thresholds_of(estimator)]
    return np.stack([generator.choice(axis, size=count) for axis in axes], axis=1)
