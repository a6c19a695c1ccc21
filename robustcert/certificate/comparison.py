"""Two certificates side by side: two models on the same samples, or one model certified twice.

Samples are paired by id, input digest and label; what only one certificate is about does not count. Models are compared
by the exact McNemar test, adjusted over all metrics by Holm's method, and by Tango's interval for the difference.

Two certifications of one model, such as on CPU and on GPU, agree on a sample when the rows are equal; or when fragile
votes explain their difference (`robustcert.smoothing.replay`); or else when Fisher's exact test, adjusted over the
samples that are left, does not reject equal vote shares at level 0.001. The test takes both streams of noise as
independent; where they are the same, it rejects less often than it says. Rows that stopped at one of several looks are
tested as if at every pair of looks (Bonferroni): where a row stops depends on its votes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from robustcert.certificate.case import Case, Row
from robustcert.certificate.results import reached
from robustcert.errors import DataError, expected
from robustcert.evaluation.curve import CLEAN, curve_of
from robustcert.evaluation.statistics import mcnemar_exact_p, paired_difference_interval, round_down, round_up
from robustcert.smoothing.certified_accuracy import CERTIFIED
from robustcert.smoothing.decisions import GROUP_SEQUENTIAL, looks_of, method_of, noise_of
from robustcert.threat_model import ThreatModel

LEVEL = 0.001

Sample = tuple[int, str, int]  # id, input digest, label
Outcomes = Mapping[Sample, bool]


@dataclass(frozen=True, kw_only=True)
class PairedOutcome:
    """How often two models are right on the same samples, by one metric.

    `lower` and `upper` bound the first rate minus the second at 95 %, rounded outward; `p` is the exact McNemar
    p-value, adjusted over all metrics of the comparison.
    """

    metric: str
    both: int
    first_only: int
    second_only: int
    neither: int
    lower: str
    upper: str
    p: float

    @property
    def of(self) -> int:
        """Samples that were compared."""
        return self.both + self.first_only + self.second_only + self.neither


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two certifications of one model: how their rows agree, and how far apart the worst of them are.

    `smallest_p` is Fisher's, adjusted over the samples that neither equality nor fragile votes explain; 1 without any.
    """

    samples: int
    identical: int
    within_fragile_votes: int
    other_decisions: int
    largest_radius_difference: str
    smallest_p: float

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against both being certifications of one smoothed classifier."""
        return self.smallest_p >= LEVEL


def paired_outcomes(first: Case, second: Case) -> tuple[PairedOutcome, ...]:
    """Every metric that both certificates measured in the same way; DataError where they share no sample."""
    pairs = [_counted(metric, one, other) for metric, one, other in _common_metrics(first, second)]
    adjusted = holm([mcnemar_exact_p(b, c) for _, _, b, c, _ in pairs])
    return tuple(
        _paired(metric, both=both, b=b, c=c, neither=neither, p=p)
        for (metric, both, b, c, neither), p in zip(pairs, adjusted, strict=True)
    )


def agreement(first: Case, second: Case) -> Agreement:
    """How two certifications of one model agree; DataError for two models or without common samples."""
    one, other = first.predicate.model.sha256, second.predicate.model.sha256
    if one != other:
        raise DataError(
            expected(
                "two certificates of one model",
                got=f"{one[:12]} and {other[:12]}",
                remedy="two models are compared by the paired test",
            )
        )
    pairs = _common_rows(first, second)
    explained = [_explained(*pair) for pair in pairs]
    ends = _looks(first) * _looks(second)
    left = [pair for pair, how in zip(pairs, explained, strict=True) if how is None]
    return Agreement(
        samples=len(pairs),
        identical=explained.count("identical"),
        within_fragile_votes=explained.count("fragile"),
        other_decisions=sum((a["decision"], a["candidate"]) != (b["decision"], b["candidate"]) for a, b in pairs),
        largest_radius_difference=str(max(abs(Decimal(a["radius"]) - Decimal(b["radius"])) for a, b in pairs)),
        smallest_p=min(holm([_same_share_p(*pair, ends=ends) for pair in left]), default=1.0),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that rejecting those below a level errs at all with at most that probability (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _common_metrics(first: Case, second: Case) -> Iterator[tuple[str, Outcomes, Outcomes]]:
    yield "clean_accuracy", _clean(first.evaluation_rows), _clean(second.evaluation_rows)
    theirs = {threat.name: threat for threat in second.specification.threat_models}
    same_suite = first.specification.evaluation.suite == second.specification.evaluation.suite
    for threat in first.specification.threat_models if same_suite else ():
        if theirs.get(threat.name) == threat:
            yield from _under_attack(threat, first, second)
    one, other = (case.specification.certification for case in (first, second))
    if (one.unit, noise_of(one).norm) == (other.unit, noise_of(other).norm):
        yield from _certified(first, second)


def _under_attack(threat: ThreatModel, first: Case, second: Case) -> Iterator[tuple[str, Outcomes, Outcomes]]:
    curves = [
        [strength.text for strength in curve_of(threat, case.specification.evaluation.curve)]
        for case in (first, second)
    ]
    for epsilon in curves[0]:
        if epsilon in curves[1]:
            one, other = (_kept(case.evaluation_rows, threat.name, epsilon) for case in (first, second))
            yield f"accuracy_under_attack {threat.name} epsilon {epsilon}", one, other


def _certified(first: Case, second: Case) -> Iterator[tuple[str, Outcomes, Outcomes]]:
    radii = [case.specification.certification.radii for case in (first, second)]
    for radius in radii[0]:
        if radius in radii[1]:
            one, other = (_certified_at(case.certification_rows, radius) for case in (first, second))
            yield f"certified_accuracy radius {radius:g}", one, other


def _clean(rows: Iterable[Row]) -> Outcomes:
    return {_sample(row): row["prediction"] == row["label"] for row in rows if row["attack"] == CLEAN}


def _kept(rows: Sequence[Row], threat: str, epsilon: str) -> Outcomes:
    """Samples that are right and that no attack under this threat and epsilon broke."""
    here = [row for row in rows if row["attack"] != CLEAN and (row["threat"], row["epsilon"]) == (threat, epsilon)]
    broken = {_sample(row) for row in here if reached(row)}
    attacked = {_sample(row) for row in here}
    return {key: right and key not in broken for key, right in _clean(rows).items() if key in attacked}


def _certified_at(rows: Iterable[Row], radius: float) -> Outcomes:
    return {
        _sample(row): row["decision"] == CERTIFIED
        and row["candidate"] == row["label"]
        and Decimal(row["radius"]) >= Decimal(repr(radius))
        for row in rows
    }


def _counted(metric: str, one: Outcomes, other: Outcomes) -> tuple[str, int, int, int, int]:
    common = one.keys() & other.keys()
    if not common:
        got = f"none among {len(one)} and {len(other)} for {metric}"
        raise DataError(
            expected("samples that both certificates are about", got=got, remedy="certify on the same data")
        )
    found = [(one[key], other[key]) for key in common]
    both, b, c = (found.count(kind) for kind in ((True, True), (True, False), (False, True)))
    return metric, both, b, c, len(found) - both - b - c


def _paired(metric: str, *, both: int, b: int, c: int, neither: int, p: float) -> PairedOutcome:
    low, high = paired_difference_interval(b, c, both + b + c + neither)
    return PairedOutcome(
        metric=metric, both=both, first_only=b, second_only=c, neither=neither,
        lower=round_down(low), upper=round_up(high), p=p,
    )  # fmt: skip


def _common_rows(first: Case, second: Case) -> list[tuple[Row, Row]]:
    theirs = {_sample(row): row for row in second.certification_rows}
    pairs = [(row, theirs[_sample(row)]) for row in first.certification_rows if _sample(row) in theirs]
    if not pairs:
        remedy = "certify the same samples"
        raise DataError(expected("samples that both certificates are about", got="none", remedy=remedy))
    return pairs


def _explained(one: Row, other: Row) -> str | None:
    from robustcert.smoothing.replay import rows_agree

    if one == other:
        return "identical"
    return "fragile" if rows_agree(one, other, bit_exact=False) is None else None


def _looks(case: Case) -> int:
    """At how many numbers of votes a row of this certification may end, as its votes fall."""
    certification = case.specification.certification
    return len(looks_of(certification)) if method_of(certification) == GROUP_SEQUENTIAL else 1


def _same_share_p(one: Row, other: Row, *, ends: int) -> float:
    """Fisher's exact p-value that the first's candidate gets the same share in both, for that many pairs of ends."""
    from scipy.stats import fisher_exact

    candidate = one["candidate"]
    table = [[dict(map(tuple, row["counts"])).get(candidate, 0), row["n"]] for row in (one, other)]
    return min(1.0, ends * float(fisher_exact([[count, n - count] for count, n in table]).pvalue))


def _sample(row: Row) -> Sample:
    return int(row["sample"]), str(row["input"]), int(row["label"])
