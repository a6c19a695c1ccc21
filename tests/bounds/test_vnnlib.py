"""VNN-LIB properties in the forms of public benchmarks, written by hand, and what is no property."""

import math
import random

import pytest

from robustcert.bounds import vnnlib
from robustcert.bounds.vnnlib import Property, UnsupportedProperty, parse_vnnlib
from robustcert.errors import InputError, RobustcertError

NAMES = ("X_0", "X_1", "Y_0", "Y_1", "Y_2")
HEADER = "".join(f"(declare-const {name} Real)\n" for name in NAMES)
BOX = "(assert (<= X_0 0.6799))\n(assert (>= X_0 0.6))\n(assert (<= X_1 0.5))\n(assert (>= X_1 -5e-1))\n"
ACAS_1 = "; Unsafe if COC >= 1500\n" + HEADER + BOX + "(assert (>= Y_0 3.9911))\n"
ACAS_2 = HEADER + BOX + "(assert (<= Y_1 Y_0))\n(assert (<= Y_2 Y_0))\n"
ACAS_7 = HEADER + BOX + "(assert (or (and (<= Y_0 Y_1) (<= Y_0 Y_2)) (and (<= Y_2 Y_0) (<= Y_2 Y_1))))\n"
BOXES = (
    HEADER
    + "(assert (or (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1) (>= Y_0 Y_1))"
    + " (and (>= X_0 2) (<= X_0 3) (>= X_1 2) (<= X_1 3) (>= Y_0 Y_2))))"
)
IMAGE = HEADER + BOX + "(assert (or (and (>= Y_1 Y_0)) (and (>= Y_2 Y_0))))\n"


def parsed(text: str) -> Property:
    return parse_vnnlib(text, source="a test")


def test_a_threshold_on_one_output() -> None:
    (case,) = parsed(ACAS_1).cases
    assert (case.lower, case.upper) == ((0.6, -0.5), (0.6799, 0.5))
    assert case.rows == (({0: -1.0}, -3.9911),)


def test_comparisons_of_outputs_are_one_conjunction() -> None:
    (case,) = parsed(ACAS_2).cases
    assert case.rows == (({1: 1.0, 0: -1.0}, 0.0), ({2: 1.0, 0: -1.0}, 0.0))


@pytest.mark.parametrize(("text", "rows"), [(ACAS_7, 2), (IMAGE, 1)])
def test_disjunctions_become_cases_with_the_same_box(text: str, rows: int) -> None:
    found = parsed(text)
    assert [len(case.rows) for case in found.cases] == [rows, rows]
    assert {case.lower for case in found.cases} == {(0.6, -0.5)}


def test_boxes_in_a_disjunction_are_cases_of_their_own() -> None:
    assert [(case.lower, case.upper) for case in parsed(BOXES).cases] == [((0, 0), (1, 1)), ((2, 2), (3, 3))]


def test_a_number_may_stand_first_and_limits_are_met() -> None:
    (case,) = parsed(HEADER + BOX + "(assert (>= 0.65 X_0))(assert (<= 0.0 Y_0))").cases
    assert case.upper[0] == 0.65
    assert case.rows == (({0: -1.0}, 0.0),)


def test_nested_conditions_are_multiplied_out() -> None:
    text = HEADER + BOX + "(assert (and (or (<= Y_0 1) (<= Y_1 1)) (or (<= Y_0 2) (<= Y_2 2) (and))))"
    assert [len(case.rows) for case in parsed(text).cases] == [2, 2, 1, 2, 2, 1]


def test_an_empty_box_or_disjunction_leaves_no_case() -> None:
    assert parsed(HEADER + BOX + "(assert (>= X_0 0.7))").cases == ()
    assert parsed(HEADER + BOX + "(assert (or))").cases == ()


