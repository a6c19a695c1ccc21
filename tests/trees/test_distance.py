"""Distances against the nearest cell of another class, found by asking every cell."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.errors import InputError
from robustcert.trees.distance import adversarial_distance
from robustcert.trees.scikit_learn import from_estimator
from tests.trees.ensembles import fitted, points_of_all_cells, random_data


@pytest.mark.parametrize("kind", ["forest", "boosting", "histogram boosting"])
def test_the_distance_is_that_of_the_nearest_cell_of_another_class(kind: str) -> None:
    measured = 0
    for seed in range(8):
        x, y = random_data(seed)
        estimator = fitted(kind, x, y, seed=seed)
        scale = np.array([1.0, 0.5, 2.0])[: x.shape[1]]
        for row in (5, 6):
            points = points_of_all_cells(estimator, x.min(axis=0) - 8, x.max(axis=0) + 8, centre=x[row])
            classes = estimator.predict(points)
            found = adversarial_distance(
                from_estimator(estimator),
                x[row],
                int(y[row]),
                scale_D=scale,
                most=3.0,
            )
            distance = np.abs((points[classes != y[row]] - x[row]) / scale).max(axis=1).min()
            if found.verified is None:
                assert (found.falsified, estimator.predict(x[[row]])[0] != y[row]) == (0.0, True)
            elif found.falsified is None:
                assert found.verified == 3.0 < distance
            else:
                assert found.verified < distance <= found.falsified
                if found.settled:  # else a cell in between is left to rounding
                    measured += 1
                    assert found.falsified <= found.verified + 1e-3
                    assert found.falsified == pytest.approx(distance, rel=1e-5)
    assert measured >= 5


def test_what_does_not_fit_is_refused() -> None:
    x, y = random_data(0)
    ensemble = from_estimator(fitted("tree", x, y, seed=0))
    with pytest.raises(InputError, match=r"expected a distance above 0 and a tolerance below 1, got 0 and 0\.1"):
        adversarial_distance(ensemble, x[0], 0, scale_D=np.ones(x.shape[1]), most=0, tolerance=0.1)
