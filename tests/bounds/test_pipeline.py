"""Verdicts of whole runs: known answers, stages against sampling, planted spikes, contradictions that abort."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.bounds import complete, pipeline
from robustcert.bounds.bound_stages import BoundStages
from robustcert.bounds.input_set import SetNorm
from robustcert.bounds.pipeline import ProofConfig, Prover
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.query import Outcome, Query
from robustcert.bounds.verdict import SampleVerdict
from robustcert.data.dataset import Dataset
from robustcert.errors import ValidityError
from robustcert.models.model import LoadedModel
from tests.bounds.digits_nets import digits_body, digits_dataset, loaded
from tests.bounds.planted_spike import with_spike

DATASET = digits_dataset(samples=40)
QUICK = ProofConfig(steps=15, restarts=2)


@pytest.fixture(scope="module")
def body() -> nn.Sequential:
    return digits_body(width=16, epsilon=0.1, epochs=8)


@pytest.fixture(scope="module")
def model(body: nn.Sequential) -> LoadedModel:
    return loaded(body, hidden=(16, 16))


def threat(epsilon: str, norm: SetNorm = "linf") -> ProofThreat:
    return ProofThreat.of(DATASET, norm=norm, epsilon=epsilon, unit="input")


def verdicts(
    model: LoadedModel, *, epsilon: str, config: ProofConfig = QUICK, norm: SetNorm = "linf"
) -> list[SampleVerdict]:
    return list(Prover(model, threat(epsilon, norm), config).verdicts(DATASET.select("test")))


@pytest.fixture(scope="module")
def found(model: LoadedModel) -> list[SampleVerdict]:
    return verdicts(model, epsilon="0.08")


def test_every_sample_gets_an_exact_verdict_in_its_order(found: list[SampleVerdict]) -> None:
    assert [verdict.sample for verdict in found] == DATASET.select("test").sample_ids.tolist()
    assert {verdict.verdict for verdict in found} == {"wrong", "falsified", "verified"}
    assert {verdict.stage for verdict in found} >= {"clean", "attack", "crown"}


def test_no_sampled_point_contradicts_a_verified_sample(model: LoadedModel, found: list[SampleVerdict]) -> None:
    generator = np.random.Generator(np.random.Philox(0))
    for verdict in (verdict for verdict in found if verdict.verdict == "verified"):
        x = DATASET.rows([verdict.sample]).x()
        points = np.clip(x + 0.08 * generator.choice([-1.0, 1.0], (400, 64)), 0, 1)
        assert (model.module(torch.from_numpy(points).float()).argmax(dim=1) == verdict.label).all()
        assert verdict.bounds_Q is not None
        assert verdict.bounds_Q.min() > verdict.tolerance


def test_witnesses_are_misclassified_float32_points_of_the_ball(model: LoadedModel, found: list[SampleVerdict]) -> None:
    witnesses = [verdict for verdict in found if verdict.verdict == "falsified"]
    assert witnesses
    for verdict in witnesses:
        assert verdict.witness is not None
        assert verdict.witness.dtype == np.float32
        distance = np.abs(verdict.witness.astype(float) - DATASET.rows([verdict.sample]).x()[0]).max()
        assert distance <= 0.08
        assert int(model.module(torch.from_numpy(verdict.witness)[None]).argmax()) != verdict.label


def test_exact_verifiers_decide_alone_what_the_attack_and_bounds_decide(
    model: LoadedModel, found: list[SampleVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BOUND_STAGES", ("interval",))
    alone = verdicts(model, epsilon="0.08", config=ProofConfig(steps=1, restarts=1))
    assert [verdict.verdict for verdict in alone] == [verdict.verdict for verdict in found]
    assert {"milp", "branch-and-bound"} & {verdict.stage for verdict in alone}


def test_the_same_run_gives_the_same_rows(model: LoadedModel, found: list[SampleVerdict]) -> None:
    assert [verdict.row() for verdict in verdicts(model, epsilon="0.08")] == [verdict.row() for verdict in found]


def test_without_time_hard_samples_are_unknown_and_nothing_else_changes(
    model: LoadedModel, found: list[SampleVerdict]
) -> None:
    hurried = verdicts(model, epsilon="0.08", config=replace(QUICK, time_limit=0.0))
    for quick, whole in zip(hurried, found, strict=True):
        assert quick.verdict in ("unknown", whole.verdict)
        assert quick.reason == ("time limit" if quick.verdict == "unknown" else "")
    assert any(verdict.verdict == "unknown" for verdict in hurried)


@pytest.mark.parametrize(("norm", "small", "large"), [("l2", "0.05", "2.0"), ("l1", "0.2", "6.0")])
def test_other_norms_verify_small_balls_and_falsify_large_ones(
    model: LoadedModel, norm: SetNorm, small: str, large: str
) -> None:
    config = replace(QUICK, time_limit=0.05)
    counts = [
        [verdict.verdict for verdict in verdicts(model, epsilon=epsilon, norm=norm, config=config)]
        for epsilon in (small, large)
    ]
    assert counts[0].count("verified") > 25
    assert counts[1].count("falsified") > 10


def test_a_linear_classifier_is_decided_as_its_closed_form_says() -> None:
    """The margin of a linear classifier over a box is w.x + b - epsilon ||w||_1, clipped ranges aside."""
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(64, 10)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(10, 64, generator=generator) / 8)
        linear.bias.zero_()
    module = nn.Sequential(linear).eval().requires_grad_(False)
    wide = replace(DATASET, lower=np.full(64, -9.0), upper=np.full(64, 9.0))
    with torch.no_grad():
        labels = module(torch.from_numpy(wide.x()).float()).argmax(dim=1).numpy()
    wide = replace(wide, y=labels)
    model = replace(loaded(digits_body(width=4, epsilon=0.0, epochs=1), hidden=(4, 4)), module=module)
    size = 0.01
    found = list(
        Prover(model, ProofThreat.of(wide, norm="linf", epsilon=str(size), unit="input"), QUICK).verdicts(
            wide.select("test")
        )
    )
    weight = linear.weight.double().numpy()
    for verdict, x in zip(found, wide.select("test").x(), strict=True):
        difference = weight[verdict.label] - np.delete(weight, verdict.label, axis=0)
        margin = (difference @ x - size * np.abs(difference).sum(axis=1)).min()
        if abs(margin) > 1e-3:
            assert verdict.verdict == ("verified" if margin > 0 else "falsified")
    assert {verdict.verdict for verdict in found} == {"verified", "falsified"}


def spiked(body: nn.Sequential, sample: int, *, seed: int) -> tuple[LoadedModel, Dataset]:
    """The model with a spike somewhere in the ball of one sample, for its second most likely class."""
    one = DATASET.rows([sample])
    x = torch.from_numpy(one.x()[0])
    shift = 0.07 * torch.from_numpy(np.random.Generator(np.random.Philox(seed)).uniform(-1, 1, 64))
    target = int(body(x[None].float())[0].argsort()[-2])
    point = torch.clamp(x + shift, 0, 1).float()
    return loaded(with_spike(body, point_D=point, width=0.02, height=100.0, target=target), hidden=(144, 17)), one


def test_planted_spikes_are_never_certified_and_exact_verifiers_find_them(
    body: nn.Sequential, found: list[SampleVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complete, "FIRST_SHARE", 0.0)
    robust = [verdict.sample for verdict in found if verdict.verdict == "verified"][:8]
    assert len(robust) == 8
    stages = []
    for seed, sample in enumerate(robust):
        model, one = spiked(body, sample, seed=seed)
        (verdict,) = Prover(model, threat("0.08"), replace(QUICK, time_limit=20.0)).verdicts(one)
        assert verdict.verdict != "verified"
        stages.append(verdict.stage)
    assert stages.count("milp") >= 4


class Unsound(BoundStages):
    """Bounds that prove everything."""

    def lower(self, *args: object, **settings: object) -> np.ndarray:
        return super().lower(*args, **settings) + 1000


def test_unsound_bounds_end_the_run(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BoundStages", Unsound)
    with pytest.raises(
        ValidityError, match="expected every point of the ball above every bound, got a point of the attack"
    ):
        verdicts(model, epsilon="0.08")


def test_an_exact_verifier_that_proves_too_much_ends_the_run(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = pipeline.decided

    def unsound(query: Query, *, seconds: float) -> tuple[Outcome, str]:
        return replace(original(query, seconds=seconds)[0], bound=1e6), "milp"

    monkeypatch.setattr(pipeline, "decided", unsound)
    with pytest.raises(ValidityError, match="expected every point of the ball above every bound"):
        list(Prover(model, threat("0.2"), ProofConfig(steps=1, restarts=1)).verdicts(DATASET.select("test")))


def test_an_operator_without_bounds_leaves_unbroken_samples_unknown_by_its_name(model: LoadedModel) -> None:
    class Sine(nn.Module):
        def forward(self, x_BK: torch.Tensor) -> torch.Tensor:
            return x_BK + 0 * torch.sin(x_BK)

    odd = replace(model, module=nn.Sequential(model.module, Sine()).eval())
    found = verdicts(odd, epsilon="0.01")
    assert {verdict.reason for verdict in found if verdict.verdict == "unknown"} == {"operator sin"}
    assert "verified" not in {verdict.verdict for verdict in found}
