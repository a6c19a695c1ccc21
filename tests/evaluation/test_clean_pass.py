"""Oracle: logits of a linear model by numpy."""

import hashlib
from collections.abc import Callable

import numpy as np

from robustcert.data.dataset import Dataset
from robustcert.evaluation.clean_pass import clean_pass
from robustcert.models.model import LoadedModel
from robustcert.threat_model import ThreatModel

WEIGHTS = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
X = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 3.0]])


def test_logits_predictions_and_correct_rows(
    make_dataset: Callable[..., Dataset], make_model: Callable[..., LoadedModel]
) -> None:
    clean = clean_pass(make_model(WEIGHTS).module, make_dataset(X, [0, 0, 2], n_classes=3))
    np.testing.assert_allclose(clean.logits_NK.numpy(), X @ WEIGHTS.T)
    assert clean.predictions.tolist() == [0, 1, 2]
    assert clean.correct_rows.tolist() == [0, 2]
    assert clean.digests[0] == hashlib.sha256(np.array([4096, 0], "<i4").tobytes()).hexdigest()


def test_target_is_the_most_likely_class_but_the_label(
    make_dataset: Callable[..., Dataset],
    make_model: Callable[..., LoadedModel],
    make_threat: Callable[..., ThreatModel],
) -> None:
    clean = clean_pass(make_model(WEIGHTS).module, make_dataset(X, [0, 0, 2], n_classes=3))
    targets = clean.targets(make_threat(goal="targeted"))
    assert targets is not None
    assert targets.tolist() == [2, 1, 1]
    assert clean.targets(make_threat()) is None
    assert clean.inputs(make_threat()).targets_B is None
