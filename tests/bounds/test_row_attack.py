"""The attack on a property: it stays in the box and finds what a grid finds."""

import numpy as np
import torch
from torch import nn

from robustcert.bounds.row_attack import row_attack
from robustcert.bounds.vnnlib import Case


def test_it_finds_the_corner_of_a_linear_network_and_stays_in_the_box() -> None:
    linear = nn.Linear(3, 1, bias=False).eval()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
    case = Case(lower=(0.1, 0.1, 0.3), upper=(0.2, 0.9, 0.3), rows=(({0: 1.0}, 0.0),))
    best = row_attack(linear, case, (np.ones((1, 1)), np.zeros(1)), shape=(3,))[0]
    np.testing.assert_allclose(best, [0.1, 0.9, 0.3], atol=1e-6)
    assert (best[:2] >= np.array(case.lower[:2])).all()
    assert (best[:2] <= np.array(case.upper[:2])).all()


def test_no_rows_need_no_attack() -> None:
    case = Case(lower=(0.0,), upper=(1.0,), rows=())
    assert row_attack(nn.Linear(1, 1), case, (np.zeros((0, 1)), np.zeros(0)), shape=(1,)) == []
