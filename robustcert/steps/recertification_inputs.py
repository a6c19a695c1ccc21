"""Recertification, step 1: the certificate is opened in the store, and the window is held to the contract.

Specification, data and model are those of the certificate, byte for byte; nothing is read from where they once came.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from robustcert.certificate import bundle
from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.certificate.keys import VerificationKey, load_verification_key
from robustcert.data.contract import contract_of, provenance_of
from robustcert.data.dataset import load_dataset, save_dataset
from robustcert.data.validation import ValidationReport
from robustcert.data.window import read_window, seen_in_training, validate_window, window_on_grid
from robustcert.errors import DataError, expected
from robustcert.provenance.environment import code_sha256
from robustcert.specification import Data
from robustcert.specification_file import recorded_specification
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress
from robustcert.storage.store import Store, open_store

STEP = "recertification_inputs"
NO_WINDOW = b""


@dataclass(frozen=True, kw_only=True)
class RecertificationFiles:
    """Where the parts of the certificate go, and the window on its grid (an empty file where none was given)."""

    dataset: Path
    report: Path
    model: Path
    history: Path
    window: Path
    window_report: Path
    record: Path


@dataclass(frozen=True, kw_only=True)
class RecertificationInputs:
    """What the other steps go on with; `passed` and `summary` are about the window's contract."""

    specification: str
    certificate_sha256: str
    run_id: str
    run_token: str
    reason: str
    passed: bool
    summary: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who is to be certified again, why, and on which window besides; empty texts where there is none.

    `trusted_key` is a public key, as PEM text or as the path of a file.
    """

    certificate: str
    reason: str
    trusted_key: str
    window_uri: str
    window_sha256: str
    run_id: str
    run_token: str


def open_recertification(*, store: str, request: Request, files: RecertificationFiles) -> RecertificationInputs:
    """Writes the certificate's parts and the window; a window off its contract is an outcome, not an error."""
    with one_line_failures(STEP):
        opened = open_store(store)
        progress(STEP)(0, 3, "opening the certificate")
        record = find_certificate(opened, request.certificate)
        certified = open_certified(opened, record, trusted=_trusted(request.trusted_key))
        data = _data(certified)
        _refuse_expired_approvals(data, today=datetime.now(UTC).date())
        specification = opened.uri_of(certified.files[bundle.SPECIFICATION])
        token = request.run_token or request.run_id
        inputs = open_inputs(specification=specification, store=store, run_token=token)
        _take_out(inputs, certified, files)
        progress(STEP)(1, 3, f"certificate {certified.sha256[:12]}, {certified.signature}")
        found = _window(data, request, files)
        _keep(opened, found, files)
        progress(STEP)(3, 3, _summary(found))
        return RecertificationInputs(
            specification=specification,
            certificate_sha256=certified.sha256,
            run_id=request.run_id,
            run_token=token,
            reason=f"recertification of {certified.sha256[:12]} ({certified.signature}): {request.reason}",
            passed=found is None or found.passed,
            summary=_summary(found),
        )


def _trusted(key: str) -> VerificationKey | None:
    if not key.startswith("-----BEGIN"):
        return load_verification_key(Path(key)) if key else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trusted_key"
        path.write_text(key)
        return load_verification_key(path)


def _data(certified: Certified) -> Data:
    text = certified.predicate.specification.text
    return recorded_specification(text, name="the certificate's specification").specification.data


def _refuse_expired_approvals(data: Data, *, today: date) -> None:
    """DataError where an approval to use the data has ended since: a new certificate would rest on it."""
    for approval in provenance_of(data).approvals:
        if date.fromisoformat(approval.expires) < today:
            got = f"approval {approval.id!r} that expired {approval.expires}"
            remedy = "have it renewed, register it in a new specification, and run that"
            raise DataError(expected(f"approvals that are current on {today}", got=got, remedy=remedy))


def _take_out(inputs: StepInputs, certified: Certified, files: RecertificationFiles) -> None:
    """Writes the certificate's parts and the record; the finished-step document says if the signature was checked."""
    finish_once(
        inputs,
        step=STEP,
        key={"certificateSha256": certified.sha256, "signature": certified.signature, "code": code_sha256()},
        outputs={"dataset": files.dataset, "report": files.report, "model": files.model, "history": files.history},
        record=files.record,
        run=lambda: _fetch(inputs.store, certified, files),
    )


def _fetch(store: Store, certified: Certified, files: RecertificationFiles) -> dict[str, object]:
    store.fetch(certified.files[bundle.DATASET], files.dataset)
    store.fetch(certified.files[bundle.DATA_REPORT], files.report)
    store.fetch(certified.files[certified.model], files.model)
    if bundle.HISTORY in certified.files:
        store.fetch(certified.files[bundle.HISTORY], files.history)
    else:
        files.history.write_text("[]\n")
    return {}


def _window(data: Data, request: Request, files: RecertificationFiles) -> ValidationReport | None:
    """What validation found; the window is written where it passed, and an empty file in every other case."""
    files.window.write_bytes(NO_WINDOW)
    if not request.window_uri:
        files.window_report.write_text("{}\n")
        return None
    progress(STEP)(2, 3, f"reading the window {Path(request.window_uri.partition('?')[0]).name}")
    raw = read_window(data, request.window_uri, sha256=request.window_sha256)
    found = validate_window(data, raw, today=datetime.now(UTC).date())
    if found.passed:
        certified = load_dataset(files.dataset)
        window = window_on_grid(raw, data=data, certified=certified)
        leak = seen_in_training(window, certified, allowed=contract_of(data).maximum_leaked_fraction)
        if leak is None:
            save_dataset(window, files.window)
        else:
            found = found.model_copy(update={"passed": False, "findings": (*found.findings, leak)})
    files.window_report.write_text(found.model_dump_json(by_alias=True, indent=2) + "\n")
    return found


def _keep(store: Store, found: ValidationReport | None, files: RecertificationFiles) -> None:
    if found is not None:
        store.put_file(files.window_report)


def _summary(found: ValidationReport | None) -> str:
    if found is None:
        return "no window was given"
    errors = [finding.message for finding in found.findings if finding.severity == "error"]
    if errors:
        return f"the window breaks the contract with {len(errors)} error(s): {errors[0]}"
    return f"the window keeps the contract with {len(found.findings)} warning(s)"
