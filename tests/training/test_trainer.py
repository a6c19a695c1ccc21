"""Oracle: the bits of a second run; statistics by numpy; accuracies measured by an attack, never by the trainer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from robustcert.attacks.ball import Ball
from robustcert.attacks.pgd import pgd
from robustcert.data.dataset import Dataset
from robustcert.errors import SpecificationError
from robustcert.specification import Specification
from robustcert.training.trainer import TrainingResult, train, training_threat

RESNET = {"model": {"architecture": "resnet", "width": 4}, "epochs": 1, "noiseSigma": 0.25, "batchSize": 11}
TOLERANCE = 1e-5  # of the first epoch's loss, relative: what robustcert.training.trainer states


@dataclass(frozen=True)
class Shared:
    """The same training by one process and by two, and the progress that the two reported."""

    one: TrainingResult
    two: TrainingResult
    steps: list[tuple[int, int, str]]


def weights(result: TrainingResult) -> dict[str, torch.Tensor]:
    return result.classifier.state_dict()


def same(a: TrainingResult, b: TrainingResult) -> bool:
    return all(torch.equal(value, weights(b)[name]) for name, value in weights(a).items())


@pytest.mark.parametrize("model", [{"architecture": "mlp", "hidden": (32,)}, {"architecture": "resnet", "width": 4}])
def test_two_runs_give_the_same_bits_and_another_seed_others(
    few_digits: Dataset, make_specification: Callable[..., Specification], model: dict[str, object]
) -> None:
    specification = make_specification(model=model, epochs=2, noiseSigma=0.25)
    first, second, other = (train(specification, few_digits, seed=seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert (first.history, first.chosen_epoch) == (second.history, second.chosen_epoch)
    assert not same(first, other)


def test_threads_and_order_in_the_file_change_nothing(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    specification, threads = make_specification(noiseSigma=0.25), torch.get_num_threads()
    usual = train(specification, few_digits, seed=1)
    try:
        torch.set_num_threads(2)
        other = train(specification, few_digits.rows(few_digits.sample_ids[::-1]), seed=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert same(usual, other)


def test_global_random_state_is_neither_read_nor_changed(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    specification = make_specification(epochs=1, noiseSigma=0.25)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    usual = train(specification, few_digits, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    assert same(usual, train(specification, few_digits, seed=1))


@pytest.fixture(scope="module")
def shared(few_digits: Dataset, make_specification: Callable[..., Specification]) -> Shared:
    """A small residual network, trained by one process and by two; 11 rows a batch, so that slices differ."""
    specification, steps = make_specification(**RESNET), list[tuple[int, int, str]]()
    one = train(specification, few_digits, seed=1)
    two = train(specification, few_digits, seed=1, processes=2, progress=lambda *step: steps.append(step))
    return Shared(one, two, steps)


def test_two_processes_minimise_the_same_loss_as_one(shared: Shared) -> None:
    ours, wanted = ([record["loss"] for record in result.history] for result in (shared.two, shared.one))
    assert ours == pytest.approx(wanted, rel=TOLERANCE)
    assert all(
        torch.allclose(value, weights(shared.one)[name], rtol=1e-3, atol=1e-4)
        for name, value in weights(shared.two).items()
    )


def test_two_processes_give_one_result_of_the_same_kind(shared: Shared) -> None:
    assert shared.two.card == shared.one.card
    assert shared.two.chosen_epoch == shared.one.chosen_epoch
    assert [(done, total) for done, total, _ in shared.steps] == [(1, 1)]
    assert not shared.two.classifier.training
    assert not any(parameter.requires_grad for parameter in shared.two.classifier.parameters())
    assert type(shared.two.classifier.body.norm) is torch.nn.BatchNorm2d


def test_training_never_sees_the_test_split(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    changed = few_digits.x_int.copy()
    changed[few_digits.split == 2] = 0
    specification = make_specification(epochs=1)
    spoiled = replace(few_digits, x_int=changed, y=np.where(few_digits.split == 2, 0, few_digits.y))
    assert same(train(specification, few_digits, seed=1), train(specification, spoiled, seed=1))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "standard"},
        {"threatModel": "l2"},
        {"batchSize": 16},
        {"learningRate": 0.02},
        {"weightDecay": 0.5},
        {"steps": 1},
        {"noiseSigma": 0.25},
        {"epochs": 4},
    ],
)
def test_every_setting_has_an_effect(
    few_digits: Dataset, make_specification: Callable[..., Specification], change: dict[str, object]
) -> None:
    assert not same(
        train(make_specification(), few_digits, seed=1), train(make_specification(**change), few_digits, seed=1)
    )


def test_card_describes_the_model_and_the_training_split(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    result = train(make_specification(epochs=1), few_digits, seed=1)
    x = few_digits.x()[few_digits.split == 0]
    assert result.card.architecture == "mlp"
    assert result.card.parameters == {"hidden": (32,)}
    assert float(result.card.preprocessing.mean[0]) == pytest.approx(x.mean(), rel=1e-6)
    assert float(result.card.preprocessing.std[0]) == pytest.approx(x.std(), rel=1e-6)
    assert result.classifier.mean.item() == pytest.approx(x.mean(), rel=1e-6)
    assert not result.classifier.training
    assert not any(parameter.requires_grad for parameter in result.classifier.parameters())


def test_history_has_one_record_per_epoch_and_the_best_is_chosen(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    steps: list[tuple[int, int, str]] = []
    specification = make_specification(epochs=6)
    result = train(specification, few_digits, seed=1, progress=lambda *step: steps.append(step))
    ranks = [(record["accuracyUnderAttack"], record["cleanAccuracy"]) for record in result.history]
    assert result.chosen_epoch == 1 + ranks.index(max(ranks))
    assert [record["epoch"] for record in result.history] == [1, 2, 3, 4, 5, 6]
    assert [(done, total) for done, total, _ in steps] == [(epoch, 6) for epoch in range(1, 7)]


def accuracies(result: TrainingResult, split: Dataset, specification: Specification) -> tuple[float, float, float]:
    """Clean, under PGD with 20 steps and 2 restarts, and under noise of the certification's sigma, on `split`."""
    x, y, threat = torch.from_numpy(split.x()), torch.from_numpy(split.y), specification.threat_models[0]
    module, ball = result.classifier, Ball.from_threat(threat, split)
    correct = module(x.float()).argmax(dim=1) == y
    found = pgd(module, x, y, ball=ball, steps=20, restarts=2, sample_ids=split.sample_ids.tolist(), seed=0)
    noise = 0.25 * torch.randn((20, *x.shape), generator=torch.Generator().manual_seed(0))
    noisy = torch.stack([module(x.float() + one).argmax(dim=1) == y for one in noise])
    return tuple(float(part.double().mean()) for part in (correct, correct & ~found.success_B, noisy))


