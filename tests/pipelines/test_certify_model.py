"""certify_model: the user's own model takes the place of training; everything after it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.compiled import Parts, documents, inputs, tasks, waits_for


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Parts:
    return documents(root, "certify_model")[0]


def test_nothing_is_trained_and_the_model_waits_for_the_data(pipeline: Parts) -> None:
    after = waits_for(pipeline)
    assert "adversarial-training" not in after
    assert after["model-import"] >= {"gate", "data-validation"}
    assert after["robustness-evaluation"] >= {"model-import"}


def test_after_the_model_it_is_certified_training(pipeline: Parts, root: Path) -> None:
    trained = documents(root, "certified_training")[0]
    nested = "comp-certification-and-issue"
    assert pipeline["components"][nested] == trained["components"][nested]
    assert set(tasks(pipeline)) ^ set(tasks(trained)) == {"model-import", "adversarial-training"}


def test_its_inputs_are_those_of_certified_training_but_for_the_model(pipeline: Parts, root: Path) -> None:
    other = inputs(documents(root, "certified_training")[0])
    assert set(inputs(pipeline)) - {"model_uri"} == set(other) - {"processes"}
    assert {key: inputs(pipeline)[key] for key in set(other) - {"processes"}} == {
        key: other[key] for key in set(other) - {"processes"}
    }
