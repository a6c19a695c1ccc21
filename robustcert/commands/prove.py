"""robustcert prove: a verdict per sample by exact verification, within a time limit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, ModelError, expected

if TYPE_CHECKING:
    from robustcert.bounds.pipeline import Prover
    from robustcert.bounds.proof_file import ProofFile, ProofHeader
    from robustcert.bounds.verdict import SampleVerdict
    from robustcert.data.dataset import Dataset
    from robustcert.models.model import LoadedModel

NORMS = ("linf", "l2", "l1")
UNITS = ("input", "1/255", "feature_std")
SECONDS_BETWEEN_WRITES = 5.0
ROWS_BETWEEN_WRITES = 64
WITNESS_SUFFIX = ".witnesses.safetensors"


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Verify samples exactly: wrong, falsified, verified or unknown.")(prove)


def prove(
    model: Annotated[Path, typer.Argument(help="The model file, safetensors or ONNX.")],
    dataset: Annotated[Path, typer.Argument(help="The data set file; its test split is used.")],
    norm: Annotated[str, typer.Option(help="linf, l2 or l1.")],
    epsilon: Annotated[str, typer.Option(help="The ball's size in the unit, a decimal.")],
    unit: Annotated[str, typer.Option(help="Unit of epsilon: input, 1/255 or feature_std.")] = "input",
    samples: Annotated[int | None, typer.Option(min=1, help="The first so many samples; all by default.")] = None,
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds for exact verification of one sample.")] = 30.0,
    out: Annotated[Path, typer.Option(help="File for the rows, JSON lines; an unfinished one is resumed.")] = Path(
        "proof.jsonl"
    ),
    witnesses: Annotated[Path | None, typer.Option(help="File for the counterexamples; beside the rows.")] = None,
    factory: Annotated[str | None, typer.Option(help="package.module:function of a model that names one.")] = None,
) -> None:
    """Give every sample of the test split one verdict: wrong, falsified, verified or unknown.

    An attack comes first, then interval bounds, CROWN and alpha-CROWN, then MILP or branch and bound.
    """
    from robustcert.bounds.pipeline import Prover
    from robustcert.bounds.proof_file import opened
    from robustcert.bounds.proof_threat import ProofThreat

    _require_names(norm, unit)
    loaded, whole, header = _question(
        model, dataset, factory=factory, norm=norm, epsilon=epsilon, unit=unit, time_limit=time_limit
    )
    chosen = whole.select("test")
    chosen = chosen.rows(chosen.sample_ids[:samples])
    threat = ProofThreat.of(whole, norm=header.norm, epsilon=epsilon, unit=header.unit)
    file = opened(out, witnesses=witnesses or out.with_name(out.name + WITNESS_SUFFIX), header=header)
    prover = Prover(loaded, threat, _config(header))
    _run(prover, chosen, file, console=plain_console(stderr=True))
    _show(file.rows, wanted=set(chosen.sample_ids.tolist()), prover=prover, console=plain_console())


def _require_names(norm: str, unit: str) -> None:
    for name, value, known in (("--norm", norm, NORMS), ("--unit", unit, UNITS)):
        if value not in known:
            raise InputError(expected(f"{name} {', '.join(known)}", got=repr(value), remedy="name one of them"))


def _question(
    model: Path, dataset: Path, *, factory: str | None, time_limit: float, **asked: Any
) -> tuple[LoadedModel, Dataset, ProofHeader]:
    from robustcert.bounds.pipeline import ProofConfig
    from robustcert.bounds.proof_file import ProofHeader
    from robustcert.data.dataset import load_dataset
    from robustcert.models.files import load_model
    from robustcert.provenance.digests import sha256_file

    loaded, whole, config = load_model(model, factory=factory), load_dataset(dataset), ProofConfig()
    _require_fit(loaded, whole)
    header = ProofHeader(
        model=loaded.sha256,
        dataset=sha256_file(dataset),
        time_limit=f"{time_limit:.3f}",
        steps=config.steps,
        restarts=config.restarts,
        alpha_iterations=config.alpha_iterations,
        seed=config.seed,
        **asked,
    )
    return loaded, whole, header


def _require_fit(loaded: LoadedModel, dataset: Dataset) -> None:
    card, data = loaded.card, dataset.card
    if card.input_shape != data.shape or len(card.classes) != len(data.classes):
        what = f"a model of {data.shape} inputs and {len(data.classes)} classes"
        got = f"{card.input_shape} and {len(card.classes)}"
        raise ModelError(expected(what, got=got, remedy="give the model of this data set"))
    if card.classes != data.classes and sorted(card.classes) == sorted(data.classes):
        what, got = f"the classes {', '.join(data.classes)} in this order", ", ".join(card.classes)
        raise ModelError(expected(what, got=got, remedy="give the model of this data set"))


def _config(header: ProofHeader) -> Any:
    from robustcert.bounds.pipeline import ProofConfig

    return ProofConfig(
        time_limit=float(header.time_limit),
        steps=header.steps,
        restarts=header.restarts,
        alpha_iterations=header.alpha_iterations,
        seed=header.seed,
    )


def _run(prover: Prover, chosen: Dataset, file: ProofFile, *, console: Console) -> None:
    """Verdicts of the samples without one, written every few seconds and at the end, also where it is interrupted."""
    left = [sample for sample in chosen.sample_ids.tolist() if sample not in file.samples]
    columns = (TextColumn("prove"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("prove", total=len(chosen), completed=len(chosen) - len(left))
        try:
            _write(prover.verdicts(chosen.rows(left)), file, advance=lambda: bar.advance(task))
        finally:
            file.flush()


def _write(verdicts: Iterable[SampleVerdict], file: ProofFile, *, advance: Any) -> None:
    written, waiting = time.monotonic(), 0
    for verdict in verdicts:
        file.add(verdict)
        advance()
        waiting += 1
        if waiting >= ROWS_BETWEEN_WRITES or time.monotonic() - written >= SECONDS_BETWEEN_WRITES:
            file.flush()
            written, waiting = time.monotonic(), 0


def _show(rows: Iterable[dict[str, Any]], *, wanted: set[int], prover: Prover, console: Console) -> None:
    from robustcert.bounds.verdict import VERDICTS, summary

    chosen = [row for row in rows if row["sample"] in wanted]
    found = summary(chosen)
    table = Table("verdict", "samples", "decided by", box=None, pad_edge=False)
    for verdict in VERDICTS:
        causes = Counter(row["stage"] or row["reason"] for row in chosen if row["verdict"] == verdict)
        table.add_row(
            verdict, str(found.counts[verdict]), ", ".join(f"{name} {n}" for name, n in sorted(causes.items()))
        )
    console.print(table)
    console.print(f"verified accuracy     {found.verified}")
    console.print(f"robust accuracy       at most {found.possible}")
    if prover.stages.reason:
        console.print(f"no exact verification: the model has the {prover.stages.reason}")
