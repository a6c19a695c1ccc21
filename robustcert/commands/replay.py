"""The whole run again, from the specification in a certificate, compared with what was certified."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from robustcert.certificate.bundle import CERTIFICATE, files_in
from robustcert.certificate.keys import load_signing_key, load_verification_key
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import PublicKey, read_statement
from robustcert.commands.keys import PASSPHRASE_VARIABLE
from robustcert.commands.pipeline_run import RunOrder, run_to_bundle
from robustcert.commands.plain_console import plain_console
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import open_store

TIMES_AND_RUN = ("certified_at", "not_after", "run", "supersedes")


def repeat(bundle: Path, *, key: Path, signing_key: Path, out: Path, source_folder: Path | None) -> list[str]:
    """Names of the predicate's fields in which the repetition differs; empty when it equals the certificate."""
    own_key = _own_key(signing_key)
    recorded = read_statement(files_in(bundle).certificate.read_bytes(), key=load_verification_key(key)).predicate
    loaded = recorded_specification(recorded.specification.text, name="the certificate's specification")
    order = RunOrder(
        loaded=loaded,
        store=open_store(str((out / "store").resolve())),
        key=signing_key,
        source_folder=(source_folder or bundle).resolve(),
        target=out / "bundle",
        shards=1,
        workers=os.cpu_count() or 1,
        reason=f"replay of {recorded.run.id} at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    run_to_bundle(order, console=plain_console())
    repeated = read_statement((order.target / CERTIFICATE).read_bytes(), key=own_key).predicate
    return differences(recorded, repeated)


def differences(one: Predicate, other: Predicate) -> list[str]:
    """Fields that differ, times and run aside."""
    fields = [field for field in Predicate.model_fields if field not in TIMES_AND_RUN]
    return [field for field in fields if getattr(one, field) != getattr(other, field)]


def _own_key(signing_key: Path) -> PublicKey:
    """Its public half; KeyFileError before anything runs where the key can't sign."""
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    return load_signing_key(signing_key, passphrase=passphrase.encode() if passphrase else None).public_key()
