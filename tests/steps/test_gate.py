"""The gate lets pass or fails with the reason it was given."""

from __future__ import annotations

import pytest

from robustcert.errors import ClaimError
from robustcert.steps.gate import pass_gate


def test_a_passed_gate_does_nothing() -> None:
    pass_gate(passed=True, reason="not said")


def test_a_failed_gate_says_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClaimError, match="2 criteria not met"):
        pass_gate(passed=False, reason="2 criteria not met")
    assert capsys.readouterr().err == "::failure gate 2 criteria not met\n"
