"""Oracle: linear models, where exactly the samples nearer to the boundary than epsilon can be broken."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.data.dataset import Dataset
from robustcert.errors import SpecificationError
from robustcert.evaluation.evaluate import EvaluationResult, evaluate
from robustcert.evaluation.suites import NEEDS
from robustcert.models.model import LoadedModel
from robustcert.specification import Specification
from robustcert.threat_model import ThreatModel

WEIGHTS = np.array([[-1.0, 2.0], [1.0, -2.0]])
RNG = np.random.default_rng(0)
X = np.rint(RNG.uniform(-1, 1, (60, 2)) * 4096) / 4096
Y = (X @ [1, -2] > 0).astype(int)
Y[:6] = 1 - Y[:6]  # wrong from the start


def unbroken(result: EvaluationResult, **wanted: str) -> dict[int, bool]:
    chosen = [row for row in result.rows if all(row[key] == value for key, value in wanted.items())]
    return {int(row["sample"] or 0): row["adversarial"] == row["label"] for row in chosen}


@pytest.mark.parametrize(("norm", "dual"), [("linf", 3.0), ("l2", 5**0.5)])
def test_accuracy_under_pgd_is_the_share_of_samples_beyond_epsilon(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    make_specification: Callable[..., Specification],
    norm: str,
    dual: float,
) -> None:
    threat = make_threat(name=norm, norm=norm, epsilon=0.3)
    result = evaluate(make_model(WEIGHTS), make_dataset(X, Y), make_specification(threat))
    distance = np.abs(X @ [1, -2]) / dual
    correct = ((X @ [1, -2]) > 0) == Y
    attacks = {str(row["attack"]) for row in result.rows}
    pgd = next(attack for attack in attacks if attack.startswith("pgd"))
    for text, epsilon in [("0.15", 0.15), ("0.3", 0.3)]:
        assert abs(distance - epsilon).min() > 1e-3
        expected = dict(zip(range(100, 160), (correct & (distance > epsilon)).tolist(), strict=True))
        assert unbroken(result, epsilon=text, attack=pgd) == expected
    assert list(unbroken(result, attack="clean").values()) == correct.tolist()
    assert result.valid


def test_every_rate_is_over_the_same_samples(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    make_specification: Callable[..., Specification],
) -> None:
    threats = make_threat(name="a"), make_threat(name="b", norm="l2", goal="targeted")
    result = evaluate(make_model(WEIGHTS), make_dataset(X, Y), make_specification(*threats, curve=(0.25, 1.0, 2.0)))
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in result.rows:
        groups.setdefault((row["threat"], row["epsilon"], row["attack"]), []).append(row["sample"])
    assert len(groups) == 2 * (1 + 3 * 2)
    assert all(samples == list(range(100, 160)) for samples in groups.values())
    assert {key.partition("/")[0] for key in result.adversarials} == {"a", "b"}
    assert all(isinstance(budget["gradients"], int) for budget in result.budgets)


def test_order_and_shards_change_no_row(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_specification: Callable[..., Specification],
) -> None:
    torch.manual_seed(0)
    model = make_model(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)))
    dataset, specification = make_dataset(X, Y), make_specification()
    whole = evaluate(model, dataset, specification)
    ids = dataset.sample_ids
    shards = [evaluate(model, dataset.rows(ids[part]), specification) for part in (slice(40, None), slice(0, 40))]
    reversed_order = evaluate(model, dataset.rows(ids[::-1]), specification)

    def by_sample(rows: list[Any]) -> list[Any]:
        return sorted(rows, key=lambda row: (row["epsilon"], row["attack"], row["sample"]))

    assert by_sample(shards[0].rows + shards[1].rows) == by_sample(whole.rows)
    assert by_sample(reversed_order.rows) == by_sample(whole.rows)
    assert reversed_order.validity == whole.validity


def test_access_below_every_attack_is_refused(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    make_specification: Callable[..., Specification],
) -> None:
    with pytest.raises(SpecificationError, match="an attack in suite quick@1 that works with access 'labels'"):
        evaluate(make_model(WEIGHTS), make_dataset(X, Y), make_specification(make_threat(access="labels")))


def test_an_attack_beyond_the_declared_access_is_left_out_and_named(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    make_specification: Callable[..., Specification],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(NEEDS, "fgsm", "labels")
    result = evaluate(make_model(WEIGHTS), make_dataset(X, Y), make_specification(make_threat(access="scores")))
    assert {str(row["attack"]).partition("@")[0] for row in result.rows} == {"clean", "fgsm"}
    assert len(result.refused) == 1
    assert result.refused[0].startswith("linf: pgd@1-")
    assert result.refused[0].endswith(" needs access gradients, the threat declares scores")


def test_progress_names_attack_epsilon_and_unit(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_specification: Callable[..., Specification],
) -> None:
    seen: list[tuple[int, int, str]] = []
    evaluate(make_model(WEIGHTS), make_dataset(X, Y), make_specification(), progress=lambda *step: seen.append(step))
    assert seen[0] == (0, 5, "fgsm at epsilon 0.25 input (linf)")
    assert [done for done, _, _ in seen] == [0, 1, 2, 3, 5]


class Probabilities(nn.Module):
    """A softmax in place of logits."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(x @ torch.tensor(WEIGHTS.T, dtype=torch.float32), dim=1)


class Quantised(nn.Module):
    """Gradients are exactly zero, though its class changes."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.round(8 * x) @ torch.tensor(WEIGHTS.T, dtype=torch.float32)


@pytest.mark.parametrize(
    ("body", "failing"),
    [(Probabilities(), "logits-are-scores"), (Quantised(), "gradients-present")],
)
def test_a_model_that_deceives_attacks_makes_the_evaluation_invalid_but_not_silent(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_specification: Callable[..., Specification],
    body: nn.Module,
    failing: str,
) -> None:
    result = evaluate(make_model(body), make_dataset(X, Y), make_specification())
    assert not result.valid
    assert failing in {check.name for check in result.validity if not check.passed}
    assert len(result.rows) == 60 * 5
