"""A threat model says everything or is refused; access is a ladder."""

import json
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from robustcert.threat_model import ThreatModel

WHOLE: dict[str, Any] = {
    "name": "linf-8",
    "norm": "linf",
    "epsilon": 8,
    "unit": "1/255",
    "bounds": "contract",
    "access": "scores",
    "goal": "untargeted",
}


def read(values: dict[str, Any]) -> ThreatModel:
    return ThreatModel.model_validate_json(json.dumps(values))


@pytest.mark.parametrize("key", WHOLE)
def test_no_field_has_a_default(key: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        read({other: value for other, value in WHOLE.items() if other != key})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epsilon", 0),
        ("epsilon", -0.1),
        ("norm", "l1"),
        ("unit", "255"),
        ("bounds", [1, 0]),
        ("bounds", [0, 0]),
        ("bounds", [0, 1, 2]),
        ("access", "none"),
        ("name", "Linf 8"),
        ("colour", "red"),
    ],
)
def test_what_says_nothing_or_nonsense_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        read({**WHOLE, key: value})


def test_bounds_that_do_not_ascend_are_named() -> None:
    with pytest.raises(ValidationError, match=r"expected bounds \[low, high\] with low < high, got \[1.0, 0.0\]"):
        read({**WHOLE, "bounds": [1, 0]})


def test_an_attack_may_need_no_more_access_than_is_allowed() -> None:
    ladder = ("transfer", "labels", "scores", "gradients")
    for (rank, allowed), (needs, needed) in product(enumerate(ladder), repeat=2):
        assert read({**WHOLE, "access": allowed}).allows(needed) is (needs <= rank)  # type: ignore[arg-type]
