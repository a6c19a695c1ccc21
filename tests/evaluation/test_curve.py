"""Oracle: products worked out by hand."""

from collections.abc import Callable

from robustcert.evaluation.curve import Strength, curve_of, decimal_product
from robustcert.threat_model import ThreatModel


def test_epsilons_are_exact_decimals() -> None:
    assert decimal_product(0.1, 0.25) == "0.025"
    assert decimal_product(0.1, 3.0) == "0.3"  # 0.30000000000000004 in floats
    assert decimal_product(8.0, 1.0) == "8"
    assert decimal_product(10.0, 10.0) == "100"
    assert decimal_product(1e-07, 1.0) == "0.0000001"


def test_curve_ascends_and_always_holds_the_threat_s_own_epsilon(make_threat: Callable[..., ThreatModel]) -> None:
    assert curve_of(make_threat(epsilon=0.1), [1.5, 0.5]) == (
        Strength(text="0.05", value=0.05, main=False),
        Strength(text="0.1", value=0.1, main=True),
        Strength(text="0.15", value=0.15, main=False),
    )
    assert [strength.main for strength in curve_of(make_threat(), [1.0])] == [True]
