"""robustcert status, suspend, reinstate, revoke: whether a certificate counts now, and saying that it does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from robustcert.certificate.keys import VerificationKey
    from robustcert.certificate.status import Status, StatusPredicate

CertificateArgument = Annotated[
    str, typer.Argument(help="SHA-256 of the certificate, its first 8 digits or more, or its published name.")
]
StoreOption = Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store that holds it.")]
KeyOption = Annotated[Path, typer.Option(help="Private key that signs the statement.")]
ReasonOption = Annotated[str, typer.Option(help="A code, such as key-compromise, drift, repaired.")]
CauseOption = Annotated[str, typer.Option(help="Why, in a sentence; it is signed and shown to whoever verifies.")]
TrustedOption = Annotated[
    Path | None,
    typer.Option(help="Public key, or a folder of them, that earlier statements may be signed by; else --key's own."),
]
EvidenceOption = Annotated[
    list[str] | None, typer.Option(help="SHA-256 or name of a document that shows it; give it once for each.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Show whether a certificate is suspended or revoked.")(status)
    app.command(short_help="Suspend a certificate until it is reinstated.")(suspend)
    app.command(short_help="Reinstate a suspended certificate.")(reinstate)
    app.command(short_help="Revoke a certificate for ever.")(revoke)


def status(
    certificate: CertificateArgument,
    trusted_keys: Annotated[Path, typer.Option(help="Public key of who may speak about it, or a folder of them.")],
    store: StoreOption = "store",
) -> None:
    """Print every change of a certificate's status; exit status 1 where it is suspended, revoked or expired."""
    from datetime import UTC, datetime

    from robustcert.certificate.bundle import certificate_name
    from robustcert.certificate.certified import find_certificate
    from robustcert.certificate.status import not_after_of, read_statuses, status_in_force
    from robustcert.certificate.trust import load_trusted_keys
    from robustcert.document import rfc3339
    from robustcert.storage.store import open_store

    keys, opened = load_trusted_keys(trusted_keys), open_store(store)
    sha256 = find_certificate(opened, certificate).certificate_sha256
    chain = read_statuses(opened, sha256, keys=keys)
    for change in chain:
        typer.echo(_line(change))
    found, end = status_in_force(chain), not_after_of(opened.read_document(certificate_name(sha256)) or b"")
    if found != "revoked" and end <= datetime.now(UTC):
        typer.echo(f"{sha256}: expired at {rfc3339(end)}")
        raise typer.Exit(1)
    typer.echo(f"{sha256}: {found}")
    if found != "active":
        raise typer.Exit(1)


def suspend(
    certificate: CertificateArgument,
    key: KeyOption,
    cause: CauseOption,
    reason: ReasonOption = "incident",
    store: StoreOption = "store",
    evidence: EvidenceOption = None,
    trusted_keys: TrustedOption = None,
) -> None:
    """Say, signed, that a certificate does not count for now: `verify --statuses` and the exporter honour it."""
    _change("suspended", certificate, key, cause, reason, store, evidence, trusted_keys)


def reinstate(
    certificate: CertificateArgument,
    key: KeyOption,
    cause: CauseOption,
    reason: ReasonOption = "repaired",
    store: StoreOption = "store",
    evidence: EvidenceOption = None,
    trusted_keys: TrustedOption = None,
) -> None:
    """Say, signed, that a suspended certificate counts again until it ends."""
    _change("active", certificate, key, cause, reason, store, evidence, trusted_keys)


def revoke(
    certificate: CertificateArgument,
    key: KeyOption,
    cause: CauseOption,
    reason: ReasonOption = "incident",
    store: StoreOption = "store",
    evidence: EvidenceOption = None,
    trusted_keys: TrustedOption = None,
) -> None:
    """Say, signed, that a certificate never counts again. This is final; the model can be certified anew."""
    _change("revoked", certificate, key, cause, reason, store, evidence, trusted_keys)


def _change(
    status: Status,
    certificate: str,
    key: Path,
    cause: str,
    reason: str,
    store: str,
    evidence: list[str] | None,
    trusted_keys: Path | None,
) -> None:
    from datetime import UTC, datetime

    from robustcert.certificate.bundle import certificate_name
    from robustcert.certificate.certified import find_certificate
    from robustcert.certificate.keys import key_id, load_signing_key
    from robustcert.certificate.status import StatusChange, write_status
    from robustcert.commands.keys import PASSPHRASE_VARIABLE
    from robustcert.storage.store import open_store

    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    signing_key = load_signing_key(key, passphrase=passphrase.encode() if passphrase else None)
    opened = open_store(store)
    sha256 = find_certificate(opened, certificate).certificate_sha256
    change = StatusChange(
        status=status,
        reason=reason,
        cause=cause,
        evidence=tuple(evidence or ()),
        decided_by=f"key {key_id(signing_key.public_key())[:12]}, by hand",
    )
    keys = (signing_key.public_key(), *_trusted(trusted_keys))
    found = opened.read_document(certificate_name(sha256)) or b""
    written = write_status(opened, found, change, key=signing_key, keys=keys, now=datetime.now(UTC))
    typer.echo(_line(written))
    if (written.reason, written.cause, written.evidence) != (reason, cause.strip(), change.evidence):
        typer.echo(f"it was {status} already: nothing was written", err=True)


def _trusted(path: Path | None) -> tuple[VerificationKey, ...]:
    from robustcert.certificate.trust import load_trusted_keys

    return () if path is None else load_trusted_keys(path)


def _line(change: StatusPredicate) -> str:
    from robustcert.certificate.status import printable

    where = f"certificate {change.certificate_sha256[:12]} of {change.name}"
    said = f"{printable(change.cause)}  ({printable(change.decided_by)})"
    return f"{change.decided_at}  {change.status:<9}  {where}  {change.reason}: {said}"
