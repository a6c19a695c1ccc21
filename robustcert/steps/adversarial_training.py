"""Step 2: the model is trained on the training split; `model_import` brings a model that is not to be trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from robustcert.data.dataset import Dataset, load_dataset
from robustcert.errors import SpecificationError, expected
from robustcert.models.files import save_model
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.specification import Specification
from robustcert.steps.step import StepInputs, at_least_one, finish_once, one_line_failures, open_inputs, progress
from robustcert.training.epochs import Progress
from robustcert.training.trainer import TrainingResult, train

STEP = "adversarial_training"


class Trainer(Protocol):
    """What `robustcert.training.trainer.train` is to this step."""

    def __call__(
        self, specification: Specification, dataset: Dataset, /, *, seed: int, progress: Progress, processes: int
    ) -> TrainingResult:
        """Trains the model, in that many processes."""


def train_model(
    *,
    specification: str,
    store: str,
    source_folder: str,
    run_token: str,
    processes: int = 1,
    trainer: Trainer = train,
    dataset: Path,
    model: Path,
    history: Path,
    record: Path,
) -> None:
    """Writes the model file and its history, one JSON object per epoch; SpecificationError without training.

    `trainer` trains with that many `processes`, here by default; their number is part of the step's key, since results
    of other numbers differ in the last bits.
    """
    with one_line_failures(STEP):
        at_least_one("processes", processes)
        inputs = open_inputs(specification=specification, store=store, source_folder=source_folder, run_token=run_token)
        _refuse_own_model(inputs)
        outputs = {"model": model, "history": history}
        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, dataset, processes=processes),
            outputs=outputs,
            record=record,
            run=lambda: _run(inputs, dataset, trainer=trainer, processes=processes, model=model, history=history),
        )


def _refuse_own_model(inputs: StepInputs) -> None:
    if inputs.loaded.specification.training is None:
        remedy = "run the pipeline certify_model, or add 'training'"
        raise SpecificationError(expected("a specification with 'training'", got="none", remedy=remedy))


def _key(inputs: StepInputs, dataset: Path, *, processes: int) -> dict[str, object]:
    part = inputs.loaded.canonical_part
    return {
        "datasetSha256": sha256_file(dataset),
        "model": part("model"),
        "training": part("training"),
        "threatModels": part("threatModels"),
        "certification": part("certification"),
        "seed": inputs.loaded.specification.seed,
        "processes": processes,
        "environment": environment(),
    }


def _run(
    inputs: StepInputs, dataset: Path, *, trainer: Trainer, processes: int, model: Path, history: Path
) -> dict[str, object]:
    written, data = inputs.loaded.specification, load_dataset(dataset)
    result = trainer(written, data, seed=written.seed, progress=progress(STEP), processes=processes)
    save_model(result.classifier, result.card, model)
    history.write_text(json.dumps(result.history, indent=1) + "\n")
    return {"trained": True, "chosenEpoch": result.chosen_epoch}
