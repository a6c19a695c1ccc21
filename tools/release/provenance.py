"""Where a release comes from: an in-toto statement with SLSA's provenance, in a DSSE envelope where there is a key.

Sources: in-toto Statement v1, SLSA provenance v1 (https://slsa.dev/provenance/v1), DSSE 1.0. It is written by whoever
makes the release, on the machine that makes it: by SLSA's levels that is level 1, signed or not.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustcert.certificate.envelope import open_envelope, sign
from robustcert.certificate.keys import SigningKey, VerificationKey
from robustcert.certificate.schema import STATEMENT_TYPE
from robustcert.errors import VerificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_file
from tools.release import checksums

SIGNED = "provenance.dsse.json"
UNSIGNED = "provenance.json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:robustcert:release:v1"
SOURCE = "git+https://github.com/robustcert/robustcert"
LOCKS = ("constraints.txt", "constraints-build.txt")
MOST_BYTES = 1 << 20

Document = dict[str, Any]


def statement(
    folder: Path,
    *,
    version: str,
    digests: Mapping[str, str],
    commit: str,
    epoch: int,
    builder: str,
    checkout: Path,
) -> Document:
    """The statement about every file of `folder`: made from which commit and locks, by whom, with which parameters."""
    locks = [{"name": name, "digest": {"sha256": sha256_file(checkout / name)}} for name in LOCKS]
    source = {"uri": f"{SOURCE}@refs/tags/v{version}", "digest": {"gitCommit": commit}}
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"version": version, "digests": dict(digests)},
        "internalParameters": {"sourceDateEpoch": epoch, "python": platform.python_version()},
        "resolvedDependencies": [source, *locks],
    }
    subjects = [{"name": name, "digest": {"sha256": digest}} for name, digest in _digests(folder).items()]
    predicate = {"buildDefinition": definition, "runDetails": {"builder": {"id": builder}}}
    return {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE, "subject": subjects, "predicate": predicate}


def write(folder: Path, said: Document, *, key: SigningKey | None) -> Path:
    """Writes the statement beside its subjects, signed where there is a key."""
    path = folder / (SIGNED if key else UNSIGNED)
    payload = canonical_json(said)
    path.write_bytes(sign(payload, key) if key else payload + b"\n")
    return path


def verify(folder: Path, *, key: VerificationKey) -> Document:
    """The signed statement in `folder`; VerificationError unless `key` signed it and its subjects are what is there."""
    try:
        with (folder / SIGNED).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        got = error.strerror or "none"
        raise VerificationError(expected(f"{SIGNED} beside the files", got=got, remedy="download it")) from error
    said: Document = json.loads(open_envelope(data, key))
    kinds = (said.get("_type"), said.get("predicateType"))
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise VerificationError(expected(PREDICATE_TYPE, got=str(kinds), remedy="use another file"))
    named = {subject["name"]: subject["digest"]["sha256"] for subject in said["subject"]}
    if named != _digests(folder):
        remedy = "do not use the files"
        raise VerificationError(expected("the files that were signed", got="others", remedy=remedy))
    return said


def _digests(folder: Path) -> dict[str, str]:
    """Digests of SHA256SUMS and of everything that it covers."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in (SIGNED, UNSIGNED))
    assert checksums.FILE in names
    return {name: sha256_file(folder / name) for name in names}