def test_adversarial_training_withstands_attack_and_noise_where_standard_training_does_not(
    digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    model, test = {"architecture": "mlp", "hidden": (64, 64)}, digits.select("test")
    settings = {"epochs": 12, "learningRate": 0.01, "steps": 4}
    results = [
        train(make_specification(model=model, **settings, **change), digits, seed=0)
        for change in ({"noiseSigma": 0.25}, {"method": "standard"})
    ]
    (clean, under_attack, noisy), standard = (accuracies(result, test, make_specification()) for result in results)
    assert clean > 0.93
    assert under_attack > 0.7
    assert noisy > 0.88
    assert standard[0] > 0.93
    assert standard[1] < under_attack - 0.1


def test_threat_is_the_named_one_or_the_first(make_specification: Callable[..., Specification]) -> None:
    assert training_threat(make_specification()).name == "linf"
    assert training_threat(make_specification(threatModel="l2")).name == "l2"


def test_a_loss_that_is_not_finite_stops_with_a_remedy(
    few_digits: Dataset, make_specification: Callable[..., Specification]
) -> None:
    with pytest.raises(
        SpecificationError, match=r"a finite training loss, got nan in epoch 1; lower training\.learning"
    ):
        train(make_specification(learningRate=1e30), few_digits, seed=1)


def test_nothing_to_train_is_refused(few_digits: Dataset, make_specification: Callable[..., Specification]) -> None:
    own = make_specification(model={"onnx": "model.onnx"})
    with pytest.raises(SpecificationError, match=r"a 'model\.architecture' to train, got your own model"):
        train(own, few_digits, seed=1)
    with pytest.raises(SpecificationError, match="expected 'training', got none; add it, or import your own weights"):
        train(own.model_copy(update={"training": None}), few_digits, seed=1)
