"""What a classifier must answer before anything may be claimed about it, asked of a few rows.

Shapes: B batch, X one input, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from robustcert.errors import ModelError, expected
from robustcert.models.model import Classifier

TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Logits (B, K) of a few rows: together, together again, and of each alone; `wanted` is (B, K) itself."""

    together: Tensor
    again: Tensor
    alone: tuple[Tensor, ...]
    wanted: tuple[int, int]


Fault = tuple[str, str]


def _shape(probe: Probe) -> Fault | None:
    got = tuple(probe.together.shape)
    return None if got == probe.wanted else (f"{got}, not {probe.wanted}", "give one logit per class of the data set")


def _finite(probe: Probe) -> Fault | None:
    return None if torch.isfinite(probe.together).all() else ("NaN or infinity", "check weights and preprocessing")


def _no_probabilities(probe: Probe) -> Fault | None:
    sums_B, lowest = probe.together.sum(dim=1), probe.together.min()
    likely = bool(lowest >= 0) and torch.allclose(sums_B, torch.ones_like(sums_B), atol=TOLERANCE)
    return ("rows that sum to 1, as probabilities do", "remove the last softmax") if likely else None


def _repeatable(probe: Probe) -> Fault | None:
    same = torch.equal(probe.together, probe.again)
    return None if same else ("two answers to the same rows", "remove randomness from the eval mode")


def _independent_rows(probe: Probe) -> Fault | None:
    tolerance = TOLERANCE * max(1.0, float(probe.together.abs().max()))
    rows = zip(probe.alone, probe.together[:, None], strict=True)
    same = all(alone.shape == row.shape and bool((alone - row).abs().max() <= tolerance) for alone, row in rows)
    return None if same else ("a row whose logits change with the batch", "use no statistics of the batch in eval mode")


PROBE_CHECKS: tuple[tuple[str, Callable[[Probe], Fault | None]], ...] = (
    ("logits (batch, classes)", _shape),
    ("finite logits", _finite),
    ("logits", _no_probabilities),
    ("the same logits each time", _repeatable),
    ("logits that depend on one row only", _independent_rows),
)


def check_logits(module: Classifier, probe_BX: Tensor, *, n_classes: int) -> None:
    """ModelError unless the module, in eval mode, gives finite logits, the same for a row in any company."""
    with torch.no_grad():
        probe = Probe(
            together=_logits(module, probe_BX),
            again=_logits(module, probe_BX),
            alone=tuple(_logits(module, row[None]) for row in probe_BX),
            wanted=(len(probe_BX), n_classes),
        )
    for what, fault in PROBE_CHECKS:
        if (found := fault(probe)) is not None:
            got, remedy = found
            raise ModelError(expected(what, got=got, remedy=remedy))


def _logits(module: Classifier, x_BX: Tensor) -> Tensor:
    """The module's answer; ModelError in place of whatever a user's own code raises."""
    try:
        logits_BK: object = module(x_BX)
    except ModelError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        remedy = "let it take raw float32 inputs of the data set's shape"
        raise ModelError(expected(f"a model for inputs {tuple(x_BX.shape)}", got=got, remedy=remedy)) from error
    if not isinstance(logits_BK, Tensor):
        got = type(logits_BK).__name__
        raise ModelError(expected("one tensor of logits", got=got, remedy="return the logits alone"))
    return logits_BK
