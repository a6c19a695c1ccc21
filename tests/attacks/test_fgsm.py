"""Oracle: linear classifiers, where the best step and the smallest adversarial distance are closed forms."""

import pytest
import torch
from torch import Tensor, nn

from robustcert.attacks.ball import Ball
from robustcert.attacks.fgsm import fgsm

W = torch.tensor([0.5, -2.0, 0.0, 1.0])


def linear(weights: Tensor) -> nn.Module:
    module = nn.Linear(weights.shape[1], weights.shape[0], bias=False).requires_grad_(False)
    module.weight.copy_(weights)
    return module


def two_classes() -> nn.Module:
    """Class 1 where w.x > 0."""
    return linear(torch.stack([-W / 2, W / 2]))


def ball(norm: str = "linf", *, epsilon: float, low: float = -9.0, high: float = 9.0) -> Ball:
    ones = torch.ones(4, dtype=torch.float64)
    return Ball(norm=norm, epsilon=epsilon, scale=ones, lower=low * ones, upper=high * ones)


def test_step_is_epsilon_times_the_sign_of_the_weights() -> None:
    x = torch.zeros(2, 4)
    found = fgsm(two_classes(), x, torch.tensor([0, 1]), ball=ball(epsilon=0.125))
    assert torch.equal(found.x_adv_BX, 0.125 * torch.stack([W.sign(), -W.sign()]))


def test_l2_step_is_epsilon_along_the_weights() -> None:
    found = fgsm(two_classes(), torch.zeros(1, 4), torch.tensor([0]), ball=ball("l2", epsilon=0.5))
    assert torch.allclose(found.x_adv_BX[0], 0.5 * W / W.norm(), atol=1e-6)


def test_bounds_are_respected() -> None:
    x = torch.full((1, 4), 0.9375)
    found = fgsm(two_classes(), x, torch.tensor([0]), ball=ball(epsilon=0.25, low=0.0, high=1.0))
    assert found.x_adv_BX.tolist() == [[1.0, 0.6875, 0.9375, 1.0]]


def test_one_gradient_and_two_forward_passes_are_counted() -> None:
    calls = 0

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return two_classes()(x)

    found = fgsm(Counting(), torch.rand(5, 4), torch.zeros(5, dtype=torch.int64), ball=ball(epsilon=0.1))
    assert found.gradients_B.tolist() == [1] * 5
    assert found.forwards_B.tolist() == [2] * 5
    assert calls == 2


def test_targets_are_approached() -> None:
    weights = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    x, y = torch.tensor([[0.2, 0.1, 0.0, 0.0]]), torch.tensor([0])
    toward_2 = fgsm(linear(weights), x, y, ball=ball(epsilon=0.125), targets_B=torch.tensor([2]))
    assert toward_2.x_adv_BX[0].tolist() == pytest.approx([0.075, -0.025, 0.125, 0.0])
    assert toward_2.success_B.tolist() == [True]
    assert fgsm(linear(weights), x, y, ball=ball(epsilon=0.0625), targets_B=torch.tensor([2])).success_B.tolist() == [
        False
    ]


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
@pytest.mark.parametrize(("share", "expected"), [(0.98, False), (1.02, True)])
def test_success_starts_exactly_at_the_smallest_distance(norm: str, dual: int, share: float, *, expected: bool) -> None:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    x += ((x @ W).sign() * 0.7 - x @ W)[:, None] * W / (W @ W)  # now |w.x| = 0.7 everywhere
    found = fgsm(two_classes(), x, (x @ W > 0).long(), ball=ball(norm, epsilon=share * 0.7 / float(W.norm(p=dual))))
    assert found.success_B.tolist() == [expected] * 64
