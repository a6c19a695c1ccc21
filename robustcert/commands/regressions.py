"""robustcert regressions: failures in production, frozen, and asked of every later model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from robustcert.certificate.certified import Certified
    from robustcert.models.model import LoadedModel
    from robustcert.specification import Data
    from robustcert.storage.store import Store

StoreOption = Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store.")]
CertificateArgument = Annotated[
    str, typer.Argument(help="SHA-256 of the certificate, its first 8 digits or more, or its published name.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    group = typer.Typer(
        help="Failures in production, frozen for later models.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command()(freeze)
    group.command("list")(list_sets)
    group.command()(run)
    app.add_typer(group, name="regressions")


def freeze(
    certificate: CertificateArgument,
    window: Annotated[
        str, typer.Option(help="Rows with predictions and labels: .parquet, a folder of it, .csv, s3://.")
    ],
    reason: Annotated[str, typer.Option(help="Why they are kept, such as an incident's number.")],
    store: StoreOption = "store",
) -> None:
    """Freeze the rows of a labelled window that the model got wrong, at most 1,000, as a regression set."""
    from datetime import UTC, datetime

    from robustcert.drift import regression
    from robustcert.drift.rows import open_rows

    opened, certified, data = _open(store, certificate)
    predicate = certified.predicate
    with open_rows(window, data=data) as source:
        found = regression.freeze(
            opened,
            source,
            name=predicate.name,
            model_sha256=predicate.model.sha256,
            reason=reason,
            now=datetime.now(UTC),
        )
    typer.echo(
        f"{regression.regression_name(found)}: {found.rows} of {found.failures} failures of {found.window} frozen"
    )


def list_sets(
    name: Annotated[str, typer.Argument(help="Name of the model's certificates.")], store: StoreOption = "store"
) -> None:
    """List the regression sets of a name, whichever of its models failed."""
    from robustcert.drift.regression import regressions
    from robustcert.storage.store import open_store

    for item in regressions(open_store(store), name):
        model = item.model_sha256[:12]
        typer.echo(f"{item.rows_sha256[:12]}  {item.frozen_at}  {item.rows} rows of model {model}  {item.reason}")


def run(
    certificate: CertificateArgument,
    store: StoreOption = "store",
    factory: Annotated[str | None, typer.Option(help="package.module:function of a model that has one.")] = None,
) -> None:
    """Ask a certificate's model every frozen failure of its name; exit status 1 unless it gets all of them right.

    The rows were chosen for being wrong, so how many are right says nothing about accuracy.
    """
    from robustcert.drift.regression import regression_lines, regressions, run_regression
    from robustcert.extras import require_modules

    require_modules("torch")
    opened, certified, data = _open(store, certificate)
    model = _model(opened, certified, factory=factory)
    sets = regressions(opened, certified.predicate.name)
    results = [(item, run_regression(opened, item, data=data, model=model)) for item in sets]
    for line in regression_lines(results):
        typer.echo(line)
    fixed, of = sum(one.fixed for _, one in results), sum(one.of for _, one in results)
    typer.echo(f"{fixed} of {of} frozen failures are right, in {len(results)} set(s)")
    if fixed < of:
        raise typer.Exit(1)


def _open(store: str, certificate: str) -> tuple[Store, Certified, Data]:
    from robustcert.certificate.certified import find_certificate, open_certified
    from robustcert.specification_file import recorded_specification
    from robustcert.storage.store import open_store

    opened = open_store(store)
    certified = open_certified(opened, find_certificate(opened, certificate), trusted=None)
    loaded = recorded_specification(certified.predicate.specification.text, name="the certificate's specification")
    return opened, certified, loaded.specification.data


def _model(store: Store, certified: Certified, *, factory: str | None) -> LoadedModel:
    import tempfile

    from robustcert.models.files import load_model

    with tempfile.TemporaryDirectory(prefix="robustcert-") as folder:
        path = Path(folder) / certified.model
        store.fetch(certified.files[certified.model], path)
        return load_model(path, factory=factory)
