"""How often a model is called. Oracle: a counter in the model itself, which no attack can change the answer of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from robustcert.attacks import pgd
from robustcert.attacks.attack import Aim, logits_and_gradient
from robustcert.attacks.ball import Ball
from robustcert.attacks.fixed_batches import FIXED_ROWS
from robustcert.attacks.random_starts import random_starts
from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.planned_samples import blocks_of
from robustcert.data.sources import load_raw
from robustcert.estimate import counts
from robustcert.estimate.counts import (
    Sizes,
    certification_calls,
    draws_of,
    evaluation_calls,
    evaluation_rows,
    sizes_of,
    training_calls,
)
from robustcert.evaluation.evaluate import evaluate
from robustcert.evaluation.suites import load_suite
from robustcert.smoothing.certify import certify
from robustcert.specification import Certification, Specification
from robustcert.specification_file import parse_specification
from robustcert.training import epochs, losses
from robustcert.training.checkpoints import ATTACK_STEPS, MOST_SAMPLES, Validation
from robustcert.training.losses import mean_loss
from robustcert.training.trainer import train, training_threat
from tests.chain import small_specification


class Constant(nn.Module):
    """Answers class 0 always, and counts its calls: with a gradient, or without."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def forward(self, x_BX: Tensor) -> Tensor:
        self.calls["gradients" if torch.is_grad_enabled() else "forwards"] += 1
        return torch.tensor([[1.0] + [0.0] * 9]) + 0 * x_BX.flatten(start_dim=1).sum(dim=1, keepdim=True)


def specification(**changes: object) -> Specification:
    return parse_specification(small_specification(**changes)).specification


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """The digits, all of which are said to be of class 0."""
    written = specification()
    dataset = build_dataset(written.data, load_raw(written.data, folder=Path()), seed=written.seed)
    return replace(dataset, y=np.zeros_like(dataset.y))


def sizes(written: Specification, dataset: Dataset) -> Sizes:
    train, validation, test = (int((dataset.split == code).sum()) for code in (0, 1, 2))
    return sizes_of(written, train=train, validation=validation, test=test)


@pytest.mark.parametrize(("samples", "curve"), [(24, [0.5, 1.0]), (257, [1.0])])
def test_calls_of_an_evaluation_are_those_counted(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, samples: int, curve: list[float]
) -> None:
    written = specification(evaluation={"suite": "quick@1", "samples": samples, "curve": curve})
    module, test = Constant().eval(), digits.select("test")
    monkeypatch.setattr("robustcert.evaluation.evaluate.placed", lambda given, device: given)
    starts: list[int] = []

    def counted(ball: Ball, *, sample_ids: Sequence[int], restart: int, seed: int) -> Tensor:
        starts.append(len(sample_ids))
        return random_starts(ball, sample_ids=sample_ids, restart=restart, seed=seed)

    monkeypatch.setattr(pgd, "random_starts", counted)
    subject: Any = SimpleNamespace(module=module)
    result = evaluate(subject, test.rows(test.sample_ids[:samples]), written)
    wanted = evaluation_calls(written, load_suite("quick@1"), sizes(written, digits))
    assert module.calls == {"gradients": wanted.gradients, "forwards": wanted.forwards}
    assert sum(starts) == wanted.starts
    assert len(result.rows) == evaluation_rows(written, load_suite("quick@1"), sizes(written, digits))


@pytest.mark.parametrize(("n0", "n", "samples"), [(32, 512, 16), (256, 257, 5), (1, 100, 130)])
def test_calls_of_a_certification_are_those_counted(digits: Dataset, n0: int, n: int, samples: int) -> None:
    document = yaml.safe_load(small_specification())["certification"] | {"n0": n0, "n": n, "samples": samples}
    written, module = specification(certification=document), Constant().eval()
    blocks = blocks_of(digits.select("test").sample_ids[:samples].tolist(), draws=n0 + n)
    for block in blocks:
        subject: Any = SimpleNamespace(module=module)
        certify(subject, digits.rows(block), certification=written.certification, key0=1)
    wanted = certification_calls(written.certification, blocks=[len(block) for block in blocks])
    assert module.calls == {"forwards": wanted.vote_forwards + wanted.probe_forwards}
    assert wanted.blocks == len(blocks)


