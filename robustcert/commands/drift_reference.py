"""robustcert drift-reference: the bins that a serving process counts in, from a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustcert.commands.store import StoreOption


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("drift-reference", short_help="Write the bins that a serving process counts in.")(drift_reference)


def drift_reference(
    certificate: Annotated[str, typer.Argument(help="SHA-256 of the certificate, 8 digits of it, or published name.")],
    store: StoreOption = "store",
    trusted_key: Annotated[
        Path | None, typer.Option(help="Public key of the issuer; without it no signature is checked.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for a copy of the reference.")] = None,
    factory: Annotated[str | None, typer.Option(help="package.module:function of a model that has one.")] = None,
) -> None:
    """Make the drift reference of a certificate, put it into the store, and print its digest.

    It is a pure function of the certificate and the files that it names: made again, it has the same digest.
    """
    from robustcert.certificate.certified import find_certificate, open_certified
    from robustcert.certificate.keys import load_verification_key
    from robustcert.drift.reference import build_reference
    from robustcert.extras import require_modules
    from robustcert.storage.atomic import write_whole
    from robustcert.storage.store import open_store

    require_modules("torch")
    opened = open_store(store)
    trusted = None if trusted_key is None else load_verification_key(trusted_key)
    certified = open_certified(opened, find_certificate(opened, certificate), trusted=trusted)
    reference = build_reference(opened, certified, factory=factory)
    sha256 = opened.put_bytes(reference.to_json())
    if out is not None:
        write_whole(out, reference.to_json())
    typer.echo(f"{sha256}: drift reference of {certified.sha256[:12]} ({certified.signature}), {reference.rows} rows")
