"""Model, training and certification must fit together."""

from typing import Any

import pytest

from robustcert.specification_checks import model_and_training as checks
from tests.specification_checks.edited import ABSENT, messages, said

OWN_WEIGHTS = {"architecture": "mlp", "weights": "model.safetensors"}
FACTORY = {"factory": "package.module:function"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"training": ABSENT}, "model.architecture"),
        ({"model": OWN_WEIGHTS}, "training"),
        ({"model": FACTORY}, "training"),
        ({"model": {"onnx": "model.onnx"}}, "training"),
    ],
)
def test_weights_from_nowhere_or_from_two_places_are_refused(changes: dict[str, Any], path: str) -> None:
    assert said(checks.weights_come_from_one_place, **changes) == [(path, "error")]


@pytest.mark.parametrize("model", [OWN_WEIGHTS, FACTORY, {"onnx": "model.onnx"}])
def test_your_own_model_without_training_is_accepted(model: dict[str, str]) -> None:
    assert said(checks.weights_come_from_one_place, model=model, training=ABSENT) == []


def test_a_convolution_on_a_table_is_refused() -> None:
    assert messages(checks.architecture_fits_the_data, "table", model={"architecture": "resnet"}) == [
        "expected 'mlp' for a table, got 'resnet'; change it"
    ]
    assert said(checks.architecture_fits_the_data, model={"architecture": "resnet"}) == []


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ({"architecture": "small-cnn", "hidden": [64]}, "hidden"),
        ({"architecture": "mlp", "width": 16}, "width"),
        ({"architecture": "mlp", "sha256": "0" * 64}, "sha256"),
    ],
)
def test_a_key_of_the_model_without_effect_is_refused(model: dict[str, Any], key: str) -> None:
    assert said(checks.model_keys_have_an_effect, model=model) == [(f"model.{key}", "error")]
    assert said(checks.model_keys_have_an_effect, model={"architecture": model["architecture"]}) == []


def test_pgd_needs_a_threat_model_and_standard_has_none() -> None:
    check = checks.training_method_has_its_keys
    assert said(check) == []
    assert said(check, training__threatModel=ABSENT) == [("training", "error")]
    assert said(check, training={"method": "standard"}) == []
    found = said(check, training={"method": "standard", "threatModel": "linf-0.1", "steps": 7})
    assert found == [("training.threatModel", "error"), ("training.steps", "error")]


def test_training_without_the_noise_is_advised_against() -> None:
    check = checks.training_sees_the_noise
    assert said(check, training__noiseSigma=0) == [("training.noiseSigma", "warning")]
    assert "set it to sigma, 0.25" in messages(check, training__noiseSigma=0)[0]
    assert said(check, training=ABSENT) == []


def test_only_what_is_trained_here_can_be_trained_anew() -> None:
    allowed = {"recertification": {"retrain": "allowed"}}
    assert said(checks.retraining_has_its_training, **allowed) == []
    assert messages(checks.retraining_has_its_training, model=OWN_WEIGHTS, training=ABSENT, **allowed) == [
        "expected 'training' where retrain is allowed, got none; remove it: your own model is never trained here"
    ]
    never = {"recertification": {"retrain": "never"}}
    assert said(checks.retraining_has_its_training, model=OWN_WEIGHTS, training=ABSENT, **never) == []
