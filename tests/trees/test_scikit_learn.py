"""Which estimators are read, and which are refused by name; what they decide is tested in test_ensemble.py."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from robustcert.errors import ModelError
from robustcert.trees.scikit_learn import from_estimator
from tests.trees.ensembles import fitted, random_data


def test_the_leaves_of_a_forest_are_its_trees_leaves() -> None:
    x, y = random_data(1)
    estimator = fitted("forest", x, y, seed=0)
    ensemble = from_estimator(estimator)
    assert (ensemble.feature == -1).sum() == sum(member.get_n_leaves() for member in estimator.estimators_)
    assert len(ensemble.roots) == len(estimator.estimators_)


def test_boosting_that_starts_from_zero_is_read() -> None:
    x, y = random_data(2)
    estimator = GradientBoostingClassifier(n_estimators=3, init="zero").fit(x, y)
    ensemble = from_estimator(estimator)
    assert ensemble.base.tolist() == [0] * ensemble.n_classes
    assert ensemble.scores(ensemble.cells(x)).argmax(axis=1).tolist() == estimator.predict(x).tolist()


def test_other_estimators_are_refused_by_name() -> None:
    x, y = random_data(2)
    with pytest.raises(ModelError, match="HistGradientBoosting classifier, got AdaBoostClassifier"):
        from_estimator(AdaBoostClassifier().fit(x, y))
    with pytest.raises(ModelError, match="got one that starts from LogisticRegression"):
        from_estimator(GradientBoostingClassifier(init=LogisticRegression(), n_estimators=2).fit(x, y))
    with pytest.raises(ModelError, match="got one with 2 outputs"):
        from_estimator(fitted("forest", x, np.stack((y, y), axis=1), seed=0))


def test_categorical_splits_are_refused() -> None:
    x = np.random.default_rng(0).integers(0, 5, size=(200, 2)).astype(float)
    y = (x[:, 0] % 2).astype(int)
    estimator = HistGradientBoostingClassifier(categorical_features=[0], max_iter=2).fit(x, y)
    with pytest.raises(ModelError, match="got one with categorical features"):
        from_estimator(estimator)


def test_a_categorical_feature_that_no_split_uses_is_refused_because_it_moves_the_others() -> None:
    x = np.random.default_rng(0).random((400, 4))
    x[:, 3] = np.floor(3 * x[:, 3])
    estimator = HistGradientBoostingClassifier(categorical_features=[3], max_iter=2, max_leaf_nodes=2)
    estimator.fit(x, (x[:, 0] > 0.5).astype(int))
    assert not any(tree.nodes["is_categorical"].any() for stage in estimator._predictors for tree in stage)
    with pytest.raises(ModelError, match="got one with categorical features"):
        from_estimator(estimator)


def test_an_estimator_must_be_fitted() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        from_estimator(GradientBoostingClassifier())
