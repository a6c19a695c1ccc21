"""The perturbed inputs that an evaluation found, kept so that an auditor can measure and classify them again.

One safetensors file: for each threat and attack `THREAT/ATTACK/samples`, int64 (R,), and `THREAT/ATTACK/x_adv`, float32
(R, *shape), and one metadata key `robustcert`. Equal sets give equal bytes. No torch here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from robustcert.errors import DataError, StorageError, expected
from robustcert.provenance.digests import canonical_json

METADATA_KEY = "robustcert"
VERSION = "robustcert-adversarials/v1"
SAMPLES, X_ADV = "samples", "x_adv"


@dataclass(frozen=True, kw_only=True)
class Adversarials:
    """sample_ids: int64 (R,); x_adv: float32 (R, *shape), what the model saw in place of each sample."""

    sample_ids: NDArray[np.int64]
    x_adv: NDArray[np.float32]


def save_adversarials(adversarials: Mapping[str, Adversarials], path: Path) -> None:
    """Write the sets, keyed `THREAT/ATTACK`, to `path` at once or not at all; StorageError where the disk refuses."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for key, found in adversarials.items():
        arrays[f"{key}/{SAMPLES}"] = np.ascontiguousarray(found.sample_ids)
        arrays[f"{key}/{X_ADV}"] = np.ascontiguousarray(found.x_adv)
    content = save(arrays, metadata={METADATA_KEY: canonical_json({"version": VERSION}).decode("ascii")})
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        _write(unfinished, content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        what = f"to write the adversarial inputs {path.name!r}"
        raise StorageError(expected(what, got=error.strerror or error, remedy="give a folder with space")) from error


def load_adversarials(path: Path) -> dict[str, Adversarials]:
    """The sets in `path`, keyed `THREAT/ATTACK`; DataError when it is no such file."""
    what = f"a file of adversarial inputs at {path.name!r}"
    remedy = "use the file of the certificate's bundle"
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    except OSError as error:
        raise DataError(expected(what, got=error.strerror or error, remedy="name a readable file")) from error
    except SafetensorError as error:
        raise DataError(expected(what, got=f"something else ({str(error).splitlines()[0]})", remedy=remedy)) from error
    if VERSION not in metadata.get(METADATA_KEY, ""):
        raise DataError(expected(what, got="another safetensors file", remedy=remedy))
    return _sets(arrays, what=what, remedy=remedy)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sets(arrays: Mapping[str, NDArray[np.generic]], *, what: str, remedy: str) -> dict[str, Adversarials]:
    found: dict[str, Adversarials] = {}
    for key in sorted({name.rpartition("/")[0] for name in arrays}):
        sample_ids, x_adv = arrays.get(f"{key}/{SAMPLES}"), arrays.get(f"{key}/{X_ADV}")
        if not _fit(sample_ids, x_adv):
            got = f"arrays of {key!r} that do not fit together"
            raise DataError(expected(what, got=got, remedy=remedy))
        assert sample_ids is not None
        assert x_adv is not None
        found[key] = Adversarials(sample_ids=sample_ids.astype(np.int64), x_adv=x_adv.astype(np.float32))
    return found


def _fit(sample_ids: NDArray[np.generic] | None, x_adv: NDArray[np.generic] | None) -> bool:
    if sample_ids is None or x_adv is None:
        return False
    typed = sample_ids.dtype == np.int64 and x_adv.dtype == np.float32
    return typed and sample_ids.ndim == 1 and x_adv.ndim > 1 and len(sample_ids) == len(x_adv)
