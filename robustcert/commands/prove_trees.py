"""robustcert prove-trees: a verdict per sample for a forest or boosting, by exact verification in linf."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.data.dataset import Dataset
    from robustcert.threat_model import Unit
    from robustcert.trees.proof import TreeProver

UNITS: tuple[Unit, ...] = ("input", "1/255", "feature_std")


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("prove-trees", short_help="Verify a forest or boosting exactly, sample by sample.")(prove_trees)


def prove_trees(
    model: Annotated[Path, typer.Argument(help="The model, an ONNX file of a tree ensemble.")],
    dataset: Annotated[Path, typer.Argument(help="The data set file; its test split is used.")],
    epsilon: Annotated[str, typer.Option(help="Most that each feature may change by, a decimal in the unit.")],
    unit: Annotated[str, typer.Option(help="Unit of epsilon: input, 1/255 or feature_std.")] = "input",
    samples: Annotated[int | None, typer.Option(min=1, help="The first so many samples; all by default.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="For a regressor of one value: class 1 is a value above this.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Most states of the search per sample.")] = 10_000,
    leaves: Annotated[int, typer.Option(min=1, help="Most combinations of leaves of merged trees.")] = 2_000,
    out: Annotated[Path, typer.Option(help="File for the rows, JSON lines.")] = Path("tree-proof.jsonl"),
) -> None:
    """Give every sample of the test split one verdict: wrong, falsified, verified or unknown.

    Features that the contract does not let change stay as they are, and none leaves its range.
    """
    from robustcert.data.dataset import load_dataset
    from robustcert.models.file_bytes import read_model_bytes
    from robustcert.provenance.digests import sha256_bytes, sha256_file
    from robustcert.storage.atomic import write_whole
    from robustcert.trees.onnx_trees import import_onnx_trees
    from robustcert.trees.proof import TreeProofHeader, proof_bytes, tree_prover
    from robustcert.trees.verify import Effort

    known = _unit(unit)
    data, whole = read_model_bytes(model), load_dataset(dataset)
    trees = import_onnx_trees(data, source=model.name, threshold=threshold)
    effort = Effort(nodes=nodes, leaves=leaves)
    prover = tree_prover(trees, whole, epsilon=epsilon, unit=known, effort=effort)
    header = TreeProofHeader(
        model=sha256_bytes(data),
        dataset=sha256_file(dataset),
        epsilon=epsilon,
        unit=known,
        threshold="" if threshold is None else repr(threshold),
        nodes=nodes,
        leaves=leaves,
    )
    chosen = whole.select("test")
    rows: list[dict[str, Any]] = []
    started = time.monotonic()
    try:
        _run(prover, chosen.rows(chosen.sample_ids[:samples]), rows, console=plain_console(stderr=True))
    finally:
        write_whole(out, proof_bytes(header, rows))
    _show(rows, seconds=time.monotonic() - started, console=plain_console())


def _unit(text: str) -> Unit:
    for known in UNITS:
        if text == known:
            return known
    raise InputError(expected(f"--unit {', '.join(UNITS)}", got=repr(text), remedy="name one of them"))


def _run(prover: TreeProver, chosen: Dataset, rows: list[dict[str, Any]], *, console: Console) -> None:
    columns = (TextColumn("prove"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("prove", total=len(chosen))
        for row in prover.rows(chosen):
            rows.append(row)
            bar.advance(task)


def _show(rows: list[dict[str, Any]], *, seconds: float, console: Console) -> None:
    from robustcert.bounds.verdict import VERDICTS, summary

    if not rows:
        raise InputError(expected("samples to verify", got="an empty test split", remedy="give a data set with one"))
    found = summary(rows)
    table = Table("verdict", "samples", "decided by", box=None, pad_edge=False)
    for verdict in VERDICTS:
        causes = Counter(row["stage"] or row["reason"] for row in rows if row["verdict"] == verdict)
        named = ", ".join(f"{name} {n}" for name, n in sorted(causes.items()))
        table.add_row(verdict, str(found.counts[verdict]), named)
    console.print(table)
    console.print(f"verified accuracy     {found.verified}")
    console.print(f"robust accuracy       at most {found.possible}")
    console.print(f"time                  {seconds / len(rows):.3f} s per sample")
