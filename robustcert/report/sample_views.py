"""How a worst sample is shown: pictures of an image, or a small table of a row's features that moved or stand out.

Shapes: (C, H, W) for images, (D,) for tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.report.domain_units import unit_of
from robustcert.report.pictures import LONGEST_SIDE, amplification, difference, is_reduced, picture
from robustcert.report.wording import size_text
from robustcert.report.worst_samples import ABSTAINED, CHANGED, WEAK, WRONG, WorstSample, withheld

Float64 = NDArray[np.float64]

FEATURES = 4
MOVED = ("clean", "perturbed", "sd")
MOVED_WORDS = "Features that moved most, and by how many standard deviations"
UNUSUAL_WORDS = "Features farthest from the training mean, in standard deviations"
UNUSUAL = ("value", "sd")
REASON_TITLES = {
    CHANGED: "Changed by an attack",
    WRONG: "Wrong without any perturbation",
    ABSTAINED: "Abstained",
    WEAK: "Certified with the smallest radius",
}
REASON_WORDS = {
    CHANGED: "whose right prediction an attack changed, the smallest share of epsilon first",
    WRONG: "that the plain model gets wrong without any perturbation",
    ABSTAINED: "on which the smoothed classifier abstained",
    WEAK: "certified with the smallest radius",
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A data URI with its text alternative and caption."""

    source: str
    alternative: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class FeatureLine:
    """One feature of a table's row, its values already in words."""

    name: str
    unit: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SampleView:
    """One sample: pictures for images, features for tables."""

    title: str
    detail: str
    reason: str
    pictures: tuple[Picture, ...] = ()
    features: tuple[FeatureLine, ...] = ()
    columns: tuple[str, ...] = ()
    features_caption: str = ""


@dataclass(frozen=True, kw_only=True)
class SampleGroup:
    """Samples shown for one reason; `wide` where each needs room for several pictures or a table."""

    title: str
    wide: bool
    samples: tuple[SampleView, ...]


@dataclass(frozen=True, kw_only=True)
class WorstView:
    """The whole section; `withheld` names the kind of personal data because of which nothing is shown."""

    groups: tuple[SampleGroup, ...]
    introduction: str
    withheld: str
    ratio: str


def worst_view(predicate: Predicate, dataset: Dataset, found: Sequence[WorstSample]) -> WorstView:
    """The section for samples that were chosen."""
    image = dataset.card.kind == "image"
    views = tuple(_image(predicate, dataset, sample) if image else _row(predicate, dataset, sample) for sample in found)
    return WorstView(
        groups=tuple(_group(views, reason, image=image) for reason in dict.fromkeys(view.reason for view in views)),
        introduction=_introduction(dataset, found),
        withheld=withheld(predicate),
        ratio=f"{dataset.card.shape[2]} / {dataset.card.shape[1]}" if image else "1",
    )


def _group(views: Sequence[SampleView], reason: str, *, image: bool) -> SampleGroup:
    return SampleGroup(
        title=REASON_TITLES[reason],
        wide=reason == CHANGED or not image,
        samples=tuple(view for view in views if view.reason == reason),
    )


def _introduction(dataset: Dataset, found: Sequence[WorstSample]) -> str:
    counts = Counter(sample.reason for sample in found)
    groups = "; ".join(f"{count} {REASON_WORDS[reason]}" for reason, count in counts.items())
    return f"Shown are samples of the test split: {groups}.{_picture_words(dataset)}"


def _picture_words(dataset: Dataset) -> str:
    if dataset.card.kind != "image":
        return ""
    reduced = f" Pictures are reduced to {LONGEST_SIDE} pixels." if is_reduced(dataset.card.shape) else ""
    return f" In a difference middle grey is no change, lighter is more, darker is less.{reduced}"


def _title(predicate: Predicate, sample: WorstSample) -> str:
    label = _class(predicate, sample.row["label"])
    seen = _seen(predicate, sample)
    return f"{label}, taken for {seen}" if seen != label else f"{label}"


def _seen(predicate: Predicate, sample: WorstSample) -> str:
    """The class that the model, or the vote where the row is one of certification, saw."""
    row = sample.row
    if "candidate" in row:
        return _class(predicate, row["candidate"])
    return _class(predicate, row["adversarial"] if sample.x_adv is not None else row["prediction"])


