"""robustcert export-bundle, inventory, lineage, replay: what a store knows, and taking it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustcert.errors import ClaimError

StoreOption = Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("export-bundle", short_help="Write all that verifying and replaying needs.")(export)
    app.command(short_help="List models and every run that tested them.")(inventory)
    app.command(short_help="Export the graph certificate, run, model, data.")(lineage)
    app.command(short_help="Repeat a whole run and compare.")(replay)


def export(
    certificate: Annotated[str, typer.Argument(help="SHA-256 of the certificate, or its first 8 digits or more.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")],
    store: StoreOption = "store",
) -> None:
    """Write the replication package of a certificate: everything that verifying and replaying it needs."""
    from robustcert.certificate.bundle import export_bundle, find_record
    from robustcert.storage.store import open_store

    opened = open_store(store)
    record = find_record(opened, certificate)
    export_bundle(opened, record, out)
    typer.echo(f"{out}: bundle of certificate {record.certificate_sha256}")


def inventory(
    model: Annotated[
        str, typer.Argument(help="SHA-256 of a model, or its first digits; all models where absent.")
    ] = "",
    store: StoreOption = "store",
) -> None:
    """List what the store knows of each model: architecture, data, preprocessing, and every run that tested it."""
    from robustcert.certificate.inventory import inventory_lines
    from robustcert.storage.store import open_store

    for line in inventory_lines(open_store(store), model=model):
        typer.echo(line)


def lineage(
    certificate: Annotated[str, typer.Argument(help="SHA-256 of the certificate, or its first 8 digits or more.")],
    store: StoreOption = "store",
    out: Annotated[
        Path | None, typer.Option(help="File for the graph: .json or .svg; JSON to standard output if absent.")
    ] = None,
) -> None:
    """Export the graph certificate -> run -> model -> data; every node is an object that the store holds."""
    from robustcert.certificate.lineage import lineage_json, lineage_of, lineage_svg
    from robustcert.storage.atomic import write_whole
    from robustcert.storage.store import open_store

    graph = lineage_of(open_store(store), certificate)
    text = lineage_svg(graph) if out is not None and out.suffix == ".svg" else lineage_json(graph)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text.encode())
        typer.echo(f"wrote {out}")


def replay(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    key: Annotated[Path, typer.Option(help="Public key of the issuer.")],
    signing_key: Annotated[Path, typer.Option(help="Your own private key, which signs the repetition.")],
    out: Annotated[Path, typer.Option(help="Folder for the repetition's bundle and its store.")],
    source_folder: Annotated[
        Path | None, typer.Option(help="Folder that the specification's relative paths start from.")
    ] = None,
) -> None:
    """Repeat the whole run from the specification in a certificate, in a fresh store, and compare the predicates."""
    from robustcert.commands.replay import repeat

    differences = repeat(bundle, key=key, signing_key=signing_key, out=out, source_folder=source_folder)
    if differences:
        raise ClaimError(f"the repetition differs in {', '.join(differences)}; see {out}")
    typer.echo("the repetition equals the certificate apart from times and run id")
