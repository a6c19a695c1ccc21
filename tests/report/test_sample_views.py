from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robustcert.report.sample_views import FEATURES, SampleView, worst_view
from robustcert.report.worst_samples import ABSTAINED, CHANGED, WEAK, WRONG, WorstSample, worst_samples
from tests.report.sample_certificate import Sample


def chosen(sample: Sample) -> list[WorstSample]:
    return worst_samples(
        sample.predicate,
        sample.dataset,
        certification_rows=sample.certification_rows,
        evaluation_rows=sample.evaluation_rows,
        adversarials=sample.adversarials,
    )


def views(sample: Sample, found: list[WorstSample]) -> list[SampleView]:
    return [view for group in worst_view(sample.predicate, sample.dataset, found).groups for view in group.samples]


def vote(sample: Sample, reason: str, **values: Any) -> WorstSample:
    """A sample that is shown for what the vote said of it."""
    row = sample.certification_rows[0] | values
    return WorstSample(row=row, reason=reason, x=sample.dataset.rows([row["sample"]]).x()[0])


def test_a_changed_image_has_three_pictures_with_labels_and_predictions(digits: Sample) -> None:
    found = next(sample for sample in chosen(digits) if sample.reason == CHANGED)
    (view,) = views(digits, [found])
    label, seen = found.row["label"], found.row["adversarial"]
    assert view.title == f"{label}, taken for {seen}"
    captions = [picture.caption for picture in view.pictures]
    assert captions[:2] == [f"clean: label {label}, predicted {label}", f"perturbed: predicted {seen}"]
    assert captions[2].startswith("difference, times ")
    assert all(picture.alternative for picture in view.pictures)


def test_the_detail_names_sample_share_of_epsilon_threat_and_attack(digits: Sample) -> None:
    found = next(sample for sample in chosen(digits) if sample.reason == CHANGED)
    (view,) = views(digits, [found])
    attack = found.row["attack"].partition("-")[0]
    expected = f"Sample {found.row['sample']}: {found.share_of_size:.2f} of epsilon, {found.row['threat']}, {attack}"
    assert view.detail == expected


def test_an_image_that_is_wrong_unperturbed_has_one_picture(digits: Sample) -> None:
    found = next(sample for sample in chosen(digits) if sample.reason == WRONG)
    (view,) = views(digits, [found])
    assert [picture.caption for picture in view.pictures] == [
        f"clean: label {found.row['label']}, predicted {found.row['prediction']}"
    ]


@pytest.mark.parametrize(
    ("reason", "detail"), [(ABSTAINED, "Sample {}: abstained"), (WEAK, "Sample {}: radius 0.125 input units")]
)
def test_samples_of_the_vote_say_what_it_was(digits: Sample, reason: str, detail: str) -> None:
    found = vote(digits, reason, radius="0.125000", label=3, candidate=3)
    (view,) = views(digits, [found])
    assert view.detail == detail.format(found.row["sample"])
    assert view.title == "3"


def test_a_table_row_shows_the_features_that_moved_most_in_their_units(table: Sample) -> None:
    found = next(sample for sample in chosen(table) if sample.reason == CHANGED)
    assert found.x_adv is not None
    (view,) = views(table, [found])
    moved = (found.x_adv - found.x) / table.dataset.select("train").x().std(axis=0)
    largest = np.argsort(-np.abs(moved))[:FEATURES]
    assert {line.name for line in view.features} == {table.dataset.card.coordinates[index] for index in largest}
    for line in view.features:
        index = table.dataset.card.coordinates.index(line.name)
        clean, perturbed, deviations = map(float, line.values)
        assert clean == pytest.approx(found.x[index], rel=1e-3)
        assert perturbed == pytest.approx(float(found.x_adv[index]), rel=1e-3)
        assert deviations == pytest.approx(moved[index], abs=1e-3)
        assert line.unit in ("", table.dataset.card.units[index])


def test_a_table_row_that_is_wrong_unperturbed_shows_its_unusual_features(table: Sample) -> None:
    found = next(sample for sample in chosen(table) if sample.reason == WRONG)
    (view,) = views(table, [found])
    train = table.dataset.select("train").x()
    away = (found.x - train.mean(axis=0)) / train.std(axis=0)
    names = [table.dataset.card.coordinates[index] for index in np.argsort(-np.abs(away))[:FEATURES]]
    assert [line.name for line in view.features] == names
    assert [len(line.values) for line in view.features] == [len(view.columns)] * FEATURES


def test_groups_follow_the_reasons_and_the_introduction_counts_them(any_sample: Sample) -> None:
    found = chosen(any_sample)
    view = worst_view(any_sample.predicate, any_sample.dataset, found)
    assert [len(group.samples) for group in view.groups] == [
        sum(sample.reason == reason for sample in found) for reason in (CHANGED, WRONG)
    ]
    for group in view.groups:
        assert str(len(group.samples)) in view.introduction


def test_reduced_pictures_are_said_to_be(digits: Sample) -> None:
    large = replace(digits.dataset, card=digits.dataset.card.model_copy(update={"shape": (1, 300, 200)}))
    assert "reduced to 80 pixels" in worst_view(digits.predicate, large, []).introduction
    assert "reduced" not in worst_view(digits.predicate, digits.dataset, []).introduction


def test_a_label_without_a_class_name_is_called_by_its_number(digits: Sample) -> None:
    (view,) = views(digits, [vote(digits, WEAK, label=77, candidate=1)])
    assert view.title == "class 77, taken for 1"
