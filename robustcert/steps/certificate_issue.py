"""Step 5: evidence is merged, criteria are judged, the certificate is signed, and the bundle goes to the store."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from robustcert.certificate import bundle
from robustcert.certificate.envelope import sign
from robustcert.certificate.evidence import EVALUATION_SCHEMA, certification_schema, evidence_root
from robustcert.certificate.evidence_merge import merge_certification
from robustcert.certificate.issue import IssueFacts, build_statement, payload
from robustcert.certificate.keys import key_id, load_signing_key
from robustcert.certificate.schema import EvidencePart, Predicate, Statement
from robustcert.certificate.smoothing_key import smoothing_key
from robustcert.certificate.stored_rows import StoredRows
from robustcert.data.dataset import load_dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.data.validation import ValidationReport
from robustcert.document import rfc3339
from robustcert.errors import DataError, expected
from robustcert.evaluation.adversarials import load_adversarials
from robustcert.evaluation.suites import load_suite
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.provenance.environment import environment_sha256, joined_environments, source_revision
from robustcert.provenance.run_record import RunRecord, SourceRevision, StepRecord
from robustcert.report.report import render_report
from robustcert.steps import certification
from robustcert.steps.issue_inputs import (
    IssueFiles,
    ValidityFile,
    read_document,
    read_history,
    refuse_foreign,
    refuse_names,
    refuse_taken,
)
from robustcert.steps.step import StepInputs, one_line_failures, open_inputs, progress
from robustcert.storage.store import Store

__all__ = ["IssueFiles", "IssueOutcome", "issue_certificate"]

STEP = "certificate_issue"


@dataclass(frozen=True, kw_only=True)
class IssueOutcome:
    """Whether every criterion is met, and one line that says so."""

    accepted: bool
    summary: str


def issue_certificate(
    *,
    specification: str,
    store: str,
    signing_key: str,
    run_id: str,
    files: IssueFiles,
    passphrase: str | None,
    source_folder: str,
    supersedes: str,
    reason: str,
) -> IssueOutcome:
    """Signs and stores; a rejected model gets a signed record of its rejection, which no verifier accepts."""
    with one_line_failures(STEP), tempfile.TemporaryDirectory() as scratch:
        key = load_signing_key(Path(signing_key), passphrase=passphrase.encode() if passphrase else None)
        inputs = open_inputs(specification=specification, store=store, source_folder=source_folder)
        refuse_names(inputs.store, name=inputs.loaded.specification.name, run_id=run_id, supersedes=supersedes)
        progress(STEP)(0, 3, "merging evidence")
        evidence = Path(scratch) / bundle.CERTIFICATION
        facts = _gather(inputs, files, evidence, run_id=run_id, supersedes=supersedes)
        refuse_foreign(inputs, facts, files)
        refuse_taken(inputs.store, facts)
        statement = build_statement(facts)
        files.certificate.write_bytes(sign(payload(statement), key))
        progress(STEP)(1, 3, "signed")
        files.report.write_text(_report(statement, facts, files, key_identifier=key_id(key.public_key())))
        progress(STEP)(2, 3, "report written")
        _store(inputs, facts, statement, files, evidence, reason=reason)
        progress(STEP)(3, 3, "stored")
        return _outcome(statement.predicate)


def _gather(inputs: StepInputs, files: IssueFiles, evidence: Path, *, run_id: str, supersedes: str) -> IssueFacts:
    written, dataset = inputs.loaded.specification, load_dataset(files.dataset)
    model_sha256, dataset_sha256 = sha256_file(files.model), sha256_file(files.dataset)
    test_ids = dataset.select("test").sample_ids.tolist()
    planned = planned_samples(test_ids, samples=written.certification.samples, seed=written.seed)
    schema = certification_schema(written.certification.method)
    merge_certification(files.shards, evidence, sample_ids=planned, schema=schema)
    certification_rows = StoredRows(evidence, schema=schema)
    evaluation_rows = StoredRows(files.evaluation_evidence, schema=EVALUATION_SCHEMA)
    steps = [read_document(path, StepRecord) for path in files.records]
    data_report = read_document(files.data_report, ValidationReport)
    return IssueFacts(
        loaded=inputs.loaded,
        dataset=dataset,
        dataset_sha256=dataset_sha256,
        data_report_sha256=sha256_file(files.data_report),
        data_warnings=[finding.message for finding in data_report.findings],
        model_card=_model_card(files.model, factory=written.model.factory),
        model_sha256=model_sha256,
        suite=load_suite(written.evaluation.suite),
        validity=read_document(files.validity, ValidityFile).checks,
        evaluation_rows=evaluation_rows,
        evaluation_evidence=_evidence_part(files.evaluation_evidence, evaluation_rows),
        adversarials_sha256=sha256_file(files.adversarials),
        certification_rows=certification_rows,
        certification_evidence=_evidence_part(evidence, certification_rows),
        key0=smoothing_key(inputs.loaded, model_sha256=model_sha256, dataset_sha256=dataset_sha256),
        environment=_certified_in(inputs.store, steps),
        run_id=run_id,
        steps=steps,
        started_at=min(step.started_at for step in steps),
        certified_at=datetime.now(UTC),
        supersedes=[supersedes] if supersedes else [],
    )


def _certified_in(store: Store, steps: Sequence[StepRecord]) -> dict[str, object]:
    """The environment that the shards were certified in, which may not be the one that this step runs in."""
    digests = {step.environment_sha256 for step in steps if step.step == certification.STEP}
    found = [json.loads(store.read_bytes(digest)) for digest in sorted(filter(None, digests))]
    if not found:
        remedy = "give the record of every shard"
        raise DataError(expected("the environment of a certified shard", got="no record of one", remedy=remedy))
    return joined_environments(found)


def _evidence_part(path: Path, rows: StoredRows) -> EvidencePart:
    count, root = evidence_root(rows)
    return EvidencePart(sha256=sha256_file(path), rows=count, merkle_root=root)


def _model_card(model: Path, *, factory: str | None) -> dict[str, object]:
    return load_model(model, factory=factory).card.model_dump(mode="json", by_alias=True)


def _report(statement: Statement, facts: IssueFacts, files: IssueFiles, *, key_identifier: str) -> str:
    return render_report(
        statement.predicate,
        certification_rows=facts.certification_rows,
        evaluation_rows=facts.evaluation_rows,
        dataset=facts.dataset,
        adversarials=load_adversarials(files.adversarials),
        history=read_history(files.history),
        budgets=read_document(files.validity, ValidityFile).budgets,
        certificate_sha256=sha256_file(files.certificate),
        key_id=key_identifier,
    )


def _store(
    inputs: StepInputs, facts: IssueFacts, statement: Statement, files: IssueFiles, evidence: Path, *, reason: str
) -> None:
    certificate = files.certificate.read_bytes()
    stored = bundle.put_files(inputs.store, _bundle_files(files, evidence, model_format=statement.predicate.model.card))
    stored[bundle.SPECIFICATION] = inputs.store.put_bytes(inputs.loaded.text.encode())
    valid_until = datetime.fromisoformat(statement.predicate.not_after)
    name = bundle.certificate_name(sha256_bytes(certificate))
    inputs.store.write_document_once(name, certificate, keep_until=valid_until)
    record = _record(inputs, facts, statement, stored, reason=reason)
    data = record.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
    inputs.store.write_document(bundle.record_name(facts.run_id), data)


def _bundle_files(files: IssueFiles, evidence: Path, *, model_format: dict[str, object]) -> dict[str, Path]:
    return {
        bundle.CERTIFICATE: files.certificate,
        f"model.{model_format['format']}": files.model,
        bundle.DATASET: files.dataset,
        bundle.CERTIFICATION: evidence,
        bundle.EVALUATION: files.evaluation_evidence,
        bundle.ADVERSARIALS: files.adversarials,
        bundle.DATA_REPORT: files.data_report,
        bundle.HISTORY: files.history,
        bundle.VALIDITY: files.validity,
        bundle.REPORT: files.report,
    }


def _record(
    inputs: StepInputs, facts: IssueFacts, statement: Statement, stored: dict[str, str], *, reason: str
) -> RunRecord:
    predicate = statement.predicate
    revision = source_revision(inputs.folder) if inputs.folder != Path() else None
    return RunRecord(
        schema_version="1",
        run_id=facts.run_id,
        name=predicate.name,
        reason=reason,
        outcome=predicate.verdict,
        specification_sha256=facts.loaded.canonical_sha256,
        certificate_sha256=stored[bundle.CERTIFICATE],
        model_sha256=facts.model_sha256,
        data_merkle_root=predicate.data.merkle_root,
        files=stored,
        steps=tuple(facts.steps),
        environment=dict(facts.environment),
        environment_sha256=environment_sha256(dict(facts.environment)),
        source=SourceRevision.model_validate(revision) if revision else None,
        started_at=facts.started_at,
        finished_at=rfc3339(datetime.now(UTC)),
    )


def _outcome(predicate: Predicate) -> IssueOutcome:
    unmet = [
        f"{criterion.metric} {criterion.observed} is not {criterion.comparator} {criterion.threshold}"
        for criterion in predicate.criteria
        if not criterion.met
    ]
    if unmet:
        return IssueOutcome(accepted=False, summary=f"{len(unmet)} criteria not met: {'; '.join(unmet)}")
    return IssueOutcome(accepted=True, summary=f"all {len(predicate.criteria)} criteria met")
