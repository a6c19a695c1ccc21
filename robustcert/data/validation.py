"""Validation: hold raw data to their contract, by an ordered list of small checks, and report what each found.

Checks live in `robustcert.data.checks`, one file per subject; a check's name is its function's. When the schema is
broken, the later checks, which rely on it, are not run. `prometheus_text` gives the same facts as metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np

from robustcert.data.checks import classes, duplicates, provenance, schema, values
from robustcert.data.checks.facts import Breach, Check, Facts, Profile, Severity
from robustcert.data.contract import contract_of, provenance_of
from robustcert.data.raw import RawData
from robustcert.data.splits import SPLITS, splits_of
from robustcert.document import Decimal, IssuedPart
from robustcert.specification import Data

MOST_SAMPLES = 20

SCHEMA_CHECKS: tuple[Check, ...] = (schema.samples, schema.columns, schema.shape, schema.dtype)
VALUE_CHECKS: tuple[Check, ...] = (
    values.nulls, values.numeric_cells, values.categories, values.nan, values.infinity, values.ranges,
    values.feature_kinds, values.constant_features,
)  # fmt: skip
CLASS_CHECKS: tuple[Check, ...] = (classes.label_range, classes.empty_classes, classes.class_balance, classes.splits)
DUPLICATE_CHECKS: tuple[Check, ...] = (
    duplicates.duplicates, duplicates.label_conflicts, duplicates.exact_leakage, duplicates.near_duplicate_leakage,
)  # fmt: skip
PROVENANCE_CHECKS: tuple[Check, ...] = (
    provenance.provenance, provenance.personal_data, provenance.approvals, provenance.approval_expiry,
)  # fmt: skip

CHECKS = SCHEMA_CHECKS + VALUE_CHECKS + CLASS_CHECKS + DUPLICATE_CHECKS + PROVENANCE_CHECKS
BATCH_CHECKS = SCHEMA_CHECKS + VALUE_CHECKS  # for a batch of production data: no labels or splits to speak of


class Finding(IssuedPart):
    """What one check found: `count` of `of` samples, the ids of the first 20, and one line that says what to do."""

    check: str
    severity: Severity
    message: str
    samples: tuple[int, ...] = ()
    count: int = 0
    of: int = 0


class ValidationReport(IssuedPart):
    """`passed` where no finding is an error. `metrics`: per check, the ratio of samples that it found."""

    passed: bool
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    metrics: dict[str, Decimal]
    class_counts: dict[str, int]
    split_counts: dict[str, int]


def validate(
    data: Data, raw: RawData, *, profile: Profile, today: date, seed: int, checks: Sequence[Check] = CHECKS
) -> ValidationReport:
    """The report on `raw`; `seed` draws the same splits as `build_dataset` where the source gives none."""
    facts = Facts(
        contract=contract_of(data), provenance=provenance_of(data), raw=raw, profile=profile, today=today,
        split=splits_of(raw, fractions=data.splits, seed=seed),
    )  # fmt: skip
    names, findings = _run(facts, checks)
    return ValidationReport(
        passed=all(finding.severity != "error" for finding in findings),
        checks=tuple(names),
        findings=tuple(findings),
        metrics=_metrics(names, findings),
        class_counts={name: int(np.sum(raw.labels == index)) for index, name in enumerate(facts.contract.classes)},
        split_counts={name: int(np.sum(facts.split == code)) for code, name in enumerate(SPLITS)},
    )


def _run(facts: Facts, checks: Sequence[Check]) -> tuple[list[str], list[Finding]]:
    names: list[str] = []
    findings: list[Finding] = []
    for check in checks:
        if findings and check not in SCHEMA_CHECKS and findings[0].check in _names(SCHEMA_CHECKS):
            break
        names.append(name_of(check))
        breach = check(facts)
        if breach is not None:
            findings.append(_finding(name_of(check), breach, facts))
    return names, findings


def name_of(check: Check) -> str:
    """The name under which reports and metrics show a check."""
    return str(getattr(check, "__name__"))  # noqa: B009 (a Callable need not have a name, a function has)


def _names(checks: Iterable[Check]) -> list[str]:
    return [name_of(check) for check in checks]


def _finding(name: str, breach: Breach, facts: Facts) -> Finding:
    affected = np.zeros(0, dtype=np.bool_) if breach.affected is None else breach.affected
    ids = facts.raw.sample_ids[: len(affected)][affected]
    return Finding(
        check=name,
        severity=breach.severity,
        message=breach.message,
        samples=tuple(int(sample) for sample in ids[:MOST_SAMPLES]),
        count=len(ids),
        of=len(facts.raw) if breach.of is None else breach.of,
    )


def _metrics(names: Iterable[str], findings: Iterable[Finding]) -> dict[str, str]:
    ratios = {finding.check: finding.count / finding.of for finding in findings if finding.of}
    return {f"{name}_ratio": f"{ratios.get(name, 0.0):.6f}" for name in names}


def prometheus_text(report: ValidationReport) -> str:
    """The report as metrics in Prometheus' text exposition format, version 0.0.4."""
    failed = {finding.check for finding in report.findings if finding.severity == "error"}
    lines = [
        *_gauge("validation_passed", "1 where the data keep their contract, else 0.", [("", int(report.passed))]),
        *_gauge(
            "check_passed", "1 where the check found no error, else 0.",
            [(_label("check", name), int(name not in failed)) for name in report.checks],
        ),
        *_gauge(
            "affected_ratio", "Samples that the check found, as a ratio of those it looked at.",
            [(_label("check", name.removesuffix("_ratio")), value) for name, value in report.metrics.items()],
        ),
        *_gauge("class_samples", "Samples per class.", _counts("class", report.class_counts)),
        *_gauge("split_samples", "Samples per split.", _counts("split", report.split_counts)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _gauge(name: str, text: str, samples: Iterable[tuple[str, int | str]]) -> Iterator[str]:
    full = f"robustcert_data_{name}"
    yield f"# HELP {full} {text}"
    yield f"# TYPE {full} gauge"
    for labels, value in samples:
        yield f"{full}{labels} {value}"


def _counts(label: str, counts: dict[str, int]) -> list[tuple[str, int | str]]:
    return [(_label(label, name), count) for name, count in counts.items()]


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{name}="{escaped}"}}'
