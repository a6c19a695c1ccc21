"""Oracle: models made to fail one check each, and geometry by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.attacks.ball import Ball
from robustcert.data.dataset import Dataset
from robustcert.evaluation.clean_pass import clean_pass
from robustcert.evaluation.sanity import (
    changed_at_zero,
    not_finite,
    rows_that_sum_to_one,
    whole_range,
    whole_range_ball,
    zero_gradients,
)
from robustcert.evaluation.suites import load_suite
from robustcert.models.model import LoadedModel
from robustcert.threat_model import ThreatModel

FGSM, PGD = load_suite("quick@1").attacks
WEIGHTS = [[-1.0, 1.0], [1.0, -1.0]]
X = np.random.default_rng(0).uniform(-1, 1, (40, 2))
Y = (X[:, 0] > X[:, 1]).astype(int)


class Rounded(nn.Module):
    """Sees inputs rounded to integers: gradients are exactly zero, though classes do change."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.round(x) @ torch.tensor(WEIGHTS).T


class Drifting(nn.Module):
    """Another answer at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return (-1) ** self.calls * x @ torch.tensor(WEIGHTS).T


@pytest.mark.parametrize("attack", [FGSM, PGD])
@pytest.mark.parametrize("goal", ["untargeted", "targeted"])
def test_a_linear_model_passes(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    attack: object,
    goal: str,
) -> None:
    clean = clean_pass(make_model(WEIGHTS).module, make_dataset(X, Y))
    threat = make_threat(goal=goal)
    assert changed_at_zero(clean, attack, threat=threat, seed=0) == 0
    found = whole_range(clean, [attack], threat=threat, seed=0)
    assert (found.unbroken, found.of, found.fixed) == (0, 40, 0)
    assert zero_gradients(clean) == 0


def test_a_model_that_answers_differently_each_time_is_found(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
) -> None:
    clean = clean_pass(make_model(Drifting()).module, make_dataset(X, Y))
    assert changed_at_zero(clean, FGSM, threat=make_threat(), seed=0) > 0


def test_masked_gradients_are_found(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
) -> None:
    clean = clean_pass(make_model(Rounded()).module, make_dataset(3 * X, (np.rint(3 * X) @ [1, -1] > 0).astype(int)))
    assert zero_gradients(clean) == 40
    assert whole_range(clean, [FGSM], threat=make_threat(), seed=0).unbroken == 40


def test_fixed_coordinates_are_counted(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
) -> None:
    clean = clean_pass(make_model(WEIGHTS).module, make_dataset(X, Y, perturbable=np.array([True, False])))
    assert whole_range(clean, [PGD], threat=make_threat(), seed=0).fixed == 1


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 4.0), ("l2", math.hypot(2.0, 4.0))])
def test_the_whole_range_is_reached_from_any_corner(norm: str, epsilon: float) -> None:
    scale = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    lower, upper = torch.tensor([-1.0, 0.0, 0.0]).double(), torch.tensor([1.0, 2.0, 9.0]).double()
    ball = whole_range_ball(Ball(norm=norm, epsilon=0.1, scale=scale, lower=lower, upper=upper))
    assert ball.epsilon == pytest.approx(epsilon)
    corner, opposite = torch.tensor([[-1.0, 0.0, 5.0]]), torch.tensor([[1.0, 2.0, 5.0]])
    assert ball.contains(opposite, corner).all()


def test_rows_are_counted_that_are_no_logits() -> None:
    logits = torch.tensor([[0.5, 0.5], [2.0, -1.0], [math.nan, 0.0], [1.0, 0.0], [0.6, 0.6]])
    assert not_finite(logits) == 1
    assert rows_that_sum_to_one(logits) == 2
