"""The attack on a smoothed linear model, whose distance to its boundary is known, and fresh votes, whose share is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.smoothing.certify import grid_noise
from robustcert.smoothing.smoothed_attack import BallSearch, attacked

MARGIN = 0.4
WEIGHTS = np.array([3.0, -1.0, 0.5, 0.0])


def searched(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], model: Any, *, norm: Any, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """The sample and the point found, both in input units; the sample has class 1."""
    dataset = make_dataset(np.zeros((1, 4)), [1])
    noise = grid_noise(dataset, make_certification(), key0=7)
    x_int = dataset.x_int[0]
    search = BallSearch(norm=norm, radius=radius, sigma=0.5, steps=10)
    found = attacked(model.module, x_int, candidate=1, noise=noise, sample_id=100, search=search)
    return x_int * dataset.unit, found * dataset.unit


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("l1", np.inf)])
@pytest.mark.parametrize("share", [0.5, 0.95, 1.05, 2.0])
def test_a_linear_models_boundary_is_crossed_where_it_lies_inside_the_ball_and_only_there(
    make_dataset: Callable[..., Any],
    make_certification: Callable[..., Any],
    make_linear: Callable[..., Any],
    norm: str,
    dual: float,
    share: float,
) -> None:
    distance = MARGIN / np.linalg.norm(WEIGHTS, dual)
    model = make_linear(WEIGHTS, threshold=-MARGIN)
    x, found = searched(make_dataset, make_certification, model, norm=norm, radius=share * distance)
    assert np.linalg.norm(found - x, 1 if norm == "l1" else 2) <= share * distance
    assert (WEIGHTS @ found < -MARGIN) == (share > 1)


def test_features_that_must_not_change_are_left_alone(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], make_linear: Callable[..., Any]
) -> None:
    dataset = make_dataset(np.zeros((1, 4)), [1], perturbable=np.array([False, True, True, True]))
    noise = grid_noise(dataset, make_certification(), key0=7)
    search = BallSearch(norm="l2", radius=1.0, sigma=0.5, steps=5)
    module = make_linear(WEIGHTS, threshold=-MARGIN).module
    found = attacked(module, dataset.x_int[0], candidate=1, noise=noise, sample_id=100, search=search)
    assert found[0] == 0
    assert found[1] > 0


def test_a_curved_boundary_is_found_within_a_few_per_cent_of_its_distance(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any]
) -> None:
    """Class 1 inside a ball of radius 2 around the origin; from (1, 0, 0, 0) the smoothed boundary is nearest ahead."""

    class InsideBall(nn.Module):
        def forward(self, x_BD: torch.Tensor) -> torch.Tensor:
            logit_B = 10 * (4 - (x_BD**2).sum(dim=1))
            return torch.stack([torch.zeros_like(logit_B), logit_B], dim=1)

    dataset = make_dataset(np.array([[1.0, 0, 0, 0]]), [1])
    noise = grid_noise(dataset, make_certification(sigma=0.1), key0=7)
    search = BallSearch(norm="l2", radius=1.05, sigma=0.1, steps=20)
    module = InsideBall().eval()
    found = attacked(module, dataset.x_int[0], candidate=1, noise=noise, sample_id=100, search=search)
    assert np.linalg.norm(found * dataset.unit) > 2


def test_a_model_in_training_mode_is_refused(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], make_linear: Callable[..., Any]
) -> None:
    model = make_linear(WEIGHTS)
    model.module.train()
    with pytest.raises(ModelError, match="expected a model in eval mode"):
        searched(make_dataset, make_certification, model, norm="l2", radius=1.0)
