"""Oracle: linear models, where FGSM's point, its distance and its class are closed forms."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from robustcert.data.dataset import Dataset
from robustcert.evaluation.attack_run import AttackRun, attack_samples, clean_rows
from robustcert.evaluation.clean_pass import CleanPass, clean_pass
from robustcert.evaluation.curve import Strength
from robustcert.evaluation.suites import load_suite
from robustcert.models.model import LoadedModel
from robustcert.threat_model import ThreatModel

FGSM, PGD = load_suite("quick@1").attacks
X = [[0.25, 0.0], [2.0, 0.0], [-1.0, 0.0]]  # class 1 where the first is larger; the last one is wrong


@pytest.fixture
def clean(make_dataset: Callable[..., Dataset], make_model: Callable[..., LoadedModel]) -> CleanPass:
    return clean_pass(make_model([[-1.0, 1.0], [1.0, -1.0]]).module, make_dataset(X, [1, 1, 1]))


def run(clean: CleanPass, threat: ThreatModel, *, main: bool = True) -> AttackRun:
    strength = Strength(text="0.5", value=0.5, main=main)
    return attack_samples(clean, FGSM, threat=threat, strength=strength, seed=0)


def test_rows_tell_broken_unbroken_and_wrong_from_the_start(
    clean: CleanPass, make_threat: Callable[..., ThreatModel]
) -> None:
    broken, unbroken, wrong = run(clean, make_threat()).rows
    x_adv = np.array([-0.25, 0.5], "<f4")
    assert broken == {
        "threat": "linf",
        "epsilon": "0.5",
        "attack": FGSM.id,
        "sample": 100,
        "input": hashlib.sha256(np.array([1024, 0], "<i4").tobytes()).hexdigest(),
        "label": 1,
        "target": None,
        "prediction": 1,
        "adversarial": 0,
        "distance": "0.500000000000",
        "perturbed": hashlib.sha256(x_adv.tobytes()).hexdigest(),
    }
    nothing = {"distance": "0", "perturbed": ""}
    assert {key: unbroken[key] for key in ("prediction", "adversarial", *nothing)} == {
        "prediction": 1,
        "adversarial": 1,
        **nothing,
    }
    assert {key: wrong[key] for key in ("prediction", "adversarial", *nothing)} == {
        "prediction": 0,
        "adversarial": 0,
        **nothing,
    }


def test_point_and_budget_agree_with_the_rows(clean: CleanPass, make_threat: Callable[..., ThreatModel]) -> None:
    found = run(clean, make_threat())
    assert found.point.unbroken.tolist() == [False, True, False]
    assert (found.point.worst_ratio, found.point.illegal, found.point.unreproduced) == (1.0, 0, 0)
    assert found.budget == {
        "threat": "linf",
        "epsilon": "0.5",
        "attack": FGSM.id,
        "samples": 2,
        "broken": 1,
        "gradients": 2,
        "forwards": 4,
    }


def test_perturbed_inputs_are_kept_at_the_threat_s_own_epsilon_only(
    clean: CleanPass, make_threat: Callable[..., ThreatModel]
) -> None:
    kept = run(clean, make_threat()).adversarials
    assert kept is not None
    assert kept.sample_ids.tolist() == [100]
    assert kept.x_adv.tolist() == [[-0.25, 0.5]]
    assert run(clean, make_threat(), main=False).adversarials is None


def test_targets_stand_in_the_rows_of_a_targeted_threat(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
) -> None:
    model = make_model([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    clean = clean_pass(model.module, make_dataset([[1.0, 0.25], [4.0, 0.0]], [0, 0], n_classes=3))
    near, far = attack_samples(
        clean,
        PGD,
        threat=make_threat(goal="targeted"),
        strength=Strength(text="1", value=1.0, main=True),
        seed=0,
    ).rows
    assert (near["target"], near["adversarial"]) == (2, 2)
    assert (far["target"], far["adversarial"]) == (2, 0)


def test_clean_rows_are_without_target_and_perturbation(
    clean: CleanPass, make_threat: Callable[..., ThreatModel]
) -> None:
    rows = clean_rows(clean, threat=make_threat(goal="targeted"))
    assert {(row["attack"], row["epsilon"], row["target"], row["distance"], row["perturbed"]) for row in rows} == {
        ("clean", "0", None, "0", "")
    }
    assert [(row["sample"], row["prediction"], row["adversarial"]) for row in rows] == [
        (100, 1, 1),
        (101, 1, 1),
        (102, 0, 0),
    ]
