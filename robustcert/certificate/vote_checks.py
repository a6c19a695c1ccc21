"""Recomputation of certification rows: candidate, decision and radius from the counts, by the registered method.

A sequential method's plans are made again from the registered parameters, and their exact type-I error is held against
alpha. That the counts, and the failures at earlier looks, are those of the model is what a replay shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from robustcert.certificate.case import Case, Row, require
from robustcert.errors import RobustcertError, VerificationError
from robustcert.evaluation.statistics import round_up
from robustcert.smoothing.decisions import (
    GROUP_SEQUENTIAL,
    Counts,
    dense,
    finished_row,
    method_of,
    plans_of,
    targets,
)
from robustcert.smoothing.group_sequential import type_one_error
from robustcert.specification import Certification

# Votes of a row: words for them, and their columns.
STREAMS = ((" selection", "selection", "selectionFragile", "n0"), ("", "counts", "fragile", "n"))
CANDIDATES = {
    None: "the most voted class of selection",
    "selected": "the most voted class of selection",
    "label": "the label",
    "most-voted": "the most voted class",
}


def require_row(case: Case, row: Row) -> None:
    """VerificationError unless the row is the one that its counts amount to by the registered method."""
    wanted, classes = case.specification.certification, len(case.predicate.data.classes)
    where = f"certification evidence: sample {row['sample']}"
    votes = [
        _votes(row[column], row[fragile], of=row[draws], classes=classes, where=f"{where}: its{what} votes")
        for what, column, fragile, draws in STREAMS
    ]
    try:
        follows = finished_row(
            sample=row["sample"],
            input_sha256=row["input"],
            label=row["label"],
            selection=votes[0],
            estimation=votes[1],
            path=row.get("path", ()),
            certification=wanted,
            n_classes=classes,
        )
    except RobustcertError as error:
        raise VerificationError(f"{where}: {error}") from error
    require(row["candidate"] == follows["candidate"], f"{where}: the candidate is not {CANDIDATES[wanted.candidate]}")
    decided = (row["decision"], row["radius"]) == (follows["decision"], follows["radius"])
    require(decided, f"{where}: decision {row['decision']} with radius {row['radius']} does not follow from its counts")


def plans_in_words(wanted: Certification) -> str:
    """What the plans of a sequential method were found to be; VerificationError where they exceed alpha."""
    if method_of(wanted) != GROUP_SEQUENTIAL:
        return ""
    level = max(type_one_error(plan) for plan in plans_of(wanted))
    require(level <= wanted.alpha, f"certification: plans of type-I error {level:.6g}, registered is {wanted.alpha:g}")
    return f", {len(targets(wanted))} plans recomputed: exact type-I error at most {round_up(level, 9)}"


def _votes(pairs: Sequence[Sequence[int]], fragile: int, *, of: int, classes: int, where: str) -> Counts:
    """Votes per class; the row has each class once, ascending, with at least one vote, and fragile ones complete it."""
    votes = {pair[0]: pair[1] for pair in pairs}
    ordered = [label for label, _ in pairs] == sorted(votes) and set(votes) <= set(range(classes))
    require(ordered and min(votes.values(), default=1) > 0 <= fragile, f"{where} are not counts by class")
    require(sum(votes.values()) + fragile == of, f"{where} do not add up to {of}")
    return dense(pairs, fragile=fragile, draws=of, n_classes=classes)
