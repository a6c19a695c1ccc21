"""Answers about properties against z3, and boxes that hold no float32."""

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.bounds.property_proof import PropertyTarget, answered, in_box, inside, rows_hold
from robustcert.bounds.vnnlib import Case, parse_vnnlib
from robustcert.errors import InputError
from tests.bounds.onnx_networks import property_of
from tests.bounds.random_queries import random_question
from tests.bounds.z3_oracle import z3_answer

ANSWERS = {"found": "sat", "none": "unsat"}


@pytest.mark.parametrize("seed", range(16))
def test_answers_are_those_of_z3(seed: int) -> None:
    question = random_question(seed, rows=2)
    label, *others = [
        int(row) for row in np.r_[np.flatnonzero(question.rows[0] > 0), np.flatnonzero(question.rows.sum(axis=0) < 0)]
    ]
    conditions = "".join(f"(assert (<= Y_{label} Y_{other}))" for other in others)
    wanted = parse_vnnlib(property_of(question.lower, question.upper, conditions, outputs=3), source="a test")
    target = PropertyTarget(module=question.module(), input_shape=(len(question.x),))
    found = answered(target, wanted, seconds=30, second_opinion=True)
    oracle = z3_answer(
        question.layers, lower=question.lower, upper=question.upper, rows=question.rows, offsets=question.offsets
    )
    assert found.answer == ANSWERS[oracle]
    if found.answer == "sat":
        assert found.inputs is not None
        assert target.holds(wanted.cases[0], found.inputs)


def identity() -> PropertyTarget:
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.zero_()
    return PropertyTarget(module=linear.eval(), input_shape=(2,))


def asked(conditions: str, *, low: float = 0.0, high: float = 1.0) -> str:
    text = property_of(np.full(2, low), np.full(2, high), conditions, outputs=2)
    return answered(identity(), parse_vnnlib(text, source="a test"), seconds=20).answer


@pytest.mark.parametrize(
    ("conditions", "answer"),
    [
        ("(assert (>= Y_0 0.5))", "sat"),
        ("(assert (>= Y_0 1.5))", "unsat"),
        ("(assert (or (>= Y_0 1.5) (>= Y_1 0.9)))", "sat"),
        ("(assert (or (>= Y_0 1.5) (<= Y_1 -0.1)))", "unsat"),
        ("(assert (>= Y_0 0.9))(assert (<= Y_0 0.1))", "unsat"),
        ("", "sat"),
        ("(assert (or))", "unsat"),
        ("(assert (>= Y_0 1.00005))", "unknown"),
    ],
)
def test_known_answers(conditions: str, answer: str) -> None:
    assert asked(conditions) == answer


def test_no_proof_about_a_float32_model_that_is_further_from_real_arithmetic_than_the_tolerance() -> None:
    """y = 3 + (c + d) x - c x - d x is 3 in real arithmetic; at x = 1e6 the float32 products are off by units."""
    c, d = np.float32(33.3), np.float32(40.7)
    while float(c + d) != float(c) + float(d):
        d = np.nextafter(d, np.float32(99))
    first, second = nn.Linear(2, 3, bias=False), nn.Linear(3, 2)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[float(c + d), 0], [float(c), 0], [float(d), 0]]))
        second.weight.copy_(torch.tensor([[1.0, -1.0, -1.0], [0.0, 0.0, 0.0]]))
        second.bias.copy_(torch.tensor([3.0, 0.0]))
    target = PropertyTarget(module=nn.Sequential(first, nn.ReLU(), second).eval(), input_shape=(2,))
    text = property_of(np.array([1e6, 0]), np.array([1e6 + 1, 1]), "(assert (<= Y_0 -20))", outputs=2)
    assert answered(target, parse_vnnlib(text, source="a test"), seconds=5).answer == "unknown"


def test_without_time_a_hard_case_is_a_timeout() -> None:
    question = random_question(17, most_units=9, rows=2)
    module = question.module()
    label = int(np.flatnonzero(question.rows[0] > 0)[0])
    others = [other for other in range(3) if other != label]
    conditions = "".join(f"(assert (<= Y_{label} Y_{other}))" for other in others)
    text = property_of(question.lower, question.upper, conditions, outputs=3)
    target = PropertyTarget(module=module, input_shape=(len(question.x),))
    assert answered(target, parse_vnnlib(text, source="a test"), seconds=0).answer == "timeout"


def test_an_activation_without_an_exact_form_is_decided_by_bounds_or_named() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).eval().requires_grad_(False)
    target = PropertyTarget(module=module, input_shape=(2,))
    reach = float(module[2].weight.abs().sum() + module[2].bias.abs().sum())
    for limit, answer in ((reach + 1, "unsat"), (-reach, "sat")):
        text = property_of(np.zeros(2), np.ones(2), f"(assert (>= Y_0 {limit}))", outputs=2)
        assert answered(target, parse_vnnlib(text, source="a test"), seconds=5).answer == answer
    x = torch.cartesian_prod(*[torch.linspace(0, 1, 60)] * 2)
    limit = float(module(x)[:, 0].max()) + 0.01
    text = property_of(np.zeros(2), np.ones(2), f"(assert (>= Y_0 {limit}))", outputs=2)
    found = answered(target, parse_vnnlib(text, source="a test"), seconds=5)
    assert (found.answer, found.reason) in (("unknown", "operator tanh"), ("unsat", ""))


def test_another_runtime_that_disagrees_confirms_nothing() -> None:
    target = PropertyTarget(module=identity().module, input_shape=(2,), runs=(lambda x: x - 10,))
    text = property_of(np.zeros(2), np.ones(2), "(assert (>= Y_0 0.5))", outputs=2)
    assert answered(target, parse_vnnlib(text, source="a test"), seconds=5).answer == "unknown"


def test_a_property_of_another_size_is_refused() -> None:
    text = property_of(np.zeros(3), np.ones(3), "", outputs=2)
    with pytest.raises(InputError, match="expected a property of 2 inputs and 2 outputs, got 3 and 2"):
        answered(identity(), parse_vnnlib(text, source="a test"), seconds=1)


def test_points_are_rounded_into_the_box_or_to_the_nearest_float32() -> None:
    case = Case(lower=(0.1, 0.7), upper=(0.2, 0.7), rows=())
    for value in (0.0, 0.1, 0.15, 0.2, 1.0):
        point = inside(np.array([value, value]), case)
        assert 0.1 <= float(point[0]) <= 0.2
        assert point[1] == np.float32(0.7)
        assert in_box(point, case)
    assert not in_box(np.array([0.1, 0.7], np.float32) - np.float32(1e-3), case)
    assert not in_box(np.array([0.15, 0.7001], np.float32), case)


def test_outputs_that_are_no_numbers_hold_nothing() -> None:
    case = Case(lower=(0.0,), upper=(1.0,), rows=(({0: 1.0}, 0.0),))
    assert not rows_hold(case, np.array([np.nan], np.float32))
    assert rows_hold(case, np.array([-1.0], np.float32))
