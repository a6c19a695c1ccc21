"""The l1 vertex attack against the closed form of a linear classifier."""

import numpy as np
import torch
from torch import nn

from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.vertex_attack import vertex_attack
from tests.bounds.digits_nets import digits_dataset


def test_it_moves_the_feature_that_a_linear_classifier_weighs_most() -> None:
    linear = nn.Linear(64, 10, bias=False).requires_grad_(False)
    linear.weight.zero_()
    linear.weight[1] = torch.linspace(-1, 2, 64)
    x = np.full((2, 64), 0.5)
    threat = ProofThreat.of(digits_dataset(samples=5), norm="l1", epsilon="0.25", unit="input")
    found = vertex_attack(linear, x, np.array([0, 1]), threat=threat)
    assert threat.contains(found, x).all()
    moved = [np.flatnonzero(np.abs(row - 0.5) > 1e-6).tolist() for row in found]
    assert moved == [[63], [63]]
    assert found[0, 63] > 0.749
    assert found[1, 63] < 0.251
