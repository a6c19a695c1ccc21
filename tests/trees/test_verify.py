"""Verdicts against every cell of the grid of thresholds, on hundreds of random ensembles, and random attacks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from robustcert.errors import InputError, ValidityError
from robustcert.trees.scikit_learn import from_estimator
from robustcert.trees.verify import Effort, verify_sample
from tests.trees.ensembles import KINDS, fitted, points_of_all_cells, random_data

EPSILONS = (0.03, 0.15, 0.4, 0.9)
EXHAUSTIVE = 40_000


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_are_those_of_every_cell(kind: str) -> None:
    """40 ensembles a kind, 4 samples each, with an immutable feature and a domain for some."""
    seen = {"verified": 0, "falsified": 0, "wrong": 0, "unknown": 0}
    for seed in range(40):
        x, y = random_data(seed)
        estimator = fitted(kind, x, y, seed=seed)
        ensemble = from_estimator(estimator)
        domain = (
            (x.min(axis=0), x.max(axis=0)) if seed % 3 == 0 else (np.full(x.shape[1], -9.0), np.full(x.shape[1], 9.0))
        )
        for row in range(4, 8):
            epsilon = np.full(x.shape[1], EPSILONS[(seed + row) % 4])
            epsilon[0] *= seed % 4 != 1
            low, high = np.maximum(x[row] - epsilon, domain[0]), np.minimum(x[row] + epsilon, domain[1])
            points = points_of_all_cells(estimator, low, high)
            assert len(points) <= EXHAUSTIVE
            found = verify_sample(ensemble, x[row], int(y[row]), epsilon, lower_D=domain[0], upper_D=domain[1])
            seen[found.verdict] += 1
            classes = estimator.predict(np.vstack((x[[row]], points)))
            if found.verdict == "wrong":
                assert classes[0] != y[row]
            elif found.verdict == "verified":
                assert (classes == y[row]).all()
            elif found.verdict == "falsified":
                witness = found.witness
                assert witness is not None
                assert all(
                    abs(Fraction(a) - Fraction(b)) <= Fraction(e)
                    for a, b, e in zip(witness, x[row], epsilon, strict=True)
                )
                assert ((domain[0] <= witness) & (witness <= domain[1])).all()
                assert estimator.predict(witness[None])[0] == found.found != y[row]
    assert min(seen["verified"], seen["falsified"], seen["wrong"]) >= 10
    assert seen["unknown"] <= 5  # only where rounding decides


@pytest.mark.parametrize("kind", ["forest", "boosting", "histogram boosting"])
def test_no_random_attack_breaks_a_verified_sample(kind: str) -> None:
    """Larger ensembles in 8 dimensions: 2000 inputs of each ball, half of them at its corners."""
    from sklearn.datasets import make_classification

    x, y = make_classification(300, 8, n_informative=5, n_classes=3, random_state=2)
    estimator = fitted(kind, x, y, seed=3)
    estimator.set_params(**({"max_iter": 20} if kind == "histogram boosting" else {"n_estimators": 20})).fit(x, y)
    ensemble = from_estimator(estimator)
    generator, verified, broken = np.random.default_rng(0), 0, 0
    for row in range(25):
        found = verify_sample(ensemble, x[row], int(y[row]), np.full(8, 0.3))
        offsets = generator.uniform(-0.3, 0.3, size=(2000, 8))
        offsets[::2] = 0.3 * np.sign(offsets[::2])
        changed = (estimator.predict(x[row] + offsets) != y[row]).any()
        verified += found.verdict == "verified"
        broken += bool(changed)
        assert not (changed and found.verdict == "verified")
    assert verified >= 3
    assert broken >= 3


def test_the_ball_ends_where_floating_point_says_exactly() -> None:
    """A threshold at x + epsilon is not crossed; one step of float32 below it is."""
    estimator = fitted("pure forest", np.array([[0.0], [1.0]]), np.array([0, 1]), seed=0)
    estimator.set_params(n_estimators=1, bootstrap=False, max_samples=None).fit(np.array([[0.0], [1.0]]), [0, 1])
    ensemble = from_estimator(estimator)
    assert ensemble.cuts[0].tolist() == [0.5]
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    halfway = (0.5 + above) / 2  # rounds to even, which is 0.5
    for reach, verdict in (
        (0.5, "verified"),
        (halfway, "verified"),
        (np.nextafter(halfway, 1), "falsified"),
        (above, "falsified"),
    ):
        found = verify_sample(ensemble, np.array([0.25]), 0, np.array([reach - 0.25]))
        assert found.verdict == verdict
        assert (estimator.predict([[reach]])[0] == 0) == (verdict == "verified")


def test_a_search_that_may_not_go_on_gives_unknown() -> None:
    from sklearn.datasets import make_classification

    x, y = make_classification(400, 10, n_informative=8, random_state=0, flip_y=0.2)
    estimator = fitted("boosting", x, y, seed=0).set_params(n_estimators=40, max_depth=3).fit(x, y)
    ensemble = from_estimator(estimator)
    verdicts = {}
    for effort in (Effort(nodes=1, leaves=1), Effort()):
        found = [verify_sample(ensemble, x[row], int(y[row]), np.full(10, 0.25), effort=effort) for row in range(25)]
        verdicts[effort.nodes] = [part.verdict for part in found]
    assert "unknown" in verdicts[1]
    assert all(short in (full, "unknown") or full == "unknown" for short, full in zip(*verdicts.values(), strict=True))
    assert verdicts[10_000].count("unknown") < verdicts[1].count("unknown")


def test_a_model_that_contradicts_its_own_trees_is_reported() -> None:
    x, y = random_data(0)
    ensemble = from_estimator(fitted("pure forest", x, y, seed=0))
    with pytest.raises(ValidityError, match="of the model, as its trees add up, got 7"):
        verify_sample(ensemble, x[0], int(y[0]), np.full(x.shape[1], 0.1), predict=lambda x_D: 7)


def test_what_does_not_fit_is_refused() -> None:
    x, y = random_data(0)
    ensemble, D = from_estimator(fitted("tree", x, y, seed=0)), x.shape[1]
    with pytest.raises(InputError, match="expected a label below"):
        verify_sample(ensemble, x[0], 9, np.full(D, 0.1))
    with pytest.raises(InputError, match="expected a finite epsilon per feature"):
        verify_sample(ensemble, x[0], 0, np.full(D, -0.1))
    with pytest.raises(InputError, match="expected a sample within its domain"):
        verify_sample(ensemble, x[0], 0, np.full(D, 0.1), lower_D=x[0] + 1)
