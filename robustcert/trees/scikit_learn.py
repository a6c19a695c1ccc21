"""Tree ensembles from fitted scikit-learn estimators, in memory: nothing is unpickled.

Sources: scikit-learn's tree/_tree.pyx (inputs cast to float32, `x <= threshold`), ensemble/_forest.py (mean of the
trees' class shares, first class wins a tie), ensemble/_gb.py (float64 sums of learning_rate * value),
ensemble/_hist_gradient_boosting/_predictor.pyx (float64 inputs, `x <= num_threshold`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import ModelError, expected
from robustcert.trees.ensemble import LEAF, Arithmetic, Tree, TreeEnsemble, build_ensemble

FOREST = Arithmetic(inputs="float32", sums="float64", exact=True, ties="first")
BOOSTING = Arithmetic(inputs="float32", sums="float64", exact=False, ties="unspecified")
HISTOGRAM_BOOSTING = Arithmetic(inputs="float64", sums="float64", exact=False, ties="unspecified")
KNOWN = "DecisionTree, RandomForest, ExtraTrees, GradientBoosting or HistGradientBoosting classifier"

Estimator = Any  # scikit-learn is published without types


def from_estimator(estimator: Estimator) -> TreeEnsemble:
    """The neutral form of a fitted classifier; classes are numbered as in its `classes_`.

    Raises ModelError for other estimators, several outputs, categorical features and an `init` that looks at the input.
    """
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.tree import DecisionTreeClassifier
    from sklearn.utils.validation import check_is_fitted

    readers = (
        ((RandomForestClassifier, ExtraTreesClassifier), _forest),
        ((DecisionTreeClassifier,), _tree),
        ((GradientBoostingClassifier,), _boosting),
        ((HistGradientBoostingClassifier,), _histogram_boosting),
    )
    for kinds, reader in readers:
        if isinstance(estimator, kinds):
            check_is_fitted(estimator)
            return reader(estimator)
    raise _refusal(type(estimator).__name__)


def _forest(estimator: Estimator) -> TreeEnsemble:
    _require_one_output(estimator)
    K = len(estimator.classes_)
    trees = [_arrays(member.tree_, member.tree_.value[:, 0, :]) for member in estimator.estimators_]
    return build_ensemble(trees, base=[0.0] * K, n_features=estimator.n_features_in_, arithmetic=FOREST)


def _tree(estimator: Estimator) -> TreeEnsemble:
    _require_one_output(estimator)
    trees = [_arrays(estimator.tree_, _ranks(estimator.tree_.value[:, 0, :]))]
    base = [0.0] * len(estimator.classes_)
    return build_ensemble(trees, base=base, n_features=estimator.n_features_in_, arithmetic=FOREST)


def _boosting(estimator: Estimator) -> TreeEnsemble:
    from sklearn.dummy import DummyClassifier

    if estimator.init_ != "zero" and not isinstance(estimator.init_, DummyClassifier):
        raise _refusal(f"one that starts from {type(estimator.init_).__name__}")
    D, K = estimator.n_features_in_, len(estimator.classes_)
    start = estimator._raw_predict_init(np.zeros((1, D), dtype=np.float32))[0]
    trees = [
        _arrays(member.tree_, _column(estimator.learning_rate * member.tree_.value[:, 0, 0], k, K))
        for stage in estimator.estimators_
        for k, member in enumerate(stage)
    ]
    base = [0.0, float(start[0])] if K == 2 else [float(value) for value in start]
    return build_ensemble(trees, base=base, n_features=D, arithmetic=BOOSTING)


def _histogram_boosting(estimator: Estimator) -> TreeEnsemble:
    K = len(estimator.classes_)
    nodes = [(k, member.nodes) for stage in estimator._predictors for k, member in enumerate(stage)]
    categorical = estimator.is_categorical_  # such features come first in the trees, also where no split uses them
    if (categorical is not None and np.any(categorical)) or any(part["is_categorical"].any() for _, part in nodes):
        raise _refusal("one with categorical features")
    trees = [
        Tree(
            feature=np.where(part["is_leaf"], LEAF, part["feature_idx"]).astype(np.int64),
            threshold=part["num_threshold"].astype(np.float64),
            left=part["left"].astype(np.int64),
            right=part["right"].astype(np.int64),
            value=_column(part["value"].astype(np.float64), k, K),
        )
        for k, part in nodes
    ]
    start = np.ravel(estimator._baseline_prediction)
    base = [0.0, float(start[0])] if K == 2 else [float(value) for value in start]
    return build_ensemble(trees, base=base, n_features=estimator.n_features_in_, arithmetic=HISTOGRAM_BOOSTING)


def _arrays(tree: Any, value_nK: NDArray[np.float64]) -> Tree:
    leaf = tree.children_left == LEAF
    return Tree(
        feature=np.where(leaf, LEAF, tree.feature).astype(np.int64),
        threshold=tree.threshold.astype(np.float64),
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        value=np.asarray(value_nK, dtype=np.float64),
    )


def _ranks(value_nK: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many classes are below each: one tree alone compares and adds nothing, so its order is exact."""
    ranks_nK = np.zeros_like(value_nK)
    for k in range(value_nK.shape[1]):
        ranks_nK += value_nK > value_nK[:, [k]]
    return ranks_nK


def _column(value_n: NDArray[np.float64], k: int, n_classes: int) -> NDArray[np.float64]:
    """Values (n, K) of a tree that speaks for class k alone; of two classes, for the second against 0."""
    value_nK = np.zeros((len(value_n), n_classes))
    value_nK[:, 1 if n_classes == 2 else k] = value_n
    return value_nK


def _require_one_output(estimator: Estimator) -> None:
    if estimator.n_outputs_ != 1:
        raise _refusal(f"one with {estimator.n_outputs_} outputs")


def _refusal(got: str) -> ModelError:
    return ModelError(expected(f"a {KNOWN}", got=got, remedy="verify one of these, or an ONNX file of it"))
