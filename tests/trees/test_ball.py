"""Boxes and witnesses in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from robustcert.trees.ball import box_around, input_in
from robustcert.trees.scikit_learn import from_estimator
from tests.trees.ensembles import KINDS, fitted, random_data


def test_the_box_holds_exactly_the_floats_of_the_ball() -> None:
    x, y = random_data(1)
    ensemble, D = from_estimator(fitted("tree", x, y, seed=0)), x.shape[1]
    generator = np.random.default_rng(0)
    for _ in range(300):
        centre = generator.normal(size=D) * 10.0 ** generator.integers(-6, 6)
        epsilon = np.abs(generator.normal(size=D)) * 10.0 ** generator.integers(-6, 3)
        box = box_around(ensemble, centre, epsilon)
        for d in range(D):
            low, high = Fraction(centre[d]) - Fraction(epsilon[d]), Fraction(centre[d]) + Fraction(epsilon[d])
            assert low <= Fraction(box.lower[d])
            assert Fraction(np.nextafter(box.lower[d], -np.inf)) < low
            assert Fraction(box.upper[d]) <= high
            assert Fraction(np.nextafter(box.upper[d], np.inf)) > high


def test_an_input_lies_in_the_cells_that_it_was_asked_for_and_in_the_box() -> None:
    """Every single cell that the box reaches, on every axis; the nearest point to x is taken."""
    cells = 0
    for kind in KINDS:
        x, y = random_data(2)
        ensemble = from_estimator(fitted(kind, x, y, seed=0))
        box = box_around(ensemble, x[0], np.full(x.shape[1], 0.8))
        for d in range(x.shape[1]):
            for cell in range(box.lower_cell[d], box.upper_cell[d] + 1):
                wanted = box.x_cell.copy()
                wanted[d] = cell
                found = input_in(ensemble, box, wanted, wanted)
                assert ensemble.cells(found[None])[0].tolist() == wanted.tolist()
                assert ((box.lower <= found) & (found <= box.upper)).all()
                assert (np.delete(found, d) == np.delete(x[0], d)).all()
                cells += cell != box.x_cell[d]
    assert cells > 20
