"""Step 2: the model is trained on the training split, or the user's own is brought into one checked file."""

from __future__ import annotations

import json
from pathlib import Path

from robustcert.data.dataset import Dataset, load_dataset
from robustcert.models.bring_your_own import import_model, own_files_sha256
from robustcert.models.files import save_model
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.specification import Specification
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress
from robustcert.training.trainer import train

STEP = "adversarial_training"


def train_model(
    *,
    specification: str,
    store: str,
    source_folder: str,
    run_token: str,
    dataset: Path,
    model: Path,
    history: Path,
    record: Path,
) -> None:
    """Writes the model file and the training history, one JSON object per epoch (none for an own model)."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, source_folder=source_folder, run_token=run_token)
        outputs = {"model": model, "history": history}
        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, dataset),
            outputs=outputs,
            record=record,
            run=lambda: _run(inputs, load_dataset(dataset), model=model, history=history),
        )


def _key(inputs: StepInputs, dataset: Path) -> dict[str, object]:
    part = inputs.loaded.canonical_part
    return {
        "datasetSha256": sha256_file(dataset),
        "model": part("model"),
        "ownFiles": own_files_sha256(inputs.loaded.specification.model, folder=inputs.folder),
        "training": part("training"),
        "threatModels": part("threatModels"),
        "certification": part("certification"),
        "seed": inputs.loaded.specification.seed,
        "environment": environment(),
    }


def _run(inputs: StepInputs, dataset: Dataset, *, model: Path, history: Path) -> dict[str, object]:
    written = inputs.loaded.specification
    if written.training is None:
        import_model(written.model, dataset=dataset, folder=inputs.folder, target=model)
        history.write_text("[]\n")
        return {"trained": False}
    return _train(written, dataset, model=model, history=history)


def _train(written: Specification, dataset: Dataset, *, model: Path, history: Path) -> dict[str, object]:
    result = train(written, dataset, seed=written.seed, progress=progress(STEP))
    save_model(result.classifier, result.card, model)
    history.write_text(json.dumps(result.history, indent=1) + "\n")
    return {"trained": True, "chosenEpoch": result.chosen_epoch}
