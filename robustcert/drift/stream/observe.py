"""What a serving process calls after it answered: rows and logits in, counters and payload log told.

Shapes: B rows of one request, R raw values of a row, K classes, D coordinates of the model's input.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.reference import DriftReference, margins
from robustcert.drift.stream.counters import Margin, Outcome, PredictionCounters
from robustcert.drift.stream.inputs import InputRows
from robustcert.drift.stream.labels import OTHER, usable
from robustcert.drift.stream.payload_log import PayloadLog, microseconds
from robustcert.drift.stream.payload_table import Payload

if TYPE_CHECKING:
    from robustcert.smoothing.predict import Prediction

MOST_ID = 200  # characters
FEW_LOGITS = 512

Float64 = NDArray[np.float64]


class Answer(NamedTuple):
    """What became of one row: `margin` of its logits, `share` of the noisy votes that the top class got."""

    outcome: Outcome
    label: int | None = None
    margin: float | None = None
    share: float | None = None

    def measured(self, kind: Margin) -> float | None:
        """The quantity that counters of that kind bin."""
        return self.margin if kind == "logits" else self.share


FAILED, INVALID = Answer("failed"), Answer("invalid")


class Observer:
    """Counters of one model, the contract of its inputs and, where there is one, the payload log."""

    def __init__(
        self, reference: DriftReference, *, counters: PredictionCounters | None = None, log: PayloadLog | None = None
    ) -> None:
        self.reference = reference
        self.rows = InputRows(reference)
        self.counters = counters or PredictionCounters(reference)
        self.log = log


def observe(
    observer: Observer, raw_BR: Float64, answers: Sequence[Answer], *, event_id: str = "", segment: str = ""
) -> None:
    """Counts the B rows of one request and offers them to the log; `event_id` is the id of the request's CloudEvent.

    A row that breaks the contract counts as invalid, whatever was answered, and falls into no bin.
    """
    segment = segment if usable(segment) or not segment else OTHER
    valid_B = observer.rows.valid(raw_BR)
    distances_B = observer.rows.distances(observer.rows.coordinates(raw_BR)).tolist()
    found = [answer if valid else INVALID for answer, valid in zip(answers, valid_B.tolist(), strict=True)]
    for answer, distance in zip(found, distances_B, strict=True):
        _count(observer.counters, answer, distance=distance, segment=segment)
    if observer.log is not None:
        event_id = event_id or new_id()
        if observer.log.wants(event_id):
            kind = observer.counters.margin
            observer.log.offer(_payloads(raw_BR, found, distances_B, kind=kind, event_id=event_id, segment=segment))


def answers_of_logits(logits_BK: Any) -> list[Answer]:
    """The most likely class of each row and its margin; a row with a logit that is not finite failed."""
    logits = np.asarray(logits_BK, dtype=np.float64)
    if logits.size <= FEW_LOGITS:
        return [_answer(row) for row in logits.tolist()]
    finite_B = np.asarray(np.isfinite(logits).all(axis=1)).tolist()
    found = zip(finite_B, logits.argmax(axis=1).tolist(), margins(logits).tolist(), strict=True)
    return [Answer("predicted", label, margin) if finite else FAILED for finite, label, margin in found]


def answer_of_votes(prediction: Prediction, *, margin: float | None = None) -> Answer:
    """The smoothed classifier's answer, or none; `margin` is that of the model's own logits, where they are known."""
    outcome: Outcome = "abstained" if prediction.label is None else "predicted"
    return Answer(outcome=outcome, label=prediction.label, margin=margin, share=prediction.share)


def usable_id(given: str) -> str:
    """The id of a request's CloudEvent as it can be echoed and joined by; a new one where there is no such id.

    >>> usable_id("a-1"), len(usable_id("line\\nbreak"))
    ('a-1', 32)
    """
    return given if 0 < len(given) <= MOST_ID and given.isascii() and given.isprintable() else new_id()


def new_id() -> str:
    """128 random bits, hexadecimal."""
    return secrets.token_hex(16)


def row_ids(event_id: str, rows: int) -> list[str]:
    """The ids of a request's rows: its own where it has one row.

    >>> row_ids("a", 1), row_ids("a", 2)
    (['a'], ['a/0', 'a/1'])
    """
    return [event_id] if rows == 1 else [f"{event_id}/{row}" for row in range(rows)]


def _answer(logits: list[float]) -> Answer:
    """As `answers_of_logits`; for few numbers, Python's own lists are faster than arrays."""
    if not all(map(isfinite, logits)):
        return FAILED
    second, best = sorted(logits)[-2:]
    return Answer("predicted", logits.index(best), best - second)


def _count(counters: PredictionCounters, answer: Answer, *, distance: float, segment: str) -> None:
    margin = answer.measured(counters.margin)
    if answer.outcome == "predicted" and answer.label is not None:
        counters.predicted(answer.label, margin=margin, distance=distance, segment=segment)
    elif answer.outcome == "abstained":
        counters.abstained(margin=margin, distance=distance, segment=segment)
    else:
        counters.unanswered("invalid" if answer.outcome == "invalid" else "failed", segment=segment)


def _payloads(
    raw_BR: Float64,
    answers: Sequence[Answer],
    distances_B: Sequence[float],
    *,
    kind: Margin,
    event_id: str,
    segment: str,
) -> list[Payload]:
    moment = microseconds()
    rows = zip(row_ids(event_id, len(raw_BR)), raw_BR, answers, distances_B, strict=True)
    return [
        Payload(
            id=row_id,
            time=moment,
            prediction=answer.label,
            outcome=answer.outcome,
            margin=answer.measured(kind),
            distance=distance if answer.outcome in ("predicted", "abstained") else None,
            segment=segment,
            raw_R=raw_R.copy(),
        )
        for row_id, raw_R, answer, distance in rows
    ]
