from collections import Counter

from robustcert.report.data_sheet import MOST_CLASSES, MOST_WARNINGS, data_sheet
from tests.report.sample_certificate import Sample


def test_the_sheet_names_source_licence_provenance_shape_and_transforms(table: Sample) -> None:
    lines = dict(data_sheet(table.predicate, table.dataset).lines)
    assert lines["Source"] == "builtin:breast-cancer"
    assert lines["Licence"] == "CC BY 4.0"
    assert lines["Collected at"] == "1995-11"
    assert lines["Personal data"] == "anonymised"
    assert lines["Approvals 1.expires"] == "2099-12-31"
    assert lines["Classes"] == "2: malignant, benign"
    assert lines["Shape of one sample"] == "30"
    assert "grid" in lines["Whole transform chain"]


def test_classes_are_counted_per_split(any_sample: Sample) -> None:
    sheet = data_sheet(any_sample.predicate, any_sample.dataset)
    counted = Counter(zip(any_sample.dataset.y.tolist(), any_sample.dataset.split.tolist(), strict=True))
    for label, line in enumerate(sheet.classes):
        assert line.counts == tuple(counted[label, split] for split in range(3))
    assert [split.name for split in sheet.splits] == ["train", "validation", "test"]
    assert [sum(line.counts[split] for line in sheet.classes) for split in range(3)] == [s.rows for s in sheet.splits]


def test_many_classes_and_warnings_are_cut_and_the_rest_is_counted(digits: Sample) -> None:
    data = digits.predicate.data.model_copy(
        update={
            "classes": tuple(map(str, range(MOST_CLASSES + 3))),
            "validation_warnings": ("w",) * (MOST_WARNINGS + 2),
        }
    )
    sheet = data_sheet(digits.predicate.model_copy(update={"data": data}), digits.dataset)
    assert (len(sheet.classes), sheet.left_out) == (MOST_CLASSES, 3)
    assert (len(sheet.warnings), sheet.warnings_left_out) == (MOST_WARNINGS, 2)
