"""The attack before a proof: what it breaks is broken for the deployed model, inside the ball."""

import numpy as np
import pytest
import torch

from robustcert.bounds.input_set import SetNorm
from robustcert.bounds.proof_attack import Samples, attacked
from robustcert.bounds.proof_threat import ProofThreat
from tests.bounds.digits_nets import digits_body, digits_dataset

DATASET = digits_dataset(samples=30)


@pytest.fixture(scope="module")
def samples() -> Samples:
    body = digits_body(width=16, epsilon=0.0, epochs=4)
    found = Samples.of(body, DATASET.select("test"))
    return found.rows(found.correct)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", "0.1"), ("l2", "0.6"), ("l1", "2.5")])
def test_broken_points_are_inside_and_misclassified(samples: Samples, norm: SetNorm, epsilon: str) -> None:
    body = digits_body(width=16, epsilon=0.0, epochs=4)
    threat = ProofThreat.of(DATASET, norm=norm, epsilon=epsilon, unit="input")
    found = attacked(body, samples, threat=threat, steps=20, restarts=2, seed=0)
    assert threat.contains(found.points_NX, samples.x_NX).all()
    labels = body(torch.from_numpy(found.points_NX)).argmax(dim=1).numpy()
    assert (labels[found.broken_N] != samples.dataset.y[found.broken_N]).all()
    assert 0 < found.broken_N.sum() < len(samples)
    assert ((found.margins_NQ.min(axis=1) <= 0) == found.broken_N).all()


def test_facts_name_sample_label_and_tolerance(samples: Samples) -> None:
    facts = samples.facts(0)
    assert facts.sample == int(samples.dataset.sample_ids[0])
    assert facts.tolerance == pytest.approx(1e-4 * max(1.0, float(np.abs(samples.logits_NK[0]).max())))
    assert facts.tolerance == samples.tolerances[0]
