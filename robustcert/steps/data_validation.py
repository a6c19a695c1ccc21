"""Step 1: the data are read, held to their contract, split, put on the grid and digested."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from robustcert.data.build import build_dataset
from robustcert.data.dataset import save_dataset
from robustcert.data.sources import RawData, load_raw
from robustcert.data.validation import ValidationReport, validate
from robustcert.errors import DataError, expected, without_credentials
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import code_sha256
from robustcert.specification import Specification
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress

STEP = "data_validation"


@dataclass(frozen=True, kw_only=True)
class DataValidationOutcome:
    """Whether the contract holds, and one line that says what was found."""

    passed: bool
    summary: str


def validate_data(
    *,
    specification: str,
    store: str,
    source_folder: str,
    run_token: str,
    data_uri: str = "",
    dataset: Path,
    report: Path,
    record: Path,
) -> DataValidationOutcome:
    """Writes the report and, where the contract holds, the data set; a broken contract is an outcome, not an error."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, source_folder=source_folder, run_token=run_token)
        written = inputs.loaded.specification
        progress(STEP)(0, 2, f"reading {without_credentials(data_uri or written.data.source)}")
        raw = load_raw(written.data, folder=inputs.folder, uri=data_uri)
        found = validate(written.data, raw, profile=written.profile, today=datetime.now(UTC).date(), seed=written.seed)
        report.write_bytes(found.model_dump_json(by_alias=True, indent=2).encode() + b"\n")
        progress(STEP)(1, 2, f"{len(found.findings)} findings")
        if found.passed:
            _refuse_too_few(written, test=found.split_counts["test"])
            _build(inputs, raw, dataset=dataset, report=report, record=record)
        inputs.store.put_file(report)
        return DataValidationOutcome(passed=found.passed, summary=_summary(found))


def _refuse_too_few(written: Specification, *, test: int) -> None:
    """DataError before the training, not after it, where more samples are planned than the test split holds."""
    for section, samples in (
        ("evaluation", written.evaluation.samples),
        ("certification", written.certification.samples),
    ):
        if samples is not None and samples > test:
            raise DataError(
                expected(
                    f"at least {samples} test samples", got=test, remedy=f"lower {section}.samples, or give more data"
                )
            )


def _build(inputs: StepInputs, raw: RawData, *, dataset: Path, report: Path, record: Path) -> None:
    written = inputs.loaded.specification

    def run() -> dict[str, object]:
        save_dataset(build_dataset(written.data, raw, seed=written.seed), dataset)
        return {}

    key = {
        "data": inputs.loaded.canonical_part("data"),
        "sourceSha256": raw.source_sha256,
        "seed": written.seed,
        "reportSha256": sha256_file(report),
        "code": code_sha256(),
    }
    finish_once(inputs, step=STEP, key=key, outputs={"dataset": dataset}, record=record, run=run)
    progress(STEP)(2, 2, "data set on the grid, digested")


def _summary(report: ValidationReport) -> str:
    errors = [finding.message for finding in report.findings if finding.severity == "error"]
    if errors:
        return f"data validation found {len(errors)} error(s): {errors[0]}"
    return f"data validation passed with {len(report.findings)} warning(s)"
