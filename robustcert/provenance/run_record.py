"""The run record: one JSON document per run, under 100 kB, that links certificate, model, data, steps and environment.

A run whose criteria were not met leaves one too. The store keeps it at
`runs/<run id>/record.json`; `run_record.v1.schema.json` describes it.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from robustcert.document import IssuedPart, Sha256, Timestamp

SCHEMA_ID = "urn:robustcert:run-record:v1:schema"


class StepRecord(IssuedPart):
    """One step: digest of its inputs, digests of its outputs, and what it cost (0 where it was reused).

    `environment_sha256` is the store's object with the environment that its outputs depend on; absent where on none.
    GPU time is the step's wall time on each of its GPUs, busy or not; absent from older records.
    """

    step: str
    key: Sha256
    reused: bool
    started_at: Timestamp
    finished_at: Timestamp
    wall_milliseconds: Annotated[int, Field(ge=0)]
    cpu_milliseconds: Annotated[int, Field(ge=0)]
    peak_memory_bytes: Annotated[int, Field(ge=0)]
    gpu_milliseconds: Annotated[int, Field(ge=0)] | None = None
    gpu_peak_memory_bytes: Annotated[int, Field(ge=0)] | None = None
    outputs: dict[str, Sha256]
    environment_sha256: Sha256 | None = None


class SourceRevision(IssuedPart):
    """Commit of the work tree that held the specification, and whether it had uncommitted changes."""

    commit: str
    dirty: bool


class RunRecord(IssuedPart):
    """One run that reached its verdict, accepted or rejected."""

    schema_version: Literal["1"]
    run_id: str
    name: str
    reason: str
    outcome: Literal["accepted", "rejected"]
    specification_sha256: Sha256
    certificate_sha256: Sha256
    model_sha256: Sha256
    data_merkle_root: Sha256
    files: dict[str, Sha256]
    steps: tuple[StepRecord, ...]
    environment: dict[str, object]
    environment_sha256: Sha256
    source: SourceRevision | None
    started_at: Timestamp
    finished_at: Timestamp


def schema_json() -> str:
    """JSON Schema 2020-12 of the run record, as committed in run_record.v1.schema.json."""
    schema = RunRecord.model_json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
