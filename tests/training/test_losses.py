"""Oracle: smoothed cross-entropy by its formula, and the ball that the perturbed batch has to stay in."""

import pytest
import torch
from torch import Tensor, nn

from robustcert.attacks.ball import Ball
from robustcert.training.losses import LABEL_SMOOTHING, PerturbedBatch, mean_loss


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def perturbed(module: nn.Module, x: Tensor, y: Tensor, *, norm: str = "linf", **changes: int) -> Tensor:
    ones = torch.ones(4, dtype=torch.float64)
    ball = Ball(norm=norm, epsilon=0.2, scale=ones, lower=0 * ones, upper=ones)
    settings = {"steps": 5, "seed": 1, "epoch": 2, **changes}
    return PerturbedBatch(region=ball.around(x), sample_ids=range(len(x)), **settings).inputs(module, y)


def test_loss_is_smoothed_cross_entropy_averaged_over_samples_and_copies() -> None:
    module, y = network(), torch.tensor([0, 2])
    copies = [torch.rand(2, 4), torch.rand(2, 4)]
    wanted = (1 - LABEL_SMOOTHING) * torch.eye(3)[y] + LABEL_SMOOTHING / 3
    expected = [-(wanted * torch.log_softmax(module(x), dim=1)).sum(dim=1) for x in copies]
    assert mean_loss(module, copies, y).item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_perturbed_inputs_are_in_the_ball_and_have_a_higher_loss(norm: str) -> None:
    module, x, y = network(), torch.rand(50, 4), torch.zeros(50, dtype=torch.int64)
    x_adv = perturbed(module, x, y, norm=norm)
    moved = (x_adv - x).double()
    assert float(torch.linalg.vector_norm(moved, ord=float("inf") if norm == "linf" else 2, dim=1).max()) <= 0.2 + 1e-6
    assert 0 <= float(x_adv.min()) <= float(x_adv.max()) <= 1
    assert mean_loss(module, [x_adv], y) > mean_loss(module, [x], y)


def test_starts_are_keyed_by_seed_and_epoch() -> None:
    module, x, y = network(), torch.rand(5, 4), torch.zeros(5, dtype=torch.int64)
    usual = perturbed(module, x, y, norm="l2")
    assert torch.equal(usual, perturbed(module, x, y, norm="l2"))
    assert not torch.equal(usual, perturbed(module, x, y, norm="l2", epoch=3))
    assert not torch.equal(usual, perturbed(module, x, y, norm="l2", seed=2))


def test_attack_sees_the_module_in_eval_mode_and_leaves_it_in_training_mode() -> None:
    modes: list[bool] = []

    class Watched(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            modes.append(self.training)
            return super().forward(x)

    module = Watched(4, 3)
    perturbed(module, torch.rand(2, 4), torch.tensor([0, 1]))
    assert modes == [False] * 5
    assert module.training
    assert module.weight.grad is None
