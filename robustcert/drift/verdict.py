"""The verdict on a window: a list that can be read aloud. The first check with something to say decides.

clean: nothing is above its threshold. drifted: something is, so that the certificate's premise no longer surely holds.
gross: so much that its evidence says nothing about these inputs. undecided: the window can't tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from robustcert.certificate.schema import RatePart
from robustcert.drift.policy import DriftPolicy
from robustcert.drift.realised import ConceptDrift
from robustcert.drift.record import (
    DistancePart,
    DriftTestPart,
    QualityPart,
    RealisedPart,
    SignalPart,
    Verdict,
)


@dataclass(frozen=True, kw_only=True)
class WindowFacts:
    """What was found. `outputs_moved`: total variation distance of the predicted classes, 0 to 1.

    Of `rows` in the window `complete_rows` could be answered by the model, or were in its sample.
    """

    rows: int
    complete_rows: int
    reference_rows: int
    quality: Sequence[QualityPart]
    quality_ratio: Decimal
    signals: Sequence[SignalPart]
    tests: Sequence[DriftTestPart]
    distance: DistancePart | None
    outputs_moved: Decimal
    realised: RealisedPart | None
    concept: ConceptDrift | None
    clean_accuracy: RatePart


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict and the sentence that says why."""

    verdict: Verdict
    why: str


Check = Callable[[WindowFacts, DriftPolicy], Judgement | None]


def judge_window(facts: WindowFacts, policy: DriftPolicy) -> Judgement:
    """The first judgement of WINDOW_CHECKS; clean where none has one."""
    for check in WINDOW_CHECKS:
        found = check(facts, policy)
        if found is not None:
            return found
    of = len(facts.signals)
    return Judgement(verdict="clean", why=f"none of {of} signals is above its threshold, {facts.rows} rows")


def _too_few_rows(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    fewest = min(facts.complete_rows, facts.reference_rows)
    if fewest >= policy.minimum_rows:
        return None
    side = "complete rows in the window" if facts.complete_rows <= facts.reference_rows else "rows in the reference"
    return _undecided(f"{fewest} {side}, fewer than {policy.minimum_rows}")


def _broken_data(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    if facts.quality_ratio >= Decimal(str(policy.quality.minimum_ratio)):
        return None
    failed = ", ".join(part.check for part in facts.quality if not part.passed)
    least = policy.quality.minimum_ratio
    return _undecided(f"only {facts.quality_ratio:.3f} of the rows are without a defect, not {least:g} ({failed})")


def _accuracy_lost_grossly(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    if facts.realised is None or facts.concept is None or not facts.concept.drifted:
        return None
    lost = Decimal(facts.clean_accuracy.lower) - Decimal(facts.realised.upper)
    return _gross(_accuracy_text(facts)) if lost > Decimal(str(policy.gross.accuracy_loss)) else None


def _far_from_everything_known(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    found, limit = facts.distance, policy.gross.distance_auroc
    if found is None or Decimal(found.auroc) <= Decimal(str(limit)):
        return None
    return _gross(
        f"inputs lie outside what was certified: AUROC {_short(found.auroc)} of their distance, above {limit:g}"
    )


def _outputs_moved_grossly(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    if not _drifted(facts, "outputs") or facts.outputs_moved <= Decimal(str(policy.gross.outputs)):
        return None
    return _gross(f"predicted classes moved by {facts.outputs_moved:.3f}, above {policy.gross.outputs:g}")


def _columns_moved_grossly(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    columns = [test for test in facts.tests if test.signal == "features" and test.column]
    large = [test for test in columns if test.drifted and Decimal(test.effect) >= Decimal(str(policy.gross.effect))]
    if not large or len(large) < policy.gross.columns * len(columns):
        return None
    return _gross(f"{len(large)} of {len(columns)} columns have an effect of at least {policy.gross.effect:g}")


def _signals_above_threshold(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    above = [part for part in facts.signals if part.drifted]
    if not above:
        return None
    named = "; ".join(
        f"{part.signal} ({part.method} {_short(part.score)} > {_short(part.threshold)})" for part in above
    )
    return Judgement(verdict="drifted", why=f"{len(above)} of {len(facts.signals)} signals above threshold: {named}")


def _accuracy_below_certified(facts: WindowFacts, policy: DriftPolicy) -> Judgement | None:
    if facts.concept is None or not facts.concept.drifted:
        return None
    return Judgement(verdict="drifted", why=_accuracy_text(facts))


WINDOW_CHECKS: tuple[Check, ...] = (
    _too_few_rows,
    _broken_data,
    _accuracy_lost_grossly,
    _far_from_everything_known,
    _outputs_moved_grossly,
    _columns_moved_grossly,
    _accuracy_below_certified,
    _signals_above_threshold,
)


def _accuracy_text(facts: WindowFacts) -> str:
    found, clean = facts.realised, facts.clean_accuracy
    assert found is not None
    return (
        f"accuracy on labels is {found.correct} of {found.of}, at most {found.upper}; "
        f"certified were {clean.count} of {clean.of}, at least {clean.lower}"
    )


def _short(number: str) -> str:
    return f"{float(number):.3g}"


def _drifted(facts: WindowFacts, signal: str) -> bool:
    return any(part.drifted for part in facts.signals if part.signal == signal)


def _gross(why: str) -> Judgement:
    return Judgement(verdict="gross", why=why)


def _undecided(why: str) -> Judgement:
    return Judgement(verdict="undecided", why=why)