@pytest.mark.parametrize("radii", [[0.1], [0, 0.1, 0.5]])
def test_the_least_calls_of_a_sequential_certification_are_those_of_unanimous_votes(
    digits: Dataset, radii: list[float]
) -> None:
    options = {"method": "group-sequential", "n0": 32, "n": 2000, "samples": 30, "radii": radii}
    document = yaml.safe_load(small_specification())["certification"] | options
    written, module = specification(certification=document), Constant().eval()
    subject: Any = SimpleNamespace(module=module)
    rows = certify(subject, digits.select("test").rows(digits.select("test").sample_ids[:30]),
                   certification=written.certification, key0=1)  # fmt: skip
    wanted = certification_calls(written.certification, blocks=[30])
    assert {row["n0"] + row["n"] for row in rows} == {draws_of(written.certification)[0]}
    ahead = module.calls["forwards"] - wanted.least_vote_forwards - wanted.probe_forwards
    assert 0 <= ahead <= 3, "where a batch had room, draws beyond the last look were made and dropped"
    assert wanted.most_vote_forwards == -(-30 * 2032 // 256)


@pytest.mark.parametrize(
    ("options", "least", "most"),
    [
        ({}, 544, 544),
        ({"candidate": "label"}, 512, 512),
        ({"candidate": "most-voted"}, 512, 512),
        ({"method": "adaptive-pilot"}, 100, 612),
    ],
)
def test_votes_of_a_sample_are_those_of_its_streams(options: dict[str, object], least: int, most: int) -> None:
    values = {"sigma": 0.25, "unit": "input", "radii": [0.25], "n0": 32, "n": 512} | options
    assert draws_of(Certification.model_validate_json(json.dumps(values))) == (least, most)


@pytest.mark.parametrize(("method", "batch_size", "steps"), [("pgd", 128, 3), ("pgd", 1000, 2), ("standard", 64, 7)])
def test_updates_and_attack_steps_of_a_training_are_those_counted(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, method: str, batch_size: int, steps: int
) -> None:
    against = {"threatModel": "linf-0.1", "steps": steps} if method == "pgd" else {}
    written = specification(training={"method": method, "epochs": 2, "batchSize": batch_size} | against)
    made: Counter[str] = Counter()

    def gradient(module: nn.Module, x_BX: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        made["gradients"] += 1
        return logits_and_gradient(module, x_BX, aim)

    def loss(*given: Any) -> Tensor:
        made["updates"] += 1
        return mean_loss(*given)

    monkeypatch.setattr(losses, "logits_and_gradient", gradient)
    monkeypatch.setattr(epochs, "mean_loss", loss)
    train(written, digits, seed=0)
    assert written.training is not None
    wanted = training_calls(written.training, sizes(written, digits))
    assert made == Counter({"updates": wanted.updates, "gradients": wanted.gradients})
    assert wanted.epochs == 2


@pytest.mark.parametrize("samples", [100, 256, 272])
def test_calls_of_a_validation_are_those_counted(digits: Dataset, samples: int) -> None:
    written, module = specification(), Constant().eval()
    validation = digits.select("validation")
    some = validation.rows(validation.sample_ids[:samples])
    Validation(some, training_threat(written), seed=0).score(module)
    assert written.training is not None
    wanted = training_calls(
        written.training.model_copy(update={"epochs": 1}),
        Sizes(train=1, validated=samples, evaluated=1, certified=1),
    )
    assert module.calls == {"gradients": wanted.validation_gradients, "forwards": wanted.validation_forwards}


def test_sizes_are_what_the_specification_asks_for_of_what_there_is() -> None:
    document = yaml.safe_load(small_specification())
    document["certification"].pop("samples")
    found = sizes_of(specification(certification=document["certification"]), train=9, validation=5000, test=77)
    assert found == Sizes(train=9, validated=1000, evaluated=24, certified=77)


def test_its_constants_are_those_of_the_code_that_they_speak_of() -> None:
    found = (counts.FIXED_ROWS, counts.VALIDATED, counts.VALIDATION_STEPS)
    assert found == (FIXED_ROWS, MOST_SAMPLES, ATTACK_STEPS)
