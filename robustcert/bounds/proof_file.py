"""The file of a proof: JSON lines, the first says what was asked, each other one is a sample's verdict.

Canonical JSON throughout (sorted keys, integers and decimal strings). Rows are appended and flushed to the disk, their
witnesses before them, so that a killed run leaves a valid file; a line that was cut off is dropped on resuming.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from robustcert.bounds.input_set import SetNorm
from robustcert.bounds.verdict import SampleVerdict
from robustcert.document import IssuedPart, Sha256
from robustcert.errors import DataError, InputError, StorageError, expected
from robustcert.evaluation.adversarials import Adversarials, load_adversarials, save_adversarials
from robustcert.provenance.digests import canonical_json
from robustcert.storage.atomic import disk_failure
from robustcert.threat_model import Unit

WITNESSES = "proof/witnesses"
MOST_BYTES = 1 << 32


class ProofHeader(IssuedPart):
    """What was asked; `model` and `dataset` are SHA-256 of the files, `epsilon` and `time_limit` (s) decimals."""

    version: Literal["robustcert-proof/v1"] = "robustcert-proof/v1"
    model: Sha256
    dataset: Sha256
    norm: SetNorm
    epsilon: str
    unit: Unit
    time_limit: str
    steps: int
    restarts: int
    alpha_iterations: int
    seed: int

    def line(self) -> bytes:
        """The file's first line."""
        return canonical_json(self.model_dump(mode="json", by_alias=True)) + b"\n"


class ProofFile:
    """Rows and witnesses on disk; made by `opened`."""

    def __init__(self, path: Path, witnesses: Path, *, done: list[dict[str, Any]]) -> None:
        self.rows = done
        self._path, self._witnesses_path = path, witnesses
        self._witnesses: dict[int, NDArray[np.float32]] = {}
        self._waiting: list[dict[str, Any]] = []

    @property
    def samples(self) -> set[int]:
        """Samples that have a row already."""
        return {int(row["sample"]) for row in self.rows}

    def add(self, verdict: SampleVerdict) -> None:
        """Takes a verdict; it is on disk after `flush`."""
        self._waiting.append(verdict.row())
        if verdict.witness is not None:
            self._witnesses[verdict.sample] = verdict.witness

    def flush(self) -> None:
        """Writes what was added: witnesses first, at once or not at all, then the rows."""
        if any(row["witness"] for row in self._waiting) or not self._witnesses_path.exists():
            self._save_witnesses()
        _append(self._path, b"".join(canonical_json(row) + b"\n" for row in self._waiting))
        self.rows += self._waiting
        self._waiting = []

    def take_witnesses(self, found: Mapping[int, NDArray[np.float32]]) -> None:
        """Witnesses of rows that are there already."""
        self._witnesses |= {sample: witness for sample, witness in found.items() if sample in self.samples}

    def _save_witnesses(self) -> None:
        ids = sorted(self._witnesses)
        points = np.stack([self._witnesses[sample] for sample in ids]) if ids else np.zeros((0, 1), np.float32)
        kept = Adversarials(sample_ids=np.array(ids, np.int64), x_adv=points)
        save_adversarials({WITNESSES: kept}, self._witnesses_path)


def opened(path: Path, *, witnesses: Path, header: ProofHeader) -> ProofFile:
    """The file to go on with, new where there is none; InputError where it answers another question."""
    if not path.exists():
        _append(path, header.line())
        return ProofFile(path, witnesses, done=[])
    found, rows, whole = _read(path)
    if found != header:
        differing = [name for name in ProofHeader.model_fields if getattr(found, name) != getattr(header, name)]
        remedy = "give another --out, or the arguments that the file was begun with"
        raise InputError(
            expected(f"a proof of the same question in {path}", got=f"another {differing[0]}", remedy=remedy)
        )
    os.truncate(path, whole)
    file = ProofFile(path, witnesses, done=rows)
    if witnesses.exists():
        file.take_witnesses(read_witnesses(witnesses))
    return file


def read_proof(path: Path) -> tuple[ProofHeader, list[dict[str, Any]]]:
    """Header and whole rows; DataError where it is no such file."""
    header, rows, _ = _read(path)
    return header, rows


def read_witnesses(path: Path) -> dict[int, NDArray[np.float32]]:
    """Witness (*X) by sample; DataError where it is no such file."""
    found = load_adversarials(path).get(WITNESSES)
    if found is None:
        remedy = "name the file that was written with the proof"
        raise DataError(expected(f"witnesses of a proof in {path.name}", got="others", remedy=remedy))
    return {int(sample): witness for sample, witness in zip(found.sample_ids, found.x_adv, strict=True)}


def _read(path: Path) -> tuple[ProofHeader, list[dict[str, Any]], int]:
    """Header, rows, and the number of bytes that whole lines take."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
        whole = data[: data.rfind(b"\n") + 1]
        first, *others = whole.splitlines() or [b""]
        header = ProofHeader.model_validate_json(first)
        rows = [_row(line) for line in others]
    except OSError as error:
        raise DataError(expected(f"a proof at {path}", got=error.strerror or error, remedy="check the path")) from error
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        got = f"something else ({str(error).splitlines()[0]})"
        raise DataError(expected(f"a proof at {path}", got=got, remedy="give a file written by prove")) from error
    return header, rows, len(whole)


def _row(line: bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line)
    if not isinstance(row["sample"], int) or not isinstance(row["verdict"], str) or not isinstance(row["witness"], str):
        raise TypeError("a row without sample, verdict and witness")
    return row


def _append(path: Path, data: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(disk_failure(error, wanted=f"to write {path.name}", path=path)) from error
