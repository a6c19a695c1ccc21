"""Oracle: the attacks' own functions called directly, and threats that grant too little."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from robustcert.attacks.ball import Ball
from robustcert.attacks.fgsm import fgsm
from robustcert.attacks.pgd import pgd
from robustcert.errors import SpecificationError
from robustcert.evaluation import run_attack as module
from robustcert.evaluation.run_attack import AttackInputs, run_attack, with_one_restart
from robustcert.evaluation.suites import load_suite
from robustcert.models.model import LoadedModel
from robustcert.threat_model import ThreatModel

FGSM, PGD = load_suite("quick@1").attacks
ONES = torch.ones(2, dtype=torch.float64)
BALL = Ball(norm="linf", epsilon=0.25, scale=ONES, lower=-4 * ONES, upper=4 * ONES)


def inputs(count: int = 5) -> AttackInputs:
    x = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return AttackInputs(x_BX=x, y_B=(x[:, 0] > x[:, 1]).long(), sample_ids_B=torch.arange(count))


def test_suite_parameters_reach_the_attacks(
    make_model: Callable[..., LoadedModel], make_threat: Callable[..., ThreatModel]
) -> None:
    classifier, given = make_model([[-1.0, 1.0], [1.0, -1.0]]).module, inputs()
    one_step = run_attack(FGSM, classifier, given, threat=make_threat(), ball=BALL, seed=7)
    iterated = run_attack(PGD, classifier, given, threat=make_threat(), ball=BALL, seed=7)
    assert torch.equal(one_step.x_adv_BX, fgsm(classifier, given.x_BX, given.y_B, ball=BALL).x_adv_BX)
    direct = pgd(
        classifier,
        given.x_BX,
        given.y_B,
        ball=BALL,
        steps=40,
        restarts=5,
        step_size=2.5 * 0.25 / 40,
        sample_ids=range(5),
        seed=7,
    )
    assert torch.equal(iterated.x_adv_BX, direct.x_adv_BX)
    assert torch.equal(iterated.gradients_B, direct.gradients_B)


def test_chunks_change_nothing(
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classifier = make_model([[-1.0, 1.0], [1.0, -1.0]]).module
    whole = run_attack(PGD, classifier, inputs(20), threat=make_threat(), ball=BALL, seed=7)
    monkeypatch.setattr(module, "CHUNK_ROWS", 6)
    parts = run_attack(PGD, classifier, inputs(20), threat=make_threat(), ball=BALL, seed=7)
    assert torch.equal(parts.x_adv_BX, whole.x_adv_BX)
    assert torch.equal(parts.forwards_B, whole.forwards_B)


def test_no_rows_are_attacked_in_no_time(
    make_model: Callable[..., LoadedModel], make_threat: Callable[..., ThreatModel]
) -> None:
    classifier = make_model([[-1.0, 1.0], [1.0, -1.0]]).module
    found = run_attack(PGD, classifier, inputs(0), threat=make_threat(), ball=BALL, seed=0)
    assert found.x_adv_BX.shape == (0, 2)


@pytest.mark.parametrize("access", ["transfer", "labels", "scores"])
def test_an_attack_that_needs_more_access_is_refused(
    make_model: Callable[..., LoadedModel], make_threat: Callable[..., ThreatModel], access: str
) -> None:
    with pytest.raises(
        SpecificationError, match=f"within access '{access}' of threat 'linf', got pgd, which needs 'gra"
    ):
        run_attack(PGD, make_model([[1.0, 0.0]]).module, inputs(), threat=make_threat(access=access), ball=BALL, seed=0)


def test_one_restart_is_all_that_changes() -> None:
    assert with_one_restart(FGSM) == FGSM
    assert with_one_restart(PGD) == replace(PGD, parameters={"steps": 40, "restarts": 1, "relativeStep": "2.5"})
