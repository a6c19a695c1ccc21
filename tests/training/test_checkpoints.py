"""Oracle: scores made by hand, and a linear model whose broken samples are known."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from robustcert.attacks.ball import Ball
from robustcert.attacks.pgd import pgd
from robustcert.data.dataset import Dataset
from robustcert.specification import Specification
from robustcert.training import checkpoints
from robustcert.training.checkpoints import BestCheckpoint, Score, Validation


def chosen(method: str, *scores: tuple[int, int]) -> tuple[int, float]:
    """Epoch chosen among (clean, under attack), and the weight that is put back; each epoch's weight is its number."""
    module, best = nn.Linear(1, 1), BestCheckpoint(method)
    for epoch, (clean, under_attack) in enumerate(scores, start=1):
        module.weight.data.fill_(epoch)
        best.offer(module, Score(clean=clean, under_attack=under_attack, of=100), epoch=epoch)
    best.restore(module)
    return best.epoch, module.weight.item()


def test_accuracy_under_attack_decides_then_clean_accuracy_then_the_earlier_epoch() -> None:
    assert chosen("pgd", (99, 50), (90, 60), (95, 60), (95, 60), (80, 55)) == (3, 3.0)


def test_standard_training_is_judged_on_clean_accuracy_first() -> None:
    assert chosen("standard", (99, 10), (90, 60), (99, 12)) == (3, 3.0)


def test_even_a_useless_epoch_can_be_restored() -> None:
    assert chosen("pgd", (0, 0)) == (1, 1.0)


def nearest_mean(dataset: Dataset) -> nn.Module:
    """The linear classifier of the nearest class mean of the training split."""
    train = dataset.select("train")
    x, y = torch.from_numpy(train.x()).float().flatten(start_dim=1), torch.from_numpy(train.y)
    means = torch.stack([x[y == label].mean(dim=0) for label in range(10)])
    module = nn.Linear(64, 10).requires_grad_(False)
    module.weight.copy_(means)
    module.bias.copy_(-(means**2).sum(dim=1) / 2)
    return nn.Sequential(nn.Flatten(), module)


def test_score_counts_what_pgd_with_ten_steps_leaves(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    module, threat = (
        nearest_mean(few_digits),
        make_specification().threat_models[0].model_copy(update={"epsilon": 0.05}),
    )
    split = few_digits.select("validation")
    score = Validation(split, threat, seed=3).score(module)
    x, y = torch.from_numpy(split.x()), torch.from_numpy(split.y)
    correct = module(x.float()).argmax(dim=1) == y
    found = pgd(
        module,
        x[correct],
        y[correct],
        ball=Ball.from_threat(threat, split),
        steps=10,
        restarts=1,
        sample_ids=range(int(correct.sum())),
        seed=3,
    )
    assert score == Score(clean=int(correct.sum()), under_attack=int((~found.success_B).sum()), of=len(split))
    assert 0 < score.under_attack < score.clean


def test_large_validation_splits_are_sampled_by_seed(
    few_digits: Dataset, make_specification: Callable[..., Specification], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_SAMPLES", 20)
    module = nearest_mean(few_digits)
    threat, split = make_specification().threat_models[0], few_digits.select("validation")
    scores = [Validation(split, threat, seed=seed).score(module) for seed in range(6)]
    assert {score.of for score in scores} == {20}
    assert len({score.clean for score in scores}) > 1
