"""Which test samples the report shows: those on which the model did worst, at least five where there are as many.

First samples whose correct prediction an attack changed, by the share of the allowed size that it needed; then samples
that are wrong without any perturbation; then, to make up five, those certified with the smallest radius. A perturbed
input is shown only if its SHA-256 is the one in the evidence row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.evaluation.adversarials import Adversarials
from robustcert.provenance.digests import sha256_bytes

Row = Mapping[str, Any]

FEWEST = 5
MOST = 9
MOST_CHANGED = 6
CLEAN = "clean"
CHANGED, WRONG, ABSTAINED, WEAK = "changed", "wrong", "abstained", "weak"
WITHHELD = ("pseudonymised", "identifiable")


@dataclass(frozen=True, kw_only=True)
class WorstSample:
    """One sample and why it is shown. `x_adv` is float32 (*shape) where an attack changed the prediction."""

    row: Row
    reason: str
    x: NDArray[np.float64]
    x_adv: NDArray[np.float32] | None = None
    share_of_size: float = 0.0


def withheld(predicate: Predicate) -> str:
    """The kind of personal data because of which no sample is shown; empty where samples may be shown."""
    kind = str(predicate.data.provenance.get("personalData") or "")
    return kind if kind in WITHHELD else ""


def worst_samples(
    predicate: Predicate,
    dataset: Dataset,
    *,
    certification_rows: Sequence[Row],
    evaluation_rows: Sequence[Row],
    adversarials: Mapping[str, Adversarials],
) -> list[WorstSample]:
    """At most MOST samples, each once; none where the data are personal."""
    if withheld(predicate):
        return []
    changed = _first_of_each(_changed(predicate, dataset, evaluation_rows, adversarials))
    wrong = _first_of_each(_wrong(dataset, evaluation_rows))
    kept = changed[: max(MOST_CHANGED, MOST - len(wrong))]
    kept += wrong[: MOST - len(kept)]
    return kept if len(kept) >= FEWEST else _filled(kept, dataset, certification_rows)


def _filled(kept: list[WorstSample], dataset: Dataset, rows: Sequence[Row]) -> list[WorstSample]:
    """At least FEWEST samples, where there are as many."""
    shown = {sample.row["sample"] for sample in kept}
    weak = _first_of_each(_weakest(dataset, (row for row in rows if row["sample"] not in shown)))
    return kept + weak[: FEWEST - len(kept)]


def _changed(
    predicate: Predicate, dataset: Dataset, rows: Sequence[Row], adversarials: Mapping[str, Adversarials]
) -> Iterator[WorstSample]:
    epsilons = {threat.name: float(threat.epsilon) for threat in predicate.threat_models}
    found = [row for row in rows if row["threat"] in epsilons and _is_changed(row)]
    for row in sorted(found, key=lambda row: (float(row["distance"]) / epsilons[row["threat"]], row["sample"])):
        x_adv = _perturbed(row, adversarials)
        if x_adv is not None:
            yield WorstSample(
                row=row,
                reason=CHANGED,
                x=_input(dataset, row),
                x_adv=x_adv,
                share_of_size=float(row["distance"]) / epsilons[row["threat"]],
            )


def _is_changed(row: Row) -> bool:
    return bool(row["perturbed"]) and row["prediction"] == row["label"] != row["adversarial"]


def _perturbed(row: Row, adversarials: Mapping[str, Adversarials]) -> NDArray[np.float32] | None:
    """The stored input of the row's own digest; None where another one, or none, was stored."""
    stored = adversarials.get(f"{row['threat']}/{row['attack']}")
    if stored is None:
        return None
    for position in np.flatnonzero(stored.sample_ids == row["sample"]):
        x_adv: NDArray[np.float32] = np.ascontiguousarray(stored.x_adv[position], dtype="<f4")
        if sha256_bytes(x_adv.tobytes()) == row["perturbed"]:
            return x_adv
    return None


def _wrong(dataset: Dataset, rows: Iterable[Row]) -> Iterator[WorstSample]:
    for row in rows:
        if row["attack"] == CLEAN and row["prediction"] != row["label"]:
            yield WorstSample(row=row, reason=WRONG, x=_input(dataset, row))


def _weakest(dataset: Dataset, rows: Iterable[Row]) -> Iterator[WorstSample]:
    for row in nsmallest(MOST, rows, key=lambda row: (float(row["radius"]), row["sample"])):
        reason = ABSTAINED if row["decision"] == "abstain" else WEAK
        yield WorstSample(row=row, reason=reason, x=_input(dataset, row))


def _first_of_each(samples: Iterator[WorstSample]) -> list[WorstSample]:
    """The first MOST samples, each once: later ones are never computed."""
    found: dict[int, WorstSample] = {}
    for sample in samples:
        found.setdefault(sample.row["sample"], sample)
        if len(found) == MOST:
            break
    return list(found.values())


def _input(dataset: Dataset, row: Row) -> NDArray[np.float64]:
    x: NDArray[np.float64] = dataset.rows([row["sample"]]).x()[0]
    return x
