"""robustcert init, check, schema: the specification before anything runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from robustcert.errors import InputError, expected


class Template(StrEnum):
    """What `init` writes a specification for."""

    DIGITS = "digits"
    BREAST_CANCER = "breast-cancer"
    IMAGES = "images"
    TABLE = "table"


class Schema(StrEnum):
    """The documents that have a published JSON Schema."""

    SPECIFICATION = "specification"
    CERTIFICATE = "certificate"
    RUN_RECORD = "run-record"


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Write a commented specification to start from.")(init)
    app.command(short_help="Say what is wrong with a specification, line by line.")(check)
    app.command(short_help="Print the JSON Schema of a document.")(schema)


def init(
    template: Annotated[Template, typer.Option("--for", help="What the specification is for.")] = Template.DIGITS,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output where absent.")] = None,
) -> None:
    """Write a commented specification that passes `robustcert check`."""
    from robustcert.specification_template import template as text_of
    from robustcert.storage.atomic import write_new

    text = text_of(template.value)
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise InputError(expected("a new file", got=f"{out}, which exists", remedy="name another --out"))
    write_new(out, text.encode())
    typer.echo(f"wrote {out}; edit it, then: robustcert check {out}")


def check(specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")]) -> None:
    """Say what is wrong with a specification, each with path and line; exit 2 where it can't run."""
    from robustcert.specification_file import ProblemsError, read_specification

    try:
        loaded = read_specification(specification)
    except ProblemsError as error:
        typer.echo(error.report(), err=True)
        raise typer.Exit(2) from error
    for warning in loaded.warnings:
        typer.echo(str(warning))
    digest = loaded.canonical_sha256
    typer.echo(f"{specification}: valid, {len(loaded.warnings)} warning(s); canonical SHA-256 {digest}")


def schema(document: Annotated[Schema, typer.Argument(help="Which document.")] = Schema.SPECIFICATION) -> None:
    """Print the JSON Schema of a document."""
    from robustcert.certificate import schema as certificate
    from robustcert.provenance import run_record
    from robustcert.specification import schema_json

    texts = {
        Schema.SPECIFICATION: schema_json,
        Schema.CERTIFICATE: certificate.schema_json,
        Schema.RUN_RECORD: run_record.schema_json,
    }
    typer.echo(texts[document](), nl=False)
