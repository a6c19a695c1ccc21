"""The neutral form decides as scikit-learn does, on thresholds, next to them, and far away."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from robustcert.errors import InputError, ModelError
from robustcert.trees.ensemble import LEAF, Arithmetic, Tree, build_ensemble, floored
from robustcert.trees.scikit_learn import from_estimator
from tests.trees.ensembles import KINDS, fitted, points_around_thresholds, points_of_all_cells, random_data

PLAIN = Arithmetic(inputs="float64", sums="float64", exact=True, ties="first")


def stump(threshold: float, low: list[float], high: list[float]) -> Tree:
    return Tree(
        feature=np.array([0, LEAF, LEAF]),
        threshold=np.array([threshold, 0, 0]),
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        value=np.array([[0.0, 0.0], low, high]),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_those_of_the_estimator_around_every_threshold(kind: str) -> None:
    sure = 0
    for seed in range(6):
        x, y = random_data(seed)
        estimator = fitted(kind, x, y, seed=seed)
        ensemble = from_estimator(estimator)
        points = np.vstack((points_around_thresholds(estimator, count=1000, seed=seed), x))
        scores = ensemble.scores(ensemble.cells(points))
        given = estimator.predict(points)
        classes = [ensemble.sure_class(row) for row in scores]
        sure += sum(found is not None for found in classes)
        assert all(found in (None, int(asked)) for found, asked in zip(classes, given, strict=True))
    assert sure > 3000


def test_pure_forests_are_exact_and_the_first_class_wins_ties() -> None:
    x, y = random_data(4)
    estimator = fitted("pure forest", x, y, seed=1)
    ensemble = from_estimator(estimator)
    points = points_of_all_cells(estimator, x.min(axis=0), x.max(axis=0))[::7]
    scores = ensemble.scores(ensemble.cells(points))
    ties = np.sort(scores, axis=1)[:, -1] == np.sort(scores, axis=1)[:, -2]
    assert (ensemble.rounding, ensemble.shift) == (0, 0)
    assert ties.any()
    assert [ensemble.sure_class(row) for row in scores] == estimator.predict(points).tolist()


def test_scores_are_within_rounding_of_the_estimators_own() -> None:
    x, y = random_data(4)
    for kind in ("boosting", "histogram boosting"):
        estimator = fitted(kind, x, y, seed=0)
        ensemble = from_estimator(estimator)
        own = ensemble.scores(ensemble.cells(x)).astype(float) / 2.0**ensemble.shift
        raw = estimator.decision_function(x)
        margins = own[:, 1] - own[:, 0] if raw.ndim == 1 else own - own[:, :1]
        theirs = raw if raw.ndim == 1 else raw - raw[:, :1]
        assert np.abs(margins - theirs).max() <= 2 * ensemble.rounding / 2.0**ensemble.shift
        assert 0 < ensemble.rounding / 2.0**ensemble.shift < 1e-12


def test_a_float32_threshold_is_floored_to_where_no_input_lies_in_between() -> None:
    thresholds = np.array([0.1, 1 / 3, 0.5, -0.1, 1e-50, 3.5e38])
    down = floored(thresholds, "float32")
    assert (down <= thresholds).all()
    with np.errstate(over="ignore"):
        up = np.nextafter(down.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    assert (up > thresholds).all()
    assert down[2] == 0.5
    assert floored(thresholds, "float64").tolist() == thresholds.tolist()


def test_inputs_are_cast_before_they_are_compared() -> None:
    """0.1 as float32 lies above 0.1: a float32 forest sends it right of a threshold of 0.1, a float64 one left."""
    tree = stump(0.1, [1, 0], [0, 1])
    for precision, expected_class in (("float32", 1), ("float64", 0)):
        arithmetic = Arithmetic(inputs=precision, sums="float64", exact=True, ties="first")
        ensemble = build_ensemble([tree], base=[0, 0], n_features=1, arithmetic=arithmetic)
        assert ensemble.sure_class(ensemble.scores(ensemble.cells(np.array([[0.1]])))[0]) == expected_class


def test_float32_forests_of_scikit_learn_do_so_too() -> None:
    x = np.array([[0.1], [np.nextafter(0.1, 1)], [0.2], [0.0]])
    forest = RandomForestClassifier(3, bootstrap=False, random_state=0).fit(x[[2, 3]], [1, 0])
    boosting = GradientBoostingClassifier(n_estimators=2).fit(np.tile(x[[2, 3]], (5, 1)), [1, 0] * 5)
    for estimator in (forest, boosting):
        ensemble = from_estimator(estimator)
        near = np.nextafter(np.float64(ensemble.cuts[0][0]), np.array([-np.inf, 0.05, np.inf]))[:, None]
        scores = ensemble.scores(ensemble.cells(near))
        assert scores.argmax(axis=1).tolist() == estimator.predict(near).tolist()


def test_values_that_no_sum_can_round_are_whole_units() -> None:
    ensemble = build_ensemble([stump(0, [0.5, 0.25], [0, 1])] * 3, base=[0, 0.125], n_features=1, arithmetic=PLAIN)
    assert (ensemble.shift, ensemble.rounding) == (3, 0)
    assert ensemble.scores(np.array([[0]], dtype=np.int32)).tolist() == [[12, 7]]


def test_values_that_sums_may_round_leave_a_margin() -> None:
    ensemble = build_ensemble([stump(0, [0.1, 0], [0, 0.1])] * 3, base=[0, 0], n_features=1, arithmetic=PLAIN)
    assert ensemble.rounding > 3
    assert ensemble.sure_class(np.array([ensemble.rounding, 0])) is None
    assert ensemble.sure_class(np.array([ensemble.rounding + 1, 0])) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": np.array([0, LEAF, LEAF])}, "children that don't follow their parents"),
        ({"right": np.array([3, LEAF, LEAF])}, "children that don't follow their parents"),
        ({"feature": np.array([1, LEAF, LEAF])}, "a feature that inputs don't have"),
        ({"threshold": np.array([np.nan, 0, 0])}, "numbers that are not finite"),
        ({"value": np.zeros((3, 3))}, r"values \(3, 3\), not \(3, 2\)"),
    ],
)
def test_what_is_no_tree_is_refused(change: dict[str, object], message: str) -> None:
    tree = Tree(**{**vars(stump(0, [1, 0], [0, 1])), **change})
    with pytest.raises(ModelError, match=message):
        build_ensemble([tree], base=[0, 0], n_features=1, arithmetic=PLAIN)


def test_inputs_that_are_no_numbers_are_refused() -> None:
    ensemble = build_ensemble([stump(0, [1, 0], [0, 1])], base=[0, 0], n_features=1, arithmetic=PLAIN)
    with pytest.raises(InputError, match="expected finite inputs, got missing or infinite ones"):
        ensemble.cells(np.array([[np.nan]]))
    with pytest.raises(InputError, match=r"expected rows of 1 features, got \(1, 2\)"):
        ensemble.cells(np.zeros((1, 2)))
