"""Accuracy on the labels that came: counted exactly, with interval, coverage and delay; and the test for concept drift.

It speaks of the rows whose labels came, and of all rows only where labels come regardless of how the model did. That
can't be seen in the data; what can be seen is said (`caveat`): whether some answers are labelled more often than
others.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, chdtrc

from robustcert.drift.id_join import NO_TIME, Facts, JoinedPart, Partitions, joined_parts
from robustcert.drift.label_rows import LabelSource
from robustcert.drift.row_batch import Answers
from robustcert.drift.rows import RowSource
from robustcert.drift.segments import SegmentCounter, SegmentNames, SegmentTable
from robustcert.errors import DataError, expected
from robustcert.evaluation.statistics import Rate, rate

DELAY_RATIO = 1.01  # medians of delays are exact to a percent
LONGEST_DELAY = 1e9
SELECTIVE = 0.001  # p-value below which labels are said to come more readily for some answers
CAVEAT = "it speaks of the rows whose labels came"


@dataclass(frozen=True, kw_only=True, eq=False)
class Realised:
    """`correct` of `of` answers with a label; `rate`: with 95 % Clopper-Pearson interval, None without any.

    `answered`: different ids (rows, where labels stand in the window) that were answered with a class. `by_class`: of
    answers with that class, (labelled, answered), (K, 2). `repeated`: answers to an id that had one; `contradicted` ids
    with labels that disagree; `unmatched` labels of no answer.
    """

    correct: int
    of: int
    rate: Rate | None
    answered: int
    median_delay_seconds: int | None
    segments: SegmentTable
    by_class: NDArray[np.int64]
    repeated: int = 0
    contradicted: int = 0
    unmatched: int = 0

    @property
    def coverage(self) -> float:
        """Share of the answers whose label came, 0 to 1."""
        return self.of / self.answered if self.answered else 0.0

    @property
    def caveat(self) -> str:
        """What must be said with the accuracy, in one sentence."""
        if selection_p_value(self.by_class) >= SELECTIVE:
            return CAVEAT
        shares = self.by_class[:, 0] / np.maximum(self.by_class[:, 1], 1)
        given = np.flatnonzero(self.by_class[:, 1])
        low, high = shares[given].min(), shares[given].max()
        return f"{CAVEAT}, and they came selectively: for {low:.3f} to {high:.3f} of the answers by class"


@dataclass(frozen=True, kw_only=True)
class ConceptDrift:
    """Whether realised accuracy is below the certified one: `p_value` None where too few labels came to judge."""

    drifted: bool
    p_value: float | None
    alpha: float
    why: str


def realised_by_id(source: RowSource, labels: LabelSource) -> Realised:
    """Answers of a window with labels that came apart from them; DataError for a window without ids or answers."""
    tally = _Tally(len(source.contract.classes))
    with tempfile.TemporaryDirectory(prefix="robustcert-") as name:
        sides = [Partitions(Path(name) / side) for side in ("answers", "labels")]
        for side in ("answers", "labels"):
            (Path(name) / side).mkdir()
        for answers in source.answers():
            tally.add_rows(answers)
            sides[0].add(_answer_facts(answers, tally, source=source.source))
        for batch in labels.batches():
            known = batch.labels.known & batch.ids.is_valid().to_numpy(zero_copy_only=False)
            times = np.full(len(known), NO_TIME) if batch.times is None else batch.times.astype(np.int64)
            nothing = np.zeros(int(known.sum()), dtype=np.int64)
            sides[1].add(_facts(batch.ids, batch.labels.index, times, known, segments=nothing))
        for part in joined_parts(*sides):
            tally.add_part(part)
    return tally.realised()


def realised_in_window(source: RowSource) -> Realised:
    """Answers of a window whose rows hold their labels; DataError where they hold no answers or no labels."""
    tally = _Tally(len(source.contract.classes))
    for answers in source.answers():
        codes = tally.add_rows(answers)
        if answers.predictions is None or answers.labels is None:
            raise _nothing_to_judge(source.source, "predictions and labels")
        tally.add_labelled(
            answers.predictions.index, answers.labels.index, codes,
            answered=answers.predictions.known, labelled=answers.labels.known,
        )  # fmt: skip
    return tally.realised()


def realised_of(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], *, labelled: NDArray[np.bool_], n_classes: int
) -> Realised:
    """As `realised_in_window`, of class indices (N,) that are known for every row; `labelled`: whose label came."""
    tally = _Tally(n_classes)
    codes = tally.add_rows(Answers(rows=np.arange(len(predictions))))
    tally.add_labelled(predictions, labels, codes, answered=np.ones(len(codes), dtype=np.bool_), labelled=labelled)
    return tally.realised()


def concept_drift(
    found: Realised, *, certified_lower: float, alpha: float, minimum_coverage: float, minimum_labels: int
) -> ConceptDrift:
    """One-sided exact test that realised accuracy is at least `certified_lower`.

    That is the lower end of the certified clean accuracy's interval, so that wherever the interval holds, a false alarm
    has probability at most `alpha`. Not judged below `minimum_coverage` (0 to 1) or `minimum_labels`.
    """
    if found.of < minimum_labels or found.coverage < minimum_coverage:
        why = f"{found.of} of {found.answered} answers have labels, too few to judge"
        return ConceptDrift(drifted=False, p_value=None, alpha=alpha, why=why)
    p_value = float(bdtr(found.correct, found.of, certified_lower))
    side = "below" if p_value <= alpha else "not surely below"
    why = f"{found.correct} of {found.of} right, {side} the certified {certified_lower:.4f} (p = {p_value:.2g})"
    return ConceptDrift(drifted=p_value <= alpha, p_value=p_value, alpha=alpha, why=why)


def selection_p_value(by_class: NDArray[np.int64]) -> float:
    """Chi-square test that labels come equally often for every answered class (K, 2); 1 where nothing can be compared.

    Pearson's statistic with K - 1 degrees of freedom, classes with fewer than 5 expected labels or none left out.
    """
    labelled, answered = by_class[:, 0], by_class[:, 1]
    share = labelled.sum() / max(1, answered.sum())
    enough = (answered * share >= 5) & (answered * (1 - share) >= 5)
    if enough.sum() < 2:
        return 1.0
    labelled, answered = labelled[enough], answered[enough]
    share = labelled.sum() / answered.sum()
    statistic = ((labelled - answered * share) ** 2 / (answered * share * (1 - share))).sum()
    return float(chdtrc(len(answered) - 1, statistic))


class _Tally:
    """Counts of one window."""

    def __init__(self, n_classes: int) -> None:
        self.names, self._segments = SegmentNames(), SegmentCounter()
        self._by_class = np.zeros((n_classes, 2), dtype=np.int64)
        self._delays = np.zeros(math.ceil(math.log(LONGEST_DELAY) / math.log(DELAY_RATIO)) + 2, dtype=np.int64)
        self._correct = self._of = self._answered = 0
        self._repeated = self._contradicted = self._unmatched = 0

    def add_rows(self, answers: Answers) -> NDArray[np.int64]:
        codes = self.names.codes(answers.segments, rows=len(answers))
        self._segments.add(codes)
        return codes

    def add_answered(self, classes: NDArray[np.int64]) -> None:
        self._by_class[:, 1] += np.bincount(classes, minlength=len(self._by_class))

    def add_labelled(
        self, predictions: NDArray[np.int64], labels: NDArray[np.int64], codes: NDArray[np.int64],
        *, answered: NDArray[np.bool_], labelled: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        self.add_answered(predictions[answered])
        self._answered += int(answered.sum())
        both = answered & labelled
        self._judge(predictions[both], labels[both], codes[both])

    def add_part(self, part: JoinedPart) -> None:
        self._judge(part.predictions, part.labels, part.segments)
        self._answered += part.answered
        self._repeated += part.repeated
        self._contradicted += part.contradicted
        self._unmatched += part.unmatched
        delays = part.delays[~np.isnan(part.delays)]
        places = np.ceil(np.log(np.clip(delays, 1, LONGEST_DELAY)) / math.log(DELAY_RATIO)).astype(np.int64)
        self._delays += np.bincount(np.where(delays < 1, 0, places + 1), minlength=len(self._delays))

    def realised(self) -> Realised:
        return Realised(
            correct=self._correct, of=self._of, rate=rate(self._correct, self._of) if self._of else None,
            answered=self._answered, median_delay_seconds=self._median_delay(),
            segments=self._segments.table(self.names), by_class=self._by_class,
            repeated=self._repeated, contradicted=self._contradicted, unmatched=self._unmatched,
        )  # fmt: skip

    def _judge(self, predictions: NDArray[np.int64], labels: NDArray[np.int64], codes: NDArray[np.int64]) -> None:
        correct = predictions == labels
        self._correct += int(correct.sum())
        self._of += len(correct)
        self._by_class[:, 0] += np.bincount(predictions, minlength=len(self._by_class))
        self._segments.add_judged(codes, correct)

    def _median_delay(self) -> int | None:
        if not self._delays.any():
            return None
        place = int(np.searchsorted(np.cumsum(self._delays), (self._delays.sum() + 1) // 2))
        return 0 if place == 0 else round(DELAY_RATIO ** (place - 1))


def _answer_facts(answers: Answers, tally: _Tally, *, source: str) -> Facts:
    if answers.predictions is None or answers.ids is None:
        raise _nothing_to_judge(source, "ids and predictions")
    known = answers.predictions.known & answers.ids.is_valid().to_numpy(zero_copy_only=False)
    tally.add_answered(answers.predictions.index[known])
    times = np.full(len(known), NO_TIME) if answers.times is None else answers.times.astype(np.int64)
    segments = tally.names.codes(answers.segments, rows=len(answers))[known]
    return _facts(answers.ids, answers.predictions.index, times, known, segments=segments)


def _facts(
    ids: object, classes: NDArray[np.int64], times: NDArray[np.int64], known: NDArray[np.bool_],
    *, segments: NDArray[np.int64],
) -> Facts:  # fmt: skip
    import pyarrow as pa

    kept = pa.array(ids).filter(pa.array(known))
    return Facts(ids=kept, classes=classes[known], times=times[known], segments=segments)


def _nothing_to_judge(source: str, what: str) -> DataError:
    remedy = "log them, or give a window that holds them"
    return DataError(expected(f"{what} in {source!r}, to join with labels", got="a log without them", remedy=remedy))
