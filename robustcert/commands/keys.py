"""robustcert keys new: the key that signs certificates, and the public half that auditors get."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

PASSPHRASE_VARIABLE = "ROBUSTCERT_KEY_PASSPHRASE"


class Kind(StrEnum):
    """Kinds of signing key."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    keys = typer.Typer(help="Signing keys.", no_args_is_help=True, rich_markup_mode=None)
    keys.command("new")(new)
    keys.command("show")(show)
    app.add_typer(keys, name="keys")


def new(
    path: Annotated[Path, typer.Argument(help="File of the private key; the public key goes to PATH.pub.")],
    kind: Annotated[Kind, typer.Option(help="Signature algorithm.")] = Kind.ED25519,
    passphrase: Annotated[
        str | None,
        typer.Option(envvar=PASSPHRASE_VARIABLE, help="Encrypts the private key; better given by the environment."),
    ] = None,
) -> None:
    """Make a key pair: PATH (mode 600) and PATH.pub. Nothing is ever overwritten."""
    from robustcert.certificate.keys import key_id, load_verification_key, new_key, write_key_pair

    write_key_pair(path, new_key(kind.value), passphrase=None if passphrase is None else passphrase.encode())
    public = path.with_name(path.name + ".pub")
    typer.echo(f"private key {path} (keep it), public key {public} (hand it out)")
    typer.echo(f"key id {key_id(load_verification_key(public))}")


def show(path: Annotated[Path, typer.Argument(help="File of a public key.")]) -> None:
    """Print the id of a public key, to compare with the issuer by another channel."""
    from robustcert.certificate.keys import key_id, load_verification_key

    typer.echo(key_id(load_verification_key(path)))
