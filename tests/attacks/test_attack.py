"""Oracle: gradients by central differences in float64; models built to deceive a search."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustcert.attacks.attack import Aim, fixed_logits_and_gradient, logits_and_gradient
from robustcert.attacks.ball import Ball
from robustcert.attacks.fgsm import fgsm
from robustcert.attacks.fixed_batches import logits_of
from robustcert.attacks.pgd import pgd

Y, TARGETS = torch.tensor([0, 2, 1]), torch.tensor([1, 1, 0])


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def ball(epsilon: float) -> Ball:
    ones = torch.ones(4, dtype=torch.float64)
    return Ball(norm="linf", epsilon=epsilon, scale=ones, lower=-9 * ones, upper=9 * ones)


@pytest.mark.parametrize("targets", [None, TARGETS])
def test_gradient_is_that_of_the_loss_by_central_differences(targets: Tensor | None) -> None:
    module, x, h = network().double(), torch.rand(3, 4, dtype=torch.float64), 1e-6
    _, gradient = logits_and_gradient(module, x, Aim(y_B=Y, targets_B=targets))
    labels, sign = (Y, 1.0) if targets is None else (targets, -1.0)
    for i in range(4):
        step = h * torch.eye(4, dtype=torch.float64)[i]
        up, down = (F.cross_entropy(module(x + side * step), labels, reduction="none") for side in (1, -1))
        assert torch.allclose(gradient[:, i], sign * (up - down) / (2 * h), atol=1e-8)


def test_weights_get_no_gradient() -> None:
    module = network()
    logits_and_gradient(module, torch.rand(3, 4), Aim(y_B=Y))
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("targets", [None, TARGETS])
def test_fixed_batches_give_the_same_gradient(targets: Tensor | None) -> None:
    module, x, aim = network(), torch.rand(3, 4), Aim(y_B=Y, targets_B=targets)
    plain, fixed = logits_and_gradient(module, x, aim), fixed_logits_and_gradient(module, x, aim)
    assert torch.allclose(plain[0], fixed[0], atol=1e-6)
    assert torch.allclose(plain[1], fixed[1], atol=1e-6)


def test_untargeted_success_is_another_class_and_targeted_success_the_target() -> None:
    logits = torch.eye(3)[[1, 2, 0]]
    assert Aim(y_B=Y).reached(logits).tolist() == [True, False, True]
    assert Aim(y_B=Y, targets_B=TARGETS).reached(logits).tolist() == [True, False, True]
    assert Aim(y_B=Y, targets_B=torch.tensor([2, 1, 0])).reached(logits).tolist() == [False, False, True]


class OnlyWhileSearched(nn.Module):
    """Errs only while gradients are recorded, as a search sees it."""

    def forward(self, x: Tensor) -> Tensor:
        wrong = torch.stack([x.sum(dim=1), x.sum(dim=1) + 1], dim=1)
        return wrong if torch.is_grad_enabled() else wrong.flip(dims=(1,))


def test_success_needs_a_fresh_forward_pass() -> None:
    x, y = torch.rand(3, 4), torch.zeros(3, dtype=torch.int64)
    found = pgd(OnlyWhileSearched(), x, y, ball=ball(0.1), steps=3, restarts=2, sample_ids=range(3), seed=0)
    assert not found.success_B.any()
    assert not fgsm(OnlyWhileSearched(), x, y, ball=ball(0.1)).success_B.any()


def test_gradients_that_are_not_numbers_move_nothing() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.sum(dim=1) + 1, (x - x).sum(dim=1).sqrt() * x.sum(dim=1)], dim=1)

    x, y = torch.rand(3, 4), torch.zeros(3, dtype=torch.int64)
    assert fgsm(Broken(), x, y, ball=ball(0.1)).x_adv_BX.isfinite().all()


def test_an_aim_moves_to_a_device_with_its_targets() -> None:
    meta = torch.device("meta")
    moved = Aim(y_B=Y, targets_B=TARGETS).to(meta)
    assert moved.targets_B is not None
    assert (moved.y_B.device, moved.targets_B.device, Aim(y_B=Y).to(meta).targets_B) == (meta, meta, None)


def test_results_come_back_to_where_the_input_lies() -> None:
    """The model of another device is played by one that reads on the meta device and answers on the CPU."""

    class Elsewhere(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.device.type)
            return torch.zeros(len(x), 3)

    seen: list[str] = []
    assert logits_of(Elsewhere(4, 3, device="meta"), torch.rand(2, 4)).device.type == "cpu"
    assert seen == ["meta"]
