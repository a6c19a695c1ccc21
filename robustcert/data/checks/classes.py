"""Class checks: labels, empty classes, balance, and splits that hold every class."""

from __future__ import annotations

import numpy as np

from robustcert.data.checks.facts import Breach, Facts
from robustcert.data.splits import SPLITS
from robustcert.errors import expected


def label_range(facts: Facts) -> Breach | None:
    """Every label names a class."""
    labels, n_classes = facts.raw.labels, len(facts.contract.classes)
    affected = (labels < 0) | (labels >= n_classes)
    if not affected.any():
        return None
    row = int(np.argmax(affected))
    what = f"labels among {n_classes} classes ({', '.join(facts.contract.classes[:10])})"
    got = f"{facts.raw.label_name(int(labels[row]))} in {facts.name(row)}"
    return Breach(message=expected(what, got=got, remedy="correct the labels or list the class"), affected=affected)


def empty_classes(facts: Facts) -> Breach | None:
    """Every class has samples, in the data and in each split that has any sample."""
    for part, labels in _parts(facts):
        empty = [name for index, name in enumerate(facts.contract.classes) if not np.any(labels == index)]
        if empty:
            got = f"none of class {', '.join(repr(name) for name in empty[:5])} in {part}"
            remedy = "add samples, or drop the class from the contract"
            return Breach(message=expected("samples of every class", got=got, remedy=remedy))
    return None


def class_balance(facts: Facts) -> Breach | None:
    """Every class that has samples has at least `minimum_class_fraction` of them."""
    least = facts.contract.minimum_class_fraction
    counts = np.array([np.sum(facts.raw.labels == index) for index in range(len(facts.contract.classes))])
    rare = np.flatnonzero((counts > 0) & (counts < least * len(facts.raw)))
    if not len(rare):
        return None
    got = f"{counts[rare[0]]} of {len(facts.raw)} in class {facts.contract.classes[rare[0]]!r}"
    what = f"at least {least:g} of the samples in every class"
    remedy = "add samples of it, or lower minimumClassFraction and say why"
    return Breach(message=expected(what, got=got, remedy=remedy), affected=np.isin(facts.raw.labels, rare))


def splits(facts: Facts) -> Breach | None:
    """Train, validation and test all have samples."""
    empty = [name for code, name in enumerate(SPLITS) if not np.any(facts.split == code)]
    if not empty:
        return None
    remedy = "give more samples, other fractions or another split column"
    return Breach(message=expected("samples in every split", got=f"none in {', '.join(empty)}", remedy=remedy))


def _parts(facts: Facts) -> list[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]]:
    """The labels of all samples, then of each split that has any, named."""
    parts = [(f"split {name}", facts.raw.labels[facts.split == code]) for code, name in enumerate(SPLITS)]
    return [("the data", facts.raw.labels), *(part for part in parts if len(part[1]))]
