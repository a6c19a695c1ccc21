"""Oracle: linear classifiers, where the smallest adversarial distance is a closed form; bits under other batches."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustcert.attacks.attack import AttackResult
from robustcert.attacks.ball import Ball
from robustcert.attacks.fgsm import fgsm
from robustcert.attacks.pgd import pgd
from robustcert.models.canonical_execution import canonical_execution

DUAL = {"linf": 1, "l2": 2}


def linear(weights: Tensor) -> nn.Module:
    module = nn.Linear(weights.shape[1], weights.shape[0]).requires_grad_(False)
    module.weight.copy_(weights)
    module.bias.fill_(0.1)
    return module


def ball(norm: str, epsilon: float, *, scale: Tensor) -> Ball:
    return Ball(norm=norm, epsilon=epsilon, scale=scale.double(), lower=-99 * scale.double(), upper=99 * scale.double())


def equally_far(w: Tensor, *, gap: float) -> Tensor:
    """64 points with |w.x| = gap, on both sides."""
    x = torch.randn(64, len(w), generator=torch.Generator().manual_seed(0))
    return x + ((x @ w).sign() * gap - x @ w)[:, None] * w / (w @ w)


def convolutional() -> nn.Module:
    torch.manual_seed(3)
    layers = (nn.Conv2d(1, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 10))
    return nn.Sequential(*layers).requires_grad_(False)


def images(count: int) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def attack_images(module: nn.Module, rows: Tensor, *, epsilon: float = 0.05, **changes: object) -> AttackResult:
    x = images(300)[rows]
    ones = torch.ones(1, 8, 8, dtype=torch.float64)
    box = Ball(norm="linf", epsilon=epsilon, scale=ones, lower=0 * ones, upper=ones)
    y = module(images(300)).argmax(dim=1)[rows]
    settings = {"steps": 5, "restarts": 2, "sample_ids": (1000 + rows).tolist(), "seed": 4, **changes}
    return pgd(module, x, y, ball=box, **settings)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("share", "expected"), [(0.98, False), (1.02, True)])
def test_two_classes_break_exactly_at_the_smallest_distance(norm: str, share: float, *, expected: bool) -> None:
    scale = torch.tensor([1.0, 0.5, 2.0, 1.0])
    w = torch.tensor([0.5, -2.0, 0.3, 1.0])
    x = equally_far(w, gap=0.7)
    module = linear(torch.stack([-w / 2, w / 2]))
    region = ball(norm, share * 0.7 / float((w * scale).norm(p=DUAL[norm])), scale=scale)
    found = pgd(module, x, module(x).argmax(dim=1), ball=region, steps=40, restarts=2, sample_ids=range(64), seed=0)
    assert found.success_B.tolist() == [expected] * 64
    assert region.contains(found.x_adv_BX, x).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_targeted_attack_reaches_its_class_just_beyond_that_class_distance(norm: str) -> None:
    weights = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    weights[2] = weights[:2].mean(dim=0)  # never the most likely of the three
    difference = weights[1] - weights[0]
    module, x = linear(weights), equally_far(difference, gap=0.7)
    y = module(x).argmax(dim=1)
    for share, expected in [(0.98, False), (1.02, True)]:
        region = ball(norm, share * 0.7 / float(difference.norm(p=DUAL[norm])), scale=torch.ones(6))
        found = pgd(
            module, x, y, ball=region, steps=40, restarts=1, sample_ids=range(64), seed=0, targets_B=1 - y
        )  # fmt: skip
        assert found.success_B.tolist() == [expected] * 64


def test_targeted_success_is_the_target_only() -> None:
    module = linear(torch.tensor([[1.0, 0.0], [0.9, 0.0], [-1.0, 0.0]]))
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    region = ball("linf", 1.5, scale=torch.ones(2))
    settings = {"ball": region, "steps": 10, "restarts": 1, "sample_ids": [0], "seed": 0}
    assert pgd(module, x, y, targets_B=torch.tensor([2]), **settings).success_B.tolist() == [True]
    assert pgd(module, x, y, targets_B=torch.tensor([1]), **settings).success_B.tolist() == [False]


def test_batch_size_order_and_shards_change_no_bit() -> None:
    module = convolutional()
    everything = torch.arange(300)
    shuffled = torch.randperm(300, generator=torch.Generator().manual_seed(2))
    with canonical_execution():
        whole = attack_images(module, everything)
        assert 0 < int(whole.success_B.sum()) < 300
        parts = [attack_images(module, part) for part in (everything[:1], everything[1:70], everything[70:])]
        assert torch.equal(torch.cat([part.x_adv_BX for part in parts]), whole.x_adv_BX)
        assert torch.equal(torch.cat([part.success_B for part in parts]), whole.success_B)
        assert torch.equal(torch.cat([part.gradients_B for part in parts]), whole.gradients_B)
        reordered = attack_images(module, shuffled)
        assert torch.equal(reordered.x_adv_BX, whole.x_adv_BX[shuffled])
        assert torch.equal(reordered.success_B, whole.success_B[shuffled])


def test_broken_samples_are_inside_and_misclassified() -> None:
    module, rows = convolutional(), torch.arange(300)
    found = attack_images(module, rows)
    broken = found.success_B
    assert (module(found.x_adv_BX).argmax(dim=1) != module(images(300)).argmax(dim=1))[broken].all()
    assert float((found.x_adv_BX.double() - images(300).double()).abs().max()) <= 0.05
    assert float(found.x_adv_BX.min()) >= 0
    assert float(found.x_adv_BX.max()) <= 1


def test_it_breaks_at_least_as_many_as_one_step() -> None:
    module, x = convolutional(), images(300)
    ones = torch.ones(1, 8, 8, dtype=torch.float64)
    box = Ball(norm="linf", epsilon=0.05, scale=ones, lower=0 * ones, upper=ones)
    one_step = fgsm(module, x, module(x).argmax(dim=1), ball=box)
    iterated = attack_images(module, torch.arange(300), steps=20)
    assert int(iterated.success_B.sum()) >= int(one_step.success_B.sum())


def test_loss_grows_with_steps_on_average() -> None:
    module, rows = convolutional(), torch.arange(300)
    y = module(images(300)).argmax(dim=1)
    attacks = [
        attack_images(module, rows, epsilon=0.01, steps=steps, restarts=1, step_size=0.002) for steps in (1, 3, 9)
    ]
    unbroken = ~attacks[-1].success_B
    losses = [float(F.cross_entropy(module(found.x_adv_BX), y, reduction="none")[unbroken].mean()) for found in attacks]
    assert all(later > earlier for earlier, later in pairwise(losses))


def test_every_gradient_and_forward_pass_is_counted() -> None:
    rows = torch.arange(300)
    found = attack_images(convolutional(), rows, steps=4, restarts=3)
    assert set(found.gradients_B[~found.success_B].tolist()) == {12}
    assert set(found.forwards_B[~found.success_B].tolist()) == {15}
    assert int(found.gradients_B[found.success_B].max()) <= 12


def test_first_restart_starts_at_the_input_itself() -> None:
    rows = torch.arange(300)
    one, other = (attack_images(convolutional(), rows, restarts=1, seed=seed) for seed in (0, 1))
    assert torch.equal(one.x_adv_BX, other.x_adv_BX)


def test_restarts_break_more_and_never_lose_what_was_broken() -> None:
    rows = torch.arange(300)
    one, many = (attack_images(convolutional(), rows, steps=2, restarts=restarts) for restarts in (1, 6))
    assert int(many.success_B.sum()) > int(one.success_B.sum())
    assert torch.equal(many.success_B & one.success_B, one.success_B)
    assert torch.equal(many.x_adv_BX[one.success_B], one.x_adv_BX[one.success_B])


def test_seed_and_step_size_matter() -> None:
    rows = torch.arange(300)
    usual = attack_images(convolutional(), rows)
    assert not torch.equal(usual.x_adv_BX, attack_images(convolutional(), rows, seed=5).x_adv_BX)
    assert not torch.equal(usual.x_adv_BX, attack_images(convolutional(), rows, step_size=0.001).x_adv_BX)


def test_step_size_is_two_and_a_half_epsilon_over_steps_by_default() -> None:
    rows = torch.arange(300)
    usual, given = attack_images(convolutional(), rows), attack_images(convolutional(), rows, step_size=2.5 * 0.05 / 5)
    assert torch.equal(usual.x_adv_BX, given.x_adv_BX)


def test_epsilon_zero_changes_nothing() -> None:
    found = attack_images(convolutional(), torch.arange(300), epsilon=0.0)
    assert torch.equal(found.x_adv_BX, images(300))
    assert not found.success_B.any()
