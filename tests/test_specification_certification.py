"""Options of the certified half: which belong to which method, said in one line at the key. Oracle: written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from robustcert.specification_certification import WHEN_ABSENT, Certification
from robustcert.specification_file import canonical_form, check_text, parse_specification
from robustcert.specification_template import template

DIGITS = template("digits")


def with_lines(*lines: str) -> str:
    """The digits example with further lines under `certification`, its method and their reasons removed."""
    head, _, tail = DIGITS.partition("  sigma: 0.25")
    text = "".join(f"  {line}\n" for line in lines)
    kept = [line for line in tail.splitlines(keepends=True) if not line.startswith(("  method:", "  n0:"))]
    return f"{head}{text}  sigma: 0.25{''.join(kept)}"


def errors(*lines: str) -> list[str]:
    return [str(each) for each in check_text(with_lines(*lines)) if each.severity == "error"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("candidate: most-voted", "method: group-sequential"), "most-voted only with fixed-n, got group-sequential"),
        (("candidate: most-voted", "method: adaptive-pilot"), "most-voted only with fixed-n, got adaptive-pilot"),
        (("bounds: 2", "method: group-sequential"), "a method with radii of its own, got group-sequential"),
        (("bounds: 2", "noise: laplace"), "2 bounds only with gaussian noise, got laplace"),
        (("bounds: 2", "noise: uniform"), "2 bounds only with gaussian noise, got uniform"),
        (("bounds: 2", "candidate: most-voted"), "2 bounds only with a candidate of other votes, got most-voted"),
        (("beta: 0.01",), "'beta' only with method group-sequential, got fixed-n; remove it: it has no effect"),
        (("beta: 0.01", "method: adaptive-pilot"), "'beta' only with method group-sequential, got adaptive-pilot"),
        (("tolerance: 0.1",), "'tolerance' only with method adaptive-pilot, got fixed-n"),
        (("tolerance: 0.1", "method: group-sequential"), "'tolerance' only with method adaptive-pilot"),
        (("n0: 100", "method: adaptive-pilot"), "'n0' only with a selected candidate, and not with adaptive-pilot"),
        (("n0: 100", "candidate: label"), "'n0' only with a selected candidate, and not with adaptive-pilot"),
        (("bounds: 3",), "expected one of 1, 2, got 3"),
        (("method: sequential",), "expected one of 'fixed-n', 'group-sequential', 'adaptive-pilot', got 'sequential'"),
    ],
)
def test_an_option_of_another_method_is_one_problem_at_its_own_line(lines: tuple[str, ...], message: str) -> None:
    (found,) = errors(*lines)
    line = with_lines(*lines).splitlines().index(f"  {lines[0]}") + 1
    assert found.startswith(f"specification:{line}: certification.{lines[0].split(':')[0]}: expected ")
    assert message in found


@pytest.mark.parametrize(
    "lines",
    [
        ("method: group-sequential", "beta: 0.2"),
        ("method: adaptive-pilot", "tolerance: 0.1", "bounds: 2"),
        ("method: adaptive-pilot", "noise: laplace", "candidate: label"),
        ("candidate: most-voted", "noise: laplace"),
        ("candidate: label", "bounds: 2"),
        ("precision: bfloat16",),
    ],
)
def test_options_of_the_method_are_fine(lines: tuple[str, ...]) -> None:
    assert errors(*lines) == []


def test_types_refuse_what_is_unsound_wherever_a_certification_is_made() -> None:
    with pytest.raises(ValidationError, match="most-voted only with fixed-n"):
        certification(method="group-sequential", candidate="most-voted")
    with pytest.raises(ValidationError, match="2 bounds only with"):
        certification(candidate="most-voted", bounds=2)


def certification(**options: Any) -> Certification:
    return Certification(sigma=0.25, unit="input", radii=(0.1,), **options)


def test_absent_options_leave_the_canonical_form_and_written_ones_are_in_it() -> None:
    plain = parse_specification(with_lines()).specification
    names = ("method", "noise", "candidate", "bounds", "beta", "tolerance", "precision")
    assert all(
        f'"{name}":'.encode() not in canonical_form(plain).split(b'"certification"')[1].split(b"}")[0] for name in names
    )
    written = plain.model_copy(update={"certification": certification(method="fixed-n", bounds=1)})
    assert b'"bounds":1' in canonical_form(written)
    assert b'"method":"fixed-n"' in canonical_form(written)


def test_a_written_default_needs_no_reason_and_another_choice_does() -> None:
    lines = [f"{name}: {WHEN_ABSENT[name]}" for name in ("method", "noise", "candidate", "bounds", "precision")]
    assert check_text(with_lines(*lines)) == []
    (found,) = check_text(with_lines("precision: bfloat16"))
    assert "expected a rationale for certification.precision, which is not the default" in str(found)


def test_a_claim_about_the_other_norm_is_advised_against() -> None:
    found = [str(each) for each in check_text(with_lines("noise: laplace")) if each.path == "claim"]
    assert len(found) == 1
    assert "expected a claim about l1 radii, which this noise certifies, got l2; name l1" in found[0]
    assert not [each for each in check_text(with_lines()) if each.path == "claim"]
