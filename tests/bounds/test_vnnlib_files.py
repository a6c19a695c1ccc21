"""Property and verdict files: written, read back, replayed."""

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.bounds.property_proof import PropertyAnswer, PropertyTarget
from robustcert.bounds.vnnlib import parse_vnnlib
from robustcert.bounds.vnnlib_files import decimal, property_text, read_verdict, replayed, verdict_text
from robustcert.errors import InputError, ValidityError

LOWER, UPPER = np.array([0.1, 0.0, -1e-7]), np.array([0.3, 1.0, 1.0])


def target() -> PropertyTarget:
    """Class 0 wins where x_0 < 0.25."""
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
        linear.bias.copy_(torch.tensor([0.5, 0.0]))
    return PropertyTarget(module=linear.eval(), input_shape=(3,))


def test_a_samples_property_says_that_another_class_wins_in_the_box() -> None:
    found = parse_vnnlib(property_text(LOWER, UPPER, label=1, n_classes=3), source="a test")
    assert [(case.lower, case.upper) for case in found.cases] == [(tuple(LOWER), tuple(UPPER))] * 2
    assert [case.rows for case in found.cases] == [(({1: 1.0, 0: -1.0}, 0.0),), (({1: 1.0, 2: -1.0}, 0.0),)]


@pytest.mark.parametrize("value", [0.1, -1e-7, 1 / 3, 1e22, 5e-324, -0.0])
def test_decimals_read_back_as_the_same_number_and_have_no_exponent(value: float) -> None:
    assert float(decimal(value)) == value
    assert "e" not in decimal(value)


def test_a_counterexample_is_read_back_as_it_was_written() -> None:
    answer = PropertyAnswer(
        answer="sat", inputs=np.array([0.1, 2.0, -3e-8], np.float32), outputs=np.ones(2, np.float32)
    )
    text = verdict_text(answer)
    assert text.startswith("sat\n((X_0 0.1")
    assert text.endswith("(Y_1 1.0))\n")
    found = read_verdict(text, source="a test", inputs=3)
    assert found.inputs is not None
    assert answer.inputs is not None
    assert (found.inputs.astype(np.float32) == answer.inputs).all()


@pytest.mark.parametrize(
    ("text", "answer"), [("unsat\n", "unsat"), ("holds", "unsat"), ("timeout", "timeout"), ("SAT", "sat")]
)
def test_answers_without_a_counterexample_are_read(text: str, answer: str) -> None:
    assert read_verdict(text, source="a test", inputs=3).answer == answer


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "expected a verdict in a test"),
        ("maybe", "its first line is sat, unsat"),
        ("sat\n((X_0 1.0))", "expected a counterexample of 3 inputs in a test, got 1"),
        ("sat\n((X_0 nan)(X_1 1)(X_2 1))", "expected numbers in a test, got 'nan'"),
        ("sat\n((X_0 1e999)(X_1 1)(X_2 1))", "expected numbers in a test, got '1e999'"),
    ],
)
def test_what_is_no_verdict_is_refused(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_verdict(text, source="a test", inputs=3)


def replay(text: str) -> PropertyAnswer:
    wanted = parse_vnnlib(property_text(LOWER, UPPER, label=0, n_classes=2), source="a test")
    return replayed(target(), wanted, read_verdict(text, source="a test", inputs=3))


def test_a_true_counterexample_of_another_solver_is_confirmed() -> None:
    assert replay("sat\n((X_0 0.29)\n(X_1 0.5)\n(X_2 0.5)\n(Y_0 9)(Y_1 9))").answer == "sat"


@pytest.mark.parametrize(
    ("point", "got"), [("0.2", "outputs that do not hold the property"), ("0.4", "an input outside every box")]
)
def test_a_false_counterexample_is_refused(point: str, got: str) -> None:
    with pytest.raises(ValidityError, match=f"expected a counterexample, got {got}"):
        replay(f"sat\n((X_0 {point})(X_1 0.5)(X_2 0.5))")


def test_nothing_of_another_answer_is_replayed() -> None:
    assert replay("unsat").reason == "an answer without a counterexample to replay"
    assert replay("sat").answer == "unknown"