def test_smt_libs_declare_fun_is_read_too() -> None:
    text = "(declare-fun X_0 () Real)(declare-fun Y_0 () Real)(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= Y_0 0))"
    assert parsed(text).inputs == 1


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("(assert (<= (* 2.0 Y_0) 1.0))", r"\*"),
        ("(assert (< Y_0 1.0))", "<"),
        ("(assert (not (<= Y_0 1.0)))", "not"),
        ("(assert (=> (<= Y_0 1.0) (<= Y_1 1.0)))", "=>"),
        ("(assert (<= X_0 Y_0))", "a condition between inputs, or of inputs and outputs"),
        ("(check-sat)", "check-sat"),
        ("(declare-const Z Int)", "sort 'Int'"),
    ],
)
def test_what_is_not_read_is_named(text: str, operator: str) -> None:
    with pytest.raises(UnsupportedProperty, match=f"got {operator}"):
        parsed(HEADER + BOX + text)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "no command"),
        ("(assert (<= Y_0 1.0)", r"a '\(' without its '\)'"),
        ("(assert) )", r"a '\)' without its '\('"),
        ("hello", "'hello' outside a command"),
        (HEADER + "(assert (<= Y_7 1.0))", "Y_7, which is not declared"),
        (HEADER + "(assert (<= foo 1.0))", "'foo' where a variable"),
        (HEADER + "(assert (<= Y_0 1e9999))", "1e9999, which no float64"),
        (HEADER + "(assert (<= Y_0 nan))", "'nan' where a variable"),
        (HEADER + "(assert (<= Y_0 __import__))", "'__import__' where a variable"),
        (HEADER + "(assert (<= Y_0 1.0))", "an input without a lower or an upper limit"),
        ("(declare-const X_1 Real)(declare-const Y_0 Real)", "declarations of X that are not X_0"),
        ("(declare-const X_0)", "the declaration"),
        (HEADER + "(assert Y_0)", "'Y_0' where a condition stands"),
        ("(" * 80 + ")" * 80, "brackets inside one another"),
    ],
)
def test_what_is_no_property_is_refused_in_one_line(text: str, got: str) -> None:
    with pytest.raises(InputError, match=f"expected a VNN-LIB property in a test, got .*{got}") as caught:
        parsed(text)
    assert "\n" not in str(caught.value)


def test_cases_that_explode_are_refused_before_they_are_made() -> None:
    clause = "(assert (or (<= Y_0 1) (<= Y_1 1) (<= Y_2 1)))"
    with pytest.raises(InputError, match=f"more than {vnnlib.MOST_CASES} cases"):
        parsed(HEADER + BOX + clause * 40)


def test_a_long_property_takes_time_in_proportion() -> None:
    count = 20_000
    names = "".join(
        f"(declare-const X_{index} Real)(assert (and (<= X_{index} 1) (>= X_{index} 0)))" for index in range(count)
    )
    assert parsed(names + "(declare-const Y_0 Real)(assert (<= Y_0 0))").inputs == count


def test_broken_files_are_refused_or_read_but_never_crash() -> None:
    for seed in range(500):
        refused_or_read(broken(random.Random(seed)))


def broken(chosen: random.Random) -> str:
    """One of the properties above with a few pieces cut out, put in, or doubled."""
    text = list(chosen.choice([ACAS_1, ACAS_2, ACAS_7, BOXES]))
    for _ in range(chosen.randint(1, 8)):
        place = chosen.randrange(len(text))
        action = chosen.randrange(3)
        if action == 0:
            del text[place : place + chosen.randint(1, 12)]
        elif action == 1:
            text.insert(place, chosen.choice(["(", ")", " ", "or", "and", "\x00", "é", "X_", "-", "1e400", ";", "<="]))
        else:
            text[place : place + 1] = text[place : place + chosen.randint(1, 40)]
    return "".join(text)


def refused_or_read(text: str) -> None:
    try:
        found = parsed(text)
    except RobustcertError as error:
        lines = str(error).splitlines()
        found = Property(inputs=0, outputs=0, cases=())
    else:
        lines = ["read"]
    assert len(lines) == 1
    limits = [value for case in found.cases for value in (*case.lower, *case.upper, *(limit for _, limit in case.rows))]
    assert all(map(math.isfinite, limits))
