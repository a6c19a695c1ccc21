"""robustcert recertify: tests a certified model again, and replaces its certificate where the claim still holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.certificate.window import WindowEvaluation
    from robustcert.commands.recertification_run import RecertificationOrder


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Test a certified model again.")(recertify)


def recertify(
    certificate: Annotated[
        str, typer.Argument(help="SHA-256 of the certificate, its first 8 digits or more, or its published name.")
    ],
    key: Annotated[Path, typer.Option(help="Private key that signs the new certificate.")],
    reason: Annotated[str, typer.Option(help="Why it is certified again; kept in the run record.")],
    store: Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store that holds it.")] = "store",
    window: Annotated[
        str, typer.Option(help="Labelled rows of production data: .npz, .csv or .parquet, a path or s3://.")
    ] = "",
    window_sha256: Annotated[
        str, typer.Option(help="SHA-256 that the window must have; needed for s3://, computed for a path.")
    ] = "",
    trusted_key: Annotated[
        Path | None, typer.Option(help="Public key that must have signed the old certificate.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; out/<name> where absent.")] = None,
    shards: Annotated[int, typer.Option(min=1, max=1000, help="Parts that certification is cut into.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Worker processes per shard; all cores where absent.")
    ] = None,
    run_token: Annotated[
        str, typer.Option(help="Any text that every step is keyed by; the run's id where absent.")
    ] = "",
) -> None:
    """Attack and certify a certified model again, on the window too; its new certificate supersedes the old one.

    Exit status 1 means that the claim no longer holds: on the window (then no certificate is made), or on the certified
    test data (then the rejection is signed). Nothing is deployed, and no model is trained unless the specification
    says `recertification: {retrain: allowed}`.
    """
    from robustcert.certificate.certified import find_certificate, open_certified
    from robustcert.certificate.keys import load_signing_key, load_verification_key
    from robustcert.commands.keys import PASSPHRASE_VARIABLE
    from robustcert.commands.pipeline_run import absolute
    from robustcert.commands.recertification_run import RecertificationOrder
    from robustcert.extras import require_modules
    from robustcert.storage.store import open_store

    require_modules("torch", "sklearn", "jinja2", "PIL", "kfp")
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    load_signing_key(key, passphrase=passphrase.encode() if passphrase else None)
    opened = open_store(absolute(store))
    trusted = None if trusted_key is None else load_verification_key(trusted_key)
    certified = open_certified(opened, find_certificate(opened, certificate), trusted=trusted)
    place, digest = _window(window, window_sha256)
    order = RecertificationOrder(
        certificate_sha256=certified.sha256,
        store=opened,
        key=key,
        target=out or Path("out") / certified.predicate.name,
        shards=shards,
        workers=workers or os.cpu_count() or 1,
        reason=reason,
        run_token=run_token,
        trusted_key="" if trusted_key is None else str(trusted_key.resolve()),
        window=place,
        window_sha256=digest,
    )
    _run_and_show(order, console=plain_console())


def _run_and_show(order: RecertificationOrder, *, console: Console) -> None:
    from robustcert.certificate.window import windows_of
    from robustcert.commands.recertification_run import exported, run_recertification
    from robustcert.commands.run import show

    run_id, refusal = run_recertification(order, console=console)
    for found in windows_of(order.store, run_id):
        _show_window(found, console)
    record = exported(order, run_id)
    if record is not None:
        show(record, order.target, console)
        console.print(f"supersedes   {order.certificate_sha256}", highlight=False)
    if refusal is not None:
        raise refusal


def _show_window(found: WindowEvaluation, console: Console) -> None:
    from robustcert.certificate.window import window_summary

    verdict = "HOLDS" if found.holds else "DOES NOT HOLD"
    console.print(
        f"window       {verdict} for model {found.model_sha256[:12]}: {window_summary(found)}", highlight=False
    )


def _window(window: str, sha256: str) -> tuple[str, str]:
    """Place and digest of the window; InputError where a digest is missing or stands alone."""
    from robustcert.provenance.digests import sha256_file

    if not window:
        if sha256:
            raise InputError(expected("--window with --window-sha256", got="the digest alone", remedy="name the file"))
        return "", ""
    if window.startswith("s3://"):
        if not sha256:
            raise InputError(expected("--window-sha256 for s3://", got="none", remedy="give the digest of the object"))
        return window, sha256
    path = Path(window)
    if not path.is_file():
        raise InputError(expected("a window's file", got=f"{window!r}, which is none", remedy="check the name"))
    return str(path.resolve()), sha256 or sha256_file(path)
