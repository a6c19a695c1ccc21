"""What a certificate is issued from: read with one line per defect, and proven to belong together.

An evidence row names no model. So each file must be an output in the record of a step, and that step's inputs, which
the store keeps under the record's key, must name the data set, the model and the registered parts of this certificate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from robustcert.certificate import bundle
from robustcert.certificate.issue import IssueFacts
from robustcert.certificate.published import unverified_statement
from robustcert.certificate.schema import ValidityPart
from robustcert.document import IssuedPart
from robustcert.errors import DataError, InputError, expected
from robustcert.provenance.digests import canonical_json, sha256_file
from robustcert.provenance.run_record import StepRecord
from robustcert.steps.step import StepInputs
from robustcert.storage.addresses import document_name, object_name
from robustcert.storage.finished_steps import document_of, parse_finished, step_key
from robustcert.storage.store import Store

REMEDY = "give the files and records of one run"
PARTS = ("data", "model", "training", "threatModels", "evaluation", "certification")

# Which steps may have made what.
DATA = ("data_validation", "recertification_inputs")
MODEL = ("adversarial_training", "model_import", "recertification_model")
EVALUATION = ("robustness_evaluation",)
CERTIFICATION = ("certification",)

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class IssueFiles:
    """What the steps before wrote, and where certificate and report go."""

    dataset: Path
    data_report: Path
    model: Path
    history: Path
    evaluation_evidence: Path
    adversarials: Path
    validity: Path
    shards: Sequence[Path]
    records: Sequence[Path]
    certificate: Path
    report: Path


class ValidityFile(IssuedPart):
    """What the evaluation says about itself; a budget is counts by attack and epsilon."""

    checks: tuple[ValidityPart, ...]
    budgets: list[dict[str, Any]]


def read_document(path: Path, kind: type[Document]) -> Document:
    """The document of that kind in a file; DataError where it holds another."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        got = f"another document ({error.errors()[0]['msg']})"
        raise DataError(expected(f"a {kind.__name__} in {path.name}", got=got, remedy=REMEDY)) from error


def read_history(path: Path) -> list[Any]:
    """Losses and accuracies per epoch; DataError where the file holds no JSON list."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise DataError(expected(f"a JSON list in {path.name}", got="something else", remedy=REMEDY))
    return found


def refuse_names(store: Store, *, name: str, run_id: str, supersedes: str) -> None:
    """InputError for a run id that no record can bear, or for a superseded certificate that is none of this name."""
    if "/" in run_id:
        raise InputError(expected("a run id without '/'", got=repr(run_id[:80]), remedy="name the run otherwise"))
    document_name(bundle.record_name(run_id))
    if not supersedes:
        return
    object_name(supersedes)
    data = store.read_document(bundle.certificate_name(supersedes))
    if data is not None and (other := unverified_statement(data).predicate.name) != name:
        remedy = "leave supersedes out, or name a certificate of this specification"
        raise InputError(expected(f"a certificate of {name!r} to supersede", got=f"one of {other!r}", remedy=remedy))


def refuse_taken(store: Store, facts: IssueFacts) -> None:
    """InputError where that run's record is about something else: it would be replaced, and its certificate lost.

    A run that is tried again may replace its own.
    """
    if store.read_document(bundle.record_name(facts.run_id)) is None:
        return
    record = bundle.read_record(store, facts.run_id)
    own = (facts.loaded.specification.name, facts.loaded.canonical_sha256, facts.model_sha256)
    found = (record.name, record.specification_sha256, record.model_sha256)
    if found != own or record.certificate_sha256 in facts.supersedes:
        got = f"run {facts.run_id!r} of {record.name!r}, finished {record.finished_at}"
        raise InputError(expected("a run id that is not taken", got=got, remedy="name the run otherwise"))


def refuse_foreign(inputs: StepInputs, facts: IssueFacts, files: IssueFiles) -> None:
    """DataError unless the steps of the records made every file, from one another's and for this specification."""
    for path, output, makers in _made(files):
        sha256 = sha256_file(path)
        if not any(record.step in makers and record.outputs.get(output) == sha256 for record in facts.steps):
            what = f"{path.name} to be the '{output}' of {' or '.join(makers)}"
            raise DataError(expected(what, got="a file that none of the records names", remedy=REMEDY))
    wanted = {
        **{part: facts.loaded.canonical_part(part) for part in PARTS},
        "seed": facts.loaded.specification.seed,
        "datasetSha256": facts.dataset_sha256,
        "modelSha256": facts.model_sha256,
        "reportSha256": facts.data_report_sha256,
        "suiteSha256": facts.suite.sha256,
    }
    for record in facts.steps:
        _refuse_other(record, _inputs_of(inputs.store, record), wanted)


def _made(files: IssueFiles) -> Iterator[tuple[Path, str, Sequence[str]]]:
    """Each file, with the output that it must be and the steps that may have made it."""
    yield files.dataset, "dataset", DATA
    yield files.model, "model", MODEL
    yield files.history, "history", MODEL
    yield files.evaluation_evidence, "evidence", EVALUATION
    yield files.adversarials, "adversarials", EVALUATION
    yield files.validity, "validity", EVALUATION
    for shard in files.shards:
        yield shard, "evidence", CERTIFICATION


def _inputs_of(store: Store, record: StepRecord) -> Mapping[str, object]:
    data = store.read_document(document_of(record.step, record.key))
    finished = parse_finished(data) if data is not None else None
    if finished is None or step_key(record.step, finished.inputs) != record.key:
        what = f"the finished step {record.step} {record.key[:12]} in the store"
        raise DataError(expected(what, got="none there", remedy="use the store that the steps used"))
    return finished.inputs


def _refuse_other(record: StepRecord, inputs: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    named = {**inputs, "reportSha256": record.outputs["report"]} if "report" in record.outputs else inputs
    other = [name for name in wanted if name in named and canonical_json(named[name]) != canonical_json(wanted[name])]
    if other:
        what = f"step {record.step} of this run"
        raise DataError(expected(what, got=f"one with another {' and '.join(other)}", remedy=REMEDY))
