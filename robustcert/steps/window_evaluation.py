"""Recertification, steps 2 and 4: a model is evaluated on the window, and the empirical criteria are judged there.

Clean and under the registered suite, on as many rows as the specification attacks (all where the window has fewer).
What comes out is stored before any gate: a claim that no longer holds leaves its evidence.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from robustcert.certificate.evidence import EVALUATION_SCHEMA, evidence_root, read_rows, write_rows
from robustcert.certificate.results import empirical_results, judge_empirical
from robustcert.certificate.schema import EvidencePart, ValidityPart
from robustcert.certificate.window import WindowEvaluation, window_summary, write_window
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.document import rfc3339
from robustcert.evaluation.evaluate import evaluate
from robustcert.evaluation.suites import load_suite
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.report.window_report import NO_WINDOW, window_markdown
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress

STEP = "window_evaluation"


@dataclass(frozen=True, kw_only=True)
class WindowOutcome:
    """Whether every empirical criterion holds on the window (also where none was given), and one line about it."""

    holds: bool
    summary: str


def evaluate_window(
    *,
    specification: str,
    store: str,
    run_token: str,
    run_id: str,
    certificate_sha256: str,
    model: Path,
    window: Path,
    evidence: Path,
    report: Path,
    record: Path,
) -> WindowOutcome:
    """Writes evidence rows, the page for people and the store's document; without a window (an empty file) nothing."""
    with one_line_failures(STEP), tempfile.TemporaryDirectory() as scratch:
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        if window.stat().st_size == 0:
            return _without_window(inputs, evidence=evidence, report=report, record=record)
        validity, data = Path(scratch) / "validity", load_dataset(window)
        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, model=model, window=window),
            outputs={"evidence": evidence, "validity": validity},
            record=record,
            run=lambda: _run(inputs, data, model=model, evidence=evidence, validity=validity),
        )
        found = _judged(
            inputs,
            data,
            run_id=run_id,
            certificate_sha256=certificate_sha256,
            model_sha256=sha256_file(model),
            window_sha256=inputs.store.put_file(window),
            evidence=evidence,
            validity=validity,
        )
        report.write_text(window_markdown(found))
        progress(STEP)(1, 1, write_window(inputs.store, found))
        return WindowOutcome(holds=found.holds, summary=window_summary(found))


def _without_window(inputs: StepInputs, *, evidence: Path, report: Path, record: Path) -> WindowOutcome:
    def run() -> dict[str, object]:
        evidence.write_bytes(b"")
        return {}

    finish_once(inputs, step=STEP, key={"window": None}, outputs={"evidence": evidence}, record=record, run=run)
    report.write_text(NO_WINDOW)
    return WindowOutcome(holds=True, summary="no window was given")


def _key(inputs: StepInputs, *, model: Path, window: Path) -> dict[str, object]:
    part = inputs.loaded.canonical_part
    return {
        "windowSha256": sha256_file(window),
        "modelSha256": sha256_file(model),
        "evaluation": part("evaluation"),
        "suiteSha256": load_suite(inputs.loaded.specification.evaluation.suite).sha256,
        "threatModels": part("threatModels"),
        "seed": inputs.loaded.specification.seed,
        "environment": environment(),
    }


def _run(inputs: StepInputs, window: Dataset, *, model: Path, evidence: Path, validity: Path) -> dict[str, object]:
    written = inputs.loaded.specification
    ids, most = window.sample_ids.tolist(), written.evaluation.samples
    planned = planned_samples(ids, samples=None if most is None else min(most, len(ids)), seed=written.seed)
    loaded = load_model(model, factory=written.model.factory)
    result = evaluate(loaded, window.rows(planned), written, progress=progress(STEP))
    write_rows(result.rows, evidence, schema=EVALUATION_SCHEMA)
    checks = [{"check": check.name, "passed": check.passed, "detail": check.detail} for check in result.validity]
    validity.write_text(json.dumps(checks, indent=1) + "\n")
    return {"valid": result.valid}


def _judged(
    inputs: StepInputs,
    window: Dataset,
    *,
    run_id: str,
    certificate_sha256: str,
    model_sha256: str,
    window_sha256: str,
    evidence: Path,
    validity: Path,
) -> WindowEvaluation:
    written = inputs.loaded.specification
    rows = list(read_rows(evidence, schema=EVALUATION_SCHEMA))
    checks = tuple(ValidityPart(**check) for check in json.loads(validity.read_text()))
    clean, under_attack = empirical_results(written, rows)
    valid = all(check.passed for check in checks)
    criteria = judge_empirical(written, clean, under_attack, valid=valid)
    count, root = evidence_root(rows)
    return WindowEvaluation(
        schema_version="1",
        run_id=run_id,
        name=written.name,
        certificate_sha256=certificate_sha256,
        model_sha256=model_sha256,
        specification_sha256=inputs.loaded.canonical_sha256,
        source=window.card.source,
        source_sha256=window.card.source_sha256,
        window_sha256=window_sha256,
        rows=len(window),
        samples=clean.of,
        class_counts={name: int((window.y == label).sum()) for label, name in enumerate(window.card.classes)},
        suite=written.evaluation.suite,
        suite_sha256=load_suite(written.evaluation.suite).sha256,
        validity=checks,
        valid=valid,
        clean_accuracy=clean,
        accuracy_under_attack=under_attack,
        criteria=criteria,
        holds=all(criterion.met for criterion in criteria),
        evidence=EvidencePart(sha256=sha256_file(evidence), rows=count, merkle_root=root),
        evaluated_at=rfc3339(datetime.now(UTC)),
    )
