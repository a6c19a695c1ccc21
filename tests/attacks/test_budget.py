"""Oracle: numpy.linalg.norm on the plain differences, and numbers worked out by hand."""

import numpy as np
import pytest

from robustcert.attacks.budget import distances, legal, within

X = np.array([[0.5, 100.0, 1.0]])
SCALE = np.array([1.0, 20.0, 0.0])


def moved(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2)])
def test_distance_is_the_norm_in_units_of_the_scale(norm: str, order: float) -> None:
    x_adv = moved(0.75, 90.0, 1.0)
    assert distances(x_adv, X, scale=SCALE, norm=norm) == pytest.approx(np.linalg.norm([0.25, -0.5], ord=order))


def test_distance_is_infinite_when_a_fixed_coordinate_moves() -> None:
    assert distances(moved(0.5, 100.0, 1.5), X, scale=SCALE, norm="l2")[0] == np.inf


def test_distance_of_what_is_not_a_number_is_infinite() -> None:
    assert distances(moved(np.nan, 100.0, 1.0), X, scale=SCALE, norm="linf")[0] == np.inf


def test_a_value_that_float32_can_not_hold_has_not_moved() -> None:
    x = np.array([[0.1]])
    assert distances(x.astype(np.float32), x, scale=np.ones(1), norm="linf")[0] == 0


def test_distance_of_images_is_over_all_coordinates() -> None:
    x, x_adv = np.zeros((2, 1, 2, 2)), np.full((2, 1, 2, 2), 0.5, np.float32)
    assert distances(x_adv, x, scale=np.ones((1, 2, 2)), norm="l2").tolist() == [1.0, 1.0]


def test_no_rows_have_no_distances() -> None:
    assert distances(np.zeros((0, 3), np.float32), np.zeros((0, 3)), scale=SCALE, norm="linf").shape == (0,)


def test_budget_has_a_slack_of_one_in_a_million() -> None:
    assert within(np.array([0.1, 0.1 + 9e-8, 0.1 + 2e-7, np.inf]), 0.1).tolist() == [True, True, False, False]


def test_points_outside_the_bounds_are_illegal_unless_they_have_not_moved() -> None:
    bounds = {"lower": np.zeros(3), "upper": np.array([0.6, 50.0, 1.0])}
    assert legal(moved(0.6, 100.0, 1.0), X, **bounds).tolist() == [False]  # float32(0.6) is above 0.6
    assert legal(moved(0.59, 100.0, 1.0), X, **bounds).tolist() == [True]
    assert legal(moved(0.5, 99.0, 1.0), X, **bounds).tolist() == [False]
