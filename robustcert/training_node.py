"""One process of a training on one or several machines, as torchrun starts it on each of them.

    torchrun --nnodes N --nproc-per-node M ... -m robustcert.training_node --specification SPEC --store s3://...

Together they do the pipeline's steps data_validation and adversarial_training for one specification, and the first one
keeps the results in the store under those steps' own keys. A pipeline that is then run with `processes` N * M, the same
image and the same kind of node finds them already done. Only this file and its caller read the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustcert.data.dataset import Dataset, load_dataset
from robustcert.errors import DataError, InputError, RobustcertError, expected
from robustcert.models.execution_device import execution_device
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment, environment_sha256
from robustcert.specification import Specification
from robustcert.steps.adversarial_training import STEP, train_model
from robustcert.steps.data_validation import validate_data
from robustcert.steps.step import one_line_failures, open_inputs
from robustcert.training.epochs import Progress
from robustcert.training.trainer import TrainingResult, train_together
from robustcert.training.world import World, joined

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
TRAIN, NOTHING_TO_DO = b"\1", b"\0"


@dataclass(frozen=True, kw_only=True)
class NodeOptions:
    """What a node is asked to train: specification (text, path or URI), store, run token, and where the data lie."""

    specification: str
    store: str
    run_token: str = ""
    data_uri: str = ""


def main() -> None:
    """Exit status 1 and one line in the log for whatever goes wrong on purpose."""
    try:
        with one_line_failures(STEP):
            run_node(_options(sys.argv[1:]), variables=os.environ)
    except RobustcertError:
        sys.exit(1)


def run_node(options: NodeOptions, *, variables: Mapping[str, str]) -> None:
    """Does this process' part; `variables` are those of torchrun.

    Raises InputError where they are absent, DataError for data that break their contract, StepError when another
    process is gone or has another environment, and what the two steps raise.
    """
    rank, size, local_rank = place(variables)
    device = execution_device(index=local_rank)
    with joined(rank=rank, size=size, device=device) as world, tempfile.TemporaryDirectory() as folder:
        remedy = "use one image and one kind of node for all"
        world.require_equal(environment_sha256(environment()), what="environment", remedy=remedy)
        part = first_part if world.rank == 0 else other_part
        part(world, options, Path(folder))


def place(variables: Mapping[str, str]) -> tuple[int, int, int]:
    """Rank, size of the world, and rank on this machine; InputError unless torchrun set them.

    >>> place({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"})
    (3, 4, 1)
    """
    for name in VARIABLES:
        if not variables.get(name, "").isdecimal():
            remedy = "start it with torchrun ... -m robustcert.training_node"
            raise InputError(
                expected(f"a number in the variable {name}", got=variables.get(name) or "none", remedy=remedy)
            )
    rank, size, local_rank = (int(variables[name]) for name in VARIABLES)
    return rank, size, local_rank


def first_part(world: World, options: NodeOptions, folder: Path) -> None:
    """Validates the data, and has all train unless the store holds the model already."""
    dataset, told = _validated(options, folder), list[bytes]()
    world.from_first(bytes.fromhex(sha256_file(dataset)))

    def together(
        written: Specification, data: Dataset, *, seed: int, progress: Progress, processes: int
    ) -> TrainingResult:
        told.append(world.from_first(TRAIN))
        return train_together(world, written, data, seed=seed, progress=progress)

    train_model(
        specification=options.specification,
        store=options.store,
        source_folder="",
        run_token=options.run_token,
        processes=world.size,
        trainer=together,
        dataset=dataset,
        model=folder / "model",
        history=folder / "history",
        record=folder / "record",
    )
    if not told:
        world.from_first(NOTHING_TO_DO)


def other_part(world: World, options: NodeOptions, folder: Path) -> None:
    """Fetches the data set that the first process names, and trains with it if the first one says so."""
    inputs, dataset = open_inputs(specification=options.specification, store=options.store), folder / "dataset"
    inputs.store.fetch(world.from_first(bytes(32)).hex(), dataset)
    if world.from_first(NOTHING_TO_DO) == TRAIN:
        written = inputs.loaded.specification
        train_together(world, written, load_dataset(dataset), seed=written.seed)


def _validated(options: NodeOptions, folder: Path) -> Path:
    dataset = folder / "dataset"
    outcome = validate_data(
        specification=options.specification,
        store=options.store,
        source_folder="",
        run_token=options.run_token,
        data_uri=options.data_uri,
        dataset=dataset,
        report=folder / "report",
        record=folder / "data_record",
    )
    if not outcome.passed:
        raise DataError(outcome.summary)
    return dataset


def _options(arguments: Sequence[str]) -> NodeOptions:
    parser = argparse.ArgumentParser(prog="python -m robustcert.training_node", description=__doc__)
    parser.add_argument("--specification", required=True, help="its text, a path, a file: or an s3:// URI")
    parser.add_argument("--store", required=True, help="folder or s3://bucket/prefix of the store")
    parser.add_argument("--run-token", default="", help="the pipeline's run token, where it has one")
    parser.add_argument("--data-uri", default="", help="where the data lie, if elsewhere than the specification says")
    return NodeOptions(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
