"""The certified section of a report: the curve in two widths, and its values at the specification's radii."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from robustcert.certificate.schema import CertifiedPart, Predicate, RatePart
from robustcert.data.dataset import Dataset
from robustcert.report.certified_curve import certified_curve, knots, refuse_other_rows
from robustcert.report.domain_units import DomainSize, domain_sizes
from robustcert.report.smoothing_words import LENGTHS, drawn_words, radius_words, votes_words

Row = Mapping[str, Any]

WIDE = 760.0
NARROW = 380.0
NOT_COVERED = (
    "Not covered: changes beyond the radius or measured in another norm than {norm}, rotations, shifts, patches and "
    "other changes that keep their meaning but not their {norm} length, inputs that the test samples do not represent, "
    "and the plain model without its votes."
)
FEATURE_WORDS = "also as the change of one feature alone, for the three that vary most"


@dataclass(frozen=True, kw_only=True)
class CertifiedLine:
    """One radius of the specification, in its unit and in the domain's."""

    radius: str
    sizes: tuple[DomainSize, ...]
    accuracy: RatePart
    simultaneous: int


@dataclass(frozen=True, kw_only=True)
class CertifiedView:
    """What the template prints."""

    wide: Markup
    narrow: Markup
    lines: tuple[CertifiedLine, ...]
    sizes_words: str
    votes_words: str
    drawn_words: str
    length_words: str
    radius_words: str
    not_covered: str
    required: bool
    joint_confidence: str


def certified_view(predicate: Predicate, dataset: Dataset, rows: Sequence[Row]) -> CertifiedView:
    """The section; DataError unless `rows` give the certificate's counts."""
    refuse_other_rows(predicate, rows)
    found = knots(rows, alpha=float(predicate.certification.alpha))
    image = dataset.card.kind == "image"
    return CertifiedView(
        wide=certified_curve(predicate, dataset, found, width=WIDE),
        narrow=certified_curve(predicate, dataset, found, width=NARROW),
        lines=tuple(_line(predicate, dataset, part) for part in predicate.results.certified_accuracy),
        sizes_words="also in grey levels" if image else FEATURE_WORDS,
        votes_words=votes_words(predicate.certification),
        drawn_words=drawn_words(rows),
        length_words=LENGTHS[predicate.certification.threat],
        radius_words=radius_words(predicate.certification),
        not_covered=NOT_COVERED.format(norm=predicate.certification.threat),
        required=any(criterion.metric == "certified_accuracy" for criterion in predicate.criteria),
        joint_confidence=str(1 - Decimal(predicate.certification.simultaneous_gamma)),
    )


def _line(predicate: Predicate, dataset: Dataset, part: CertifiedPart) -> CertifiedLine:
    unit, norm = predicate.certification.unit, predicate.certification.threat
    return CertifiedLine(
        radius=part.radius,
        sizes=domain_sizes(dataset, part.radius, unit=unit, norm=norm),  # type: ignore[arg-type]
        accuracy=part.accuracy,
        simultaneous=part.simultaneous_count,
    )
