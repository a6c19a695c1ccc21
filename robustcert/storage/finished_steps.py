"""Steps that are run once: what a step made is kept under the digest of its inputs and taken from there ever after.

The outputs are stored as objects first; the document `steps/<step>/<key>.json` that names them is written last. So a
kill at any moment leaves either no document or one whose objects are all there. Whatever is damaged is made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from robustcert.document import IssuedPart, Sha256, Timestamp
from robustcert.errors import StepError, StorageError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.addresses import DamagedError
from robustcert.storage.atomic import disk_failure, make_folder
from robustcert.storage.store import Store

CHECKSUM = "checksum"


class FinishedStep(IssuedPart):
    """The document of a finished step. Its `checksum` is the SHA-256 of the canonical JSON of all other fields."""

    schema_version: Literal["1"]
    step: str
    key: Sha256
    inputs: dict[str, object]
    values: dict[str, object]
    outputs: dict[str, Sha256]
    finished_at: Timestamp
    checksum: Sha256


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What a step returned (`values`) and wrote (`digests`: output name -> SHA-256), and whether it ran just now."""

    key: str
    values: Mapping[str, Any]
    digests: Mapping[str, str]
    reused: bool
    finished_at: str


def once(
    store: Store,
    *,
    step: str,
    inputs: Mapping[str, object],
    outputs: Mapping[str, Path],
    run: Callable[[], Mapping[str, object]],
    clock: Callable[[], datetime],
) -> StepOutcome:
    """Has the files `outputs` made by `run`, or fetches them when the store holds them for the same `inputs`.

    `inputs` and what `run` returns are JSON without floats (TypeError otherwise). StepError when `run` leaves an output
    unwritten; StorageError when the store fails; what `run` raises is passed on, and nothing is recorded then.
    """
    key = step_key(step, inputs)
    finished = _reusable(store, step, key, outputs)
    if finished is not None:
        return _outcome(finished, reused=True)
    values = _run(run, step=step, outputs=outputs)
    fields = {
        "schemaVersion": "1",
        "step": step,
        "key": key,
        "inputs": dict(inputs),
        "values": dict(values),
        "outputs": {name: store.put_file(path) for name, path in outputs.items()},
        "finishedAt": clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    document = canonical_json({**fields, CHECKSUM: sha256_bytes(canonical_json(fields))})
    store.write_document(document_of(step, key), document)
    return _outcome(FinishedStep.model_validate_json(document), reused=False)


def step_key(step: str, inputs: Mapping[str, object]) -> str:
    """SHA-256 of the canonical JSON of the step's name and inputs.

    >>> step_key("certification", {"n": 100})[:8]
    '61d11dfa'
    """
    return sha256_bytes(canonical_json({"step": step, "inputs": dict(inputs)}))


def document_of(step: str, key: str) -> str:
    """Name of the document that records a finished step."""
    return f"steps/{step}/{key}.json"


def parse_finished(data: bytes) -> FinishedStep | None:
    """The finished step that a document records, or None when it is damaged or of an unknown version."""
    try:
        fields = json.loads(data)
        checksum = fields.pop(CHECKSUM)
        if sha256_bytes(canonical_json(fields)) != checksum:
            return None
        return FinishedStep.model_validate({**fields, CHECKSUM: checksum})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _reusable(store: Store, step: str, key: str, outputs: Mapping[str, Path]) -> FinishedStep | None:
    document = _readable(store, document_of(step, key))
    finished = parse_finished(document) if document is not None else None
    if finished is None or (finished.step, finished.key, set(finished.outputs)) != (step, key, set(outputs)):
        return None
    return finished if all(_fetched(store, finished.outputs[name], path) for name, path in outputs.items()) else None


def _readable(store: Store, name: str) -> bytes | None:
    with suppress(DamagedError):
        return store.read_document(name)
    return None


def _fetched(store: Store, sha256: str, target: Path) -> bool:
    try:
        store.fetch(sha256, target)
    except StorageError:
        if not store.intact(sha256):
            return False
        store.fetch(sha256, target)  # made again by another run meanwhile, or else the target is at fault
    return True


def _run(run: Callable[[], Mapping[str, object]], *, step: str, outputs: Mapping[str, Path]) -> Mapping[str, object]:
    for path in outputs.values():
        _clear(path)
    values = run()
    for name, path in outputs.items():
        if not path.is_file():
            remedy = "see the step's log"
            raise StepError(expected(f"step '{step}' to write its output '{name}'", got="no such file", remedy=remedy))
    return values


def _clear(path: Path) -> None:
    """Makes room for an output, so that a file of an earlier run is never taken for one of this run."""
    try:
        make_folder(path.parent)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="room for an output", path=path)) from error


def _outcome(finished: FinishedStep, *, reused: bool) -> StepOutcome:
    return StepOutcome(
        key=finished.key,
        values=finished.values,
        digests=finished.outputs,
        reused=reused,
        finished_at=finished.finished_at,
    )