def _detail(predicate: Predicate, sample: WorstSample) -> str:
    row = sample.row
    if sample.reason == CHANGED:
        attack = row["attack"].partition("-")[0]
        return f"Sample {row['sample']}: {sample.share_of_size:.2f} of epsilon, {row['threat']}, {attack}"
    if sample.reason == WEAK:
        return f"Sample {row['sample']}: radius {size_text(row['radius'], predicate.certification.unit)}"
    return f"Sample {row['sample']}" + (": abstained" if sample.reason == ABSTAINED else "")


def _class(predicate: Predicate, label: int) -> str:
    classes = predicate.data.classes
    return classes[label] if 0 <= label < len(classes) else f"class {label}"


def _image(predicate: Predicate, dataset: Dataset, sample: WorstSample) -> SampleView:
    pictures = _clean_picture(predicate, dataset, sample)
    if sample.x_adv is not None:
        pictures += _perturbed_pictures(predicate, dataset, sample, sample.x_adv.astype(np.float64))
    return SampleView(
        title=_title(predicate, sample),
        detail=_detail(predicate, sample),
        reason=sample.reason,
        pictures=pictures,
    )


def _clean_picture(predicate: Predicate, dataset: Dataset, sample: WorstSample) -> tuple[Picture, ...]:
    label = _class(predicate, sample.row["label"])
    seen = label if sample.x_adv is not None else _seen(predicate, sample)
    lower, upper = _range(dataset)
    return (
        Picture(
            source=picture(sample.x, lower=lower, upper=upper),
            alternative=f"Sample {sample.row['sample']}, unperturbed, label {label}",
            caption=f"clean: label {label}, predicted {seen}",
        ),
    )


def _perturbed_pictures(
    predicate: Predicate, dataset: Dataset, sample: WorstSample, x_adv: Float64
) -> tuple[Picture, ...]:
    lower, upper = _range(dataset)
    number, seen = sample.row["sample"], _seen(predicate, sample)
    factor = amplification(float(np.abs(x_adv - sample.x).max()) / (upper - lower))
    return (
        Picture(
            source=picture(x_adv, lower=lower, upper=upper),
            alternative=f"Sample {number}, perturbed, predicted {seen}",
            caption=f"perturbed: predicted {seen}",
        ),
        Picture(
            source=difference(sample.x, x_adv, lower=lower, upper=upper, factor=factor),
            alternative=f"Difference of sample {number}, times {factor}",
            caption=f"difference, times {factor}",
        ),
    )


def _range(dataset: Dataset) -> tuple[float, float]:
    return float(dataset.lower.min()), float(dataset.upper.max())


def _row(predicate: Predicate, dataset: Dataset, sample: WorstSample) -> SampleView:
    moved = sample.x_adv is not None
    return SampleView(
        title=_title(predicate, sample),
        detail=_detail(predicate, sample),
        reason=sample.reason,
        features=_moved(dataset, sample) if moved else _unusual(dataset, sample),
        columns=MOVED if moved else UNUSUAL,
        features_caption=MOVED_WORDS if moved else UNUSUAL_WORDS,
    )


def _moved(dataset: Dataset, sample: WorstSample) -> tuple[FeatureLine, ...]:
    assert sample.x_adv is not None
    x_adv = sample.x_adv.astype(np.float64)
    change = (x_adv - sample.x) / dataset.scale
    return tuple(
        _feature(dataset, index, (f"{sample.x[index]:.4g}", f"{x_adv[index]:.4g}", f"{change[index]:+.3f}"))
        for index in np.argsort(-np.abs(change), kind="stable")[:FEATURES]
    )


def _unusual(dataset: Dataset, sample: WorstSample) -> tuple[FeatureLine, ...]:
    away = (sample.x - dataset.select("train").x().mean(axis=0)) / dataset.scale
    return tuple(
        _feature(dataset, index, (f"{sample.x[index]:.4g}", f"{away[index]:+.2f}"))
        for index in np.argsort(-np.abs(away), kind="stable")[:FEATURES]
    )


def _feature(dataset: Dataset, index: int, values: tuple[str, ...]) -> FeatureLine:
    return FeatureLine(name=dataset.card.coordinates[index], unit=unit_of(dataset, index), values=values)
