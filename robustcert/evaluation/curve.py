"""At which epsilons a threat is attacked: multiples of its own, as exact decimals. No torch here.

>>> decimal_product(0.1, 1.5)
'0.15'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from robustcert.threat_model import ThreatModel

CLEAN = "clean"
NO_PERTURBATION = "0"


@dataclass(frozen=True, kw_only=True)
class Strength:
    """One epsilon of a curve, in the threat's unit: `text` is its exact decimal, `main` marks the threat's own."""

    text: str
    value: float
    main: bool


def curve_of(threat: ThreatModel, multiples: Sequence[float]) -> tuple[Strength, ...]:
    """The threat's epsilon times each of `multiples` and 1, ascending, each once."""
    texts = {multiple: decimal_product(threat.epsilon, multiple) for multiple in sorted({*multiples, 1.0})}
    return tuple(Strength(text=text, value=float(text), main=multiple == 1.0) for multiple, text in texts.items())


def decimal_product(epsilon: float, multiple: float) -> str:
    """Product of two numbers as they are written in decimal, without trailing zeros.

    >>> decimal_product(8.0, 0.25), decimal_product(0.3, 1.0)
    ('2', '0.3')
    """
    text = f"{Decimal(repr(epsilon)) * Decimal(repr(multiple)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
