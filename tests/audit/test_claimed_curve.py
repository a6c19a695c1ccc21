"""Claimed curves: rounding, the mistakes that explain them, and the best of several."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from robustcert.audit.claim import Claim, parse_curve
from robustcert.audit.claimed_curve import agrees, curve_falls, curve_follows, envelope, explanation
from robustcert.audit.log import LogForm
from robustcert.audit.source import open_source
from robustcert.audit.survey import Survey, survey
from tests.audit.conftest import Log


@pytest.fixture
def taken(clean_log: Callable[..., Log]) -> Survey:
    """10 samples: 4 right at 0.5, 1 right at 0.25, 2 wrong at 0.5, 3 abstentions, one of them called correct."""
    log = clean_log(10)
    outcomes = [(1, "0.5", 1)] * 4 + [(1, "0.25", 1)] + [(2, "0.5", 0)] * 2 + [(-1, "0.6", 1)] + [(-1, "0.0", 0)] * 2
    log.lines = [[place, 1, predicted, radius, ok, 0] for place, (predicted, radius, ok) in enumerate(outcomes)]
    return survey(open_source(log.write(), claim=Claim(), form=LogForm()))


@pytest.mark.parametrize(
    ("curve", "mistake"),
    [
        ("0.25=0.714,0.5=0.571", "abstentions are left out of the denominator"),
        ("0.25=0.700,0.5=0.600", "samples whose prediction is wrong are counted"),
        ("0.25=0.8,0.5=0.7", "abstentions are counted as certified"),
        ("0.25=0.6,0.5=0.5", "abstentions that the log calls correct are counted as certified"),
        ("0.25=0.9,0.5=0.8", ""),
    ],
)
def test_a_mistake_is_named_where_it_gives_exactly_the_claimed_curve(taken: Survey, curve: str, mistake: str) -> None:
    claimed = parse_curve(curve)
    assert explanation(taken, claimed) == mistake
    found = curve_follows(taken, claimed)
    assert found.status == "WRONG"
    assert "the rows give 5 of 10; too much at 2 radii" in found.message
    assert found.message.endswith(f"; explained where {mistake}" if mistake else "radii")


def test_what_follows_or_claims_less_is_fine(taken: Survey) -> None:
    assert curve_follows(taken, parse_curve("0.25=0.5,0.5=0.4")).message.endswith("than the rows give")
    assert curve_follows(taken, parse_curve("0.25=0.4")).message.endswith(
        "at 1 radii it claims less than the rows give"
    )


@pytest.mark.parametrize(
    ("found", "printed", "wanted"),
    [
        ("0.546", "0.55", True),
        ("0.546", "0.54", True),
        ("0.546", "0.56", False),
        ("0.545", "0.53", False),
        ("0.5", "0.5000", True),
        ("1", "1", True),
    ],
)
def test_digits_are_rounded_or_cut(found: str, printed: str, wanted: bool) -> None:
    assert agrees(Decimal(found), Decimal(printed)) is wanted


def test_a_curve_that_rises_is_named_where_it_does() -> None:
    assert curve_falls(parse_curve("0=0.5,1=0.5")).status == "ok"
    found = curve_falls(parse_curve("0=0.5,1=0.4,2=0.41"))
    assert (found.status, found.message) == ("WRONG", "0.4 at 1, and 0.41 at the larger radius 2")


def test_a_curve_of_none_of_several_logs_is_named(taken: Survey) -> None:
    found = envelope([taken, taken], parse_curve("0.25=0.9"))
    assert found.status == "WRONG"
    assert found.message.startswith("none of the 2 logs gives the claimed curve, nor does the best of them")
