"""The gate: fails a run after its reports are stored, because a failed task keeps none of its own."""

from __future__ import annotations

from robustcert.errors import ClaimError
from robustcert.steps.step import one_line_failures


def pass_gate(*, passed: bool, reason: str) -> None:
    """Does nothing where `passed`; ClaimError with the reason otherwise."""
    with one_line_failures("gate"):
        if not passed:
            raise ClaimError(reason)
