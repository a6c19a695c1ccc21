"""The data sheet of a report: where the data come from, how they are split, and what their validation found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustcert.certificate.schema import DataPart, Predicate, SplitPart
from robustcert.data.dataset import Dataset
from robustcert.data.splits import SPLITS
from robustcert.report.wording import flat, shortened

MOST_CLASSES = 40
MOST_WARNINGS = 40
PROVENANCE_WORDS = {
    "source": "Origin",
    "licence": "Licence",
    "collectedAt": "Collected at",
    "transforms": "Transforms before",
    "personalData": "Personal data",
    "approvals": "Approvals",
}


@dataclass(frozen=True, kw_only=True)
class SplitRows:
    """A split and its number of rows."""

    name: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class ClassRows:
    """A class and its number of rows in each split."""

    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class DataSheet:
    """What the template prints; `left_out` classes and `warnings_left_out` warnings are only counted."""

    lines: tuple[tuple[str, str], ...]
    splits: tuple[SplitRows, ...]
    classes: tuple[ClassRows, ...]
    left_out: int
    warnings: tuple[str, ...]
    warnings_left_out: int


def data_sheet(predicate: Predicate, dataset: Dataset) -> DataSheet:
    """The sheet; rows per class are counted in the data set."""
    data = predicate.data
    return DataSheet(
        lines=tuple(_lines(predicate)),
        splits=tuple(SplitRows(name=split, rows=part.rows) for split, part in splits_in_order(predicate.data)),
        classes=tuple(_class(predicate, dataset, label) for label in range(min(len(data.classes), MOST_CLASSES))),
        left_out=max(0, len(data.classes) - MOST_CLASSES),
        warnings=tuple(shortened(warning) for warning in data.validation_warnings[:MOST_WARNINGS]),
        warnings_left_out=max(0, len(data.validation_warnings) - MOST_WARNINGS),
    )


def splits_in_order(data: DataPart) -> list[tuple[str, SplitPart]]:
    """Train, validation, test; a certificate that was read back is sorted by name."""
    return sorted(data.splits.items(), key=lambda entry: SPLITS.index(entry[0]))


def _lines(predicate: Predicate) -> list[tuple[str, str]]:
    data = predicate.data
    return [
        ("Source", data.source),
        *(
            line
            for key, value in _in_order(data.provenance)
            for line in flat(value, name=PROVENANCE_WORDS.get(key, key))
        ),
        ("Shape of one sample", " x ".join(map(str, data.shape))),
        ("Classes", f"{len(data.classes)}: {shortened(', '.join(data.classes))}"),
        ("Whole transform chain", shortened("; ".join(data.transforms)) or "none"),
    ]


def _in_order(provenance: dict[str, object]) -> list[tuple[str, object]]:
    """The known fields first, in the order of PROVENANCE_WORDS; a certificate that was read back is sorted by name."""
    known = list(PROVENANCE_WORDS)
    return sorted(
        provenance.items(), key=lambda entry: (known.index(entry[0]) if entry[0] in known else len(known), entry)
    )


def _class(predicate: Predicate, dataset: Dataset, label: int) -> ClassRows:
    of_class = dataset.split[dataset.y == label]
    counts = tuple(
        int(np.count_nonzero(of_class == SPLITS.index(split))) for split, _ in splits_in_order(predicate.data)
    )
    return ClassRows(name=predicate.data.classes[label], counts=counts)
