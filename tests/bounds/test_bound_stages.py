"""The cheap stages in their order, and what they say of networks without bounds or without an exact form."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds.bound_stages import BOUND_STAGES, BoundStages
from robustcert.bounds.input_set import SetNorm
from robustcert.bounds.proof_threat import ProofThreat
from tests.bounds.digits_nets import digits_body, digits_dataset

DATASET = digits_dataset(samples=6)


def threat(norm: SetNorm, epsilon: str) -> ProofThreat:
    return ProofThreat.of(DATASET, norm=norm, epsilon=epsilon, unit="input")


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", "0.03"), ("l2", "0.1"), ("l1", "0.3")])
def test_each_stage_is_at_least_as_tight_and_no_sampled_margin_lies_below(norm: SetNorm, epsilon: str) -> None:
    body = digits_body(width=8, epsilon=0.0, epochs=2)
    stages = BoundStages(body, input_shape=(64,), threat=threat(norm, epsilon))
    test = DATASET.select("test")
    x, y = test.x(), test.y
    interval, crown, alpha = (stages.lower(stage, x, y, iterations=10) for stage in BOUND_STAGES)
    assert (interval.sum(axis=1) <= crown.sum(axis=1)).all()
    assert (crown <= alpha + 1e-9).all()
    generator = np.random.Generator(np.random.Philox(0))
    for row, label in enumerate(y.tolist()):
        points = threat(norm, epsilon).projected(
            x[row] + generator.uniform(-0.1, 0.1, (500, 64)), np.tile(x[row], (500, 1))
        )
        logits = body(torch.from_numpy(points)).double().numpy()
        margins = logits[:, [label]] - np.delete(logits, label, axis=1)
        assert (margins.min(axis=0) >= alpha[row] - 1e-4).all()


def test_optimised_bounds_of_a_sample_do_not_depend_on_its_neighbours() -> None:
    body = digits_body(width=8, epsilon=0.0, epochs=2)
    stages, test = BoundStages(body, input_shape=(64,), threat=threat("linf", "0.05")), DATASET.select("test")
    together = stages.lower("alpha-crown", test.x(), test.y, iterations=8)
    for row in range(len(test)):
        alone = stages.lower("alpha-crown", test.x()[row : row + 1], test.y[row : row + 1], iterations=8)
        assert (alone[0] == together[row]).all()


def test_rows_are_label_minus_other() -> None:
    stages = BoundStages(digits_body(width=8, epsilon=0.0, epochs=1), input_shape=(64,), threat=threat("linf", "0.1"))
    rows = stages.rows(3)
    assert rows.shape == (9, 10)
    assert (rows[:, 3] == 1).all()
    assert (rows.sum(axis=1) == 0).all()


class Sine(nn.Module):
    def forward(self, x_BD: Tensor) -> Tensor:
        return torch.sin(x_BD)


@pytest.mark.parametrize(
    ("activation", "reason", "bounded"), [(Sine(), "operator sin", False), (nn.Tanh(), "operator tanh", True)]
)
def test_the_operator_without_bounds_or_exact_form_is_named(activation: nn.Module, reason: str, bounded: bool) -> None:
    module = nn.Sequential(nn.Linear(64, 5), activation, nn.Linear(5, 10)).eval().requires_grad_(False)
    stages = BoundStages(module, input_shape=(64,), threat=threat("linf", "0.1"))
    assert (stages.reason, stages.network is not None, stages.dense) == (reason, bounded, None)
    test = DATASET.select("test")
    assert np.isfinite(stages.lower("crown", test.x(), test.y, iterations=1)).all() == bounded
