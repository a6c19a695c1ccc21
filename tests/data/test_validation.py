from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from robustcert.data.build import build_dataset
from robustcert.data.raw import RawData
from robustcert.data.sources import load_raw
from robustcert.data.validation import BATCH_CHECKS, CHECKS, ValidationReport, name_of, prometheus_text, validate
from robustcert.specification import Data
from tests.data.examples import TODAY, image_data, planted, raw_images, raw_table, table_data


def report_on(data: Data, raw: RawData, **changes: Any) -> ValidationReport:
    return validate(data, raw, **{"profile": "standard", "today": TODAY, "seed": 0, **changes})


def samples_of(text: str) -> dict[tuple[str, str], float]:
    """Metric name and first label value to value, as prometheus_client's parser reads them."""
    families = list(text_string_to_metric_families(text))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("name", ["digits", "breast-cancer"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_embedded_data_pass_their_own_contracts_without_a_warning(name: str, seed: int) -> None:
    data = Data.model_validate({"source": f"builtin:{name}"})
    report = report_on(data, load_raw(data), seed=seed)
    assert report.findings == ()
    assert report.passed
    assert report.checks == tuple(name_of(check) for check in CHECKS)


def test_embedded_data_in_the_high_stakes_profile_need_the_owners_approval() -> None:
    data = Data.model_validate({"source": "builtin:breast-cancer"})
    findings = report_on(data, load_raw(data), profile="high-stakes").findings
    assert [finding.check for finding in findings] == ["approvals"]


def test_counts_per_class_and_split_are_numpys() -> None:
    raw = raw_images(labels=np.repeat([0, 1], [30, 10]))
    report = report_on(image_data(), raw)
    split = build_dataset(image_data(), raw, seed=0).split
    assert report.class_counts == {"cat": 30, "dog": 10}
    assert list(report.split_counts.values()) == np.bincount(split).tolist()


def test_validation_draws_the_same_splits_as_the_build() -> None:
    values = raw_images().values.copy()
    values[1::2] = values[::2]  # each cat has a dog for a twin
    raw = raw_images(values=values)
    for seed in range(4):
        split = build_dataset(image_data(), raw, seed=seed).split
        leaked = int(np.sum(split[::2] != split[1::2]))
        finding = next(f for f in report_on(image_data(), raw, seed=seed).findings if f.check == "exact_leakage")
        assert finding.count == leaked


def test_a_finding_names_at_most_20_samples_and_counts_all() -> None:
    values = planted(raw_images().values.astype(np.float32), (slice(5, 35), 0, 0, 0), np.nan)
    report = report_on(image_data(), raw_images(values=values, sample_ids=np.arange(40) + 100))
    finding = report.findings[0]
    assert (finding.check, finding.severity, finding.count, finding.of) == ("nan", "error", 30, 40)
    assert finding.samples == tuple(range(105, 125))
    assert not report.passed


def test_a_warning_does_not_fail_the_data() -> None:
    raw = raw_table(values=planted(raw_table().values, (slice(None), 1), 3.0))
    report = report_on(table_data(nearDuplicateDistance=0.0), raw)
    assert [(finding.check, finding.severity) for finding in report.findings] == [("constant_features", "warning")]
    assert report.passed


def test_a_broken_schema_ends_the_checks_that_rely_on_it() -> None:
    report = report_on(image_data(), raw_images(values=np.zeros((40, 3), dtype="U1")))
    assert report.checks == ("samples", "columns", "shape", "dtype")
    assert [finding.check for finding in report.findings] == ["shape", "dtype"]
    assert not report.passed


def test_data_without_a_sample_are_reported_not_crashed_upon() -> None:
    report = report_on(image_data(), raw_images(0))
    assert [finding.check for finding in report.findings] == ["samples"]
    assert report.split_counts == {"train": 0, "validation": 0, "test": 0}


def test_every_message_is_one_line_of_expected_got_and_remedy() -> None:
    values = raw_table().values.copy()
    values[20:] = values[:20]
    values[0], values[1], values[2] = np.nan, np.inf, -1
    raw = raw_table(values=values, labels=planted(np.zeros(40, dtype=np.int64), 3, 9))
    provenance = {"licence": "TODO", "approvals": ({"id": "A", "authority": "B", "expires": "2020-01-01"},)}
    report = report_on(table_data(provenance=provenance), raw, profile="high-stakes")
    assert len(report.findings) >= 11
    for finding in report.findings:
        head, _, remedy = finding.message.partition("; ")
        assert head.startswith("expected ")
        assert ", got " in head
        assert remedy
        assert "\n" not in finding.message


def test_reports_survive_json() -> None:
    report = report_on(image_data(), raw_images(values=planted(raw_images().values, 3, 0), labels=raw_images().labels))
    assert ValidationReport.model_validate_json(report.model_dump_json(by_alias=True)) == report


def test_checks_have_a_name_each() -> None:
    names = [name_of(check) for check in CHECKS]
    assert len(set(names)) == len(names) == 24


def test_a_batch_of_production_data_is_held_to_schema_and_values_only() -> None:
    raw = raw_table(values=planted(raw_table().values, (3, 1), 11.0), labels=np.full(40, 9))
    report = report_on(table_data(), raw, checks=BATCH_CHECKS)
    assert [finding.check for finding in report.findings] == ["ranges"]
    assert set(report.checks) == {name_of(check) for check in BATCH_CHECKS}


def test_metrics_are_text_that_prometheus_reads() -> None:
    values = planted(raw_images().values.astype(np.float32), ([3, 4, 5], 0, 0, 0), np.nan)
    metrics = samples_of(prometheus_text(report_on(image_data(), raw_images(values=values))))
    assert metrics["robustcert_data_validation_passed", ""] == 0
    assert metrics["robustcert_data_check_passed", "nan"] == 0
    assert metrics["robustcert_data_check_passed", "ranges"] == 1
    assert metrics["robustcert_data_affected_ratio", "nan"] == 3 / 40
    assert metrics["robustcert_data_affected_ratio", "ranges"] == 0
    assert metrics["robustcert_data_class_samples", "dog"] == 20
    assert metrics["robustcert_data_split_samples", "train"] == 24


def test_odd_class_names_are_escaped_in_metrics() -> None:
    names = ('a "b"', "c\\d")
    data, raw = image_data(classes=names), raw_images(label_names=names)
    metrics = samples_of(prometheus_text(report_on(data, raw)))
    assert metrics["robustcert_data_class_samples", 'a "b"'] == 20
    assert metrics["robustcert_data_class_samples", "c\\d"] == 20
    assert metrics["robustcert_data_validation_passed", ""] == 1


@pytest.mark.parametrize("today", [date(2026, 12, 31), date(2027, 1, 1)])
def test_the_day_is_the_one_given(today: date) -> None:
    approval = {"id": "A", "authority": "B", "expires": "2026-12-31"}
    data = image_data(provenance={"personalData": "none", "approvals": (approval,)})
    report = report_on(data, raw_images(), profile="high-stakes", today=today)
    assert report.passed == (today.year == 2026)


@pytest.mark.parametrize(
    ("row", "check", "message"),
    [
        ("fifty,2.5,1,south,ill", "numeric_cells", "'fifty' in sample 12, column 'age'"),
        ("50,2.5,1,west,ill", "categories", "'west' in sample 12, column 'site'"),
        ("50,,1,south,ill", "nulls", "none in sample 12, column 'dose'"),
        ("50,nan,1,south,ill", "nan", "nan in sample 12, column 'dose'"),
        ("50,-inf,1,south,ill", "infinity", "-inf in sample 12, column 'dose'"),
        ("130,2.5,1,south,ill", "ranges", "130 in sample 12, column 'age'"),
        ("50.5,2.5,1,south,ill", "feature_kinds", "50.5 in sample 12, column 'age'"),
        ("50,2.5,2,south,ill", "feature_kinds", "2 in sample 12, column 'smoker'"),
        ("50,2.5,1,south,dead", "label_range", "'dead' in sample 12"),
        ("50,2.5,1,south,", "label_range", "'' in sample 12"),
    ],
)
def test_a_fault_planted_in_a_csv_file_is_found_by_row_and_column(
    tmp_path: Path, row: str, check: str, message: str
) -> None:
    rows = [f"{number},{number / 4},{number % 2},{('north', 'east')[number % 2]},{('ill', 'well')[number % 2]}"
            for number in range(40)]  # fmt: skip
    (tmp_path / "table.csv").write_text("\n".join(["age,dose,smoker,site,state", *rows[:12], row, *rows[12:]]))
    data = table_data(nearDuplicateDistance=0.0)
    findings = report_on(data, load_raw(data, folder=tmp_path)).findings
    assert [(finding.check, finding.samples) for finding in findings] == [(check, (12,))]
    assert f"got {message}" in findings[0].message


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ("age,dose,smoker,place,state", "missing site; not in the contract place"),
        ("age,dose,smoker,site,state,name", "not in the contract name"),
    ],
)
def test_missing_and_extra_columns_of_a_csv_file_are_found(tmp_path: Path, header: str, got: str) -> None:
    row = ",".join(["50", "2.5", "1", "south", "ill", "Bob"][: header.count(",") + 1])
    (tmp_path / "table.csv").write_text(f"{header}\n{row}\n")
    findings = report_on(table_data(), load_raw(table_data(), folder=tmp_path)).findings
    assert [finding.check for finding in findings] == ["columns"]
    assert got in findings[0].message
