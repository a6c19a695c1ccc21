"""Step 2 of a run that trains nothing: the user's own model is checked and brought into one model file."""

from __future__ import annotations

from pathlib import Path

from robustcert.data.dataset import load_dataset
from robustcert.errors import SpecificationError, expected
from robustcert.models.bring_your_own import import_model, located, own_files_sha256
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.specification import Model
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress

STEP = "model_import"


def bring_model(
    *,
    specification: str,
    store: str,
    source_folder: str,
    run_token: str,
    model_uri: str,
    dataset: Path,
    model: Path,
    history: Path,
    record: Path,
) -> None:
    """Writes the model file, and an empty training history; SpecificationError where the model is to be trained."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, source_folder=source_folder, run_token=run_token)
        _refuse_training(inputs)
        with located(inputs.loaded.specification.model, uri=model_uri) as own:
            finish_once(
                inputs,
                step=STEP,
                key=_key(inputs, own, dataset=dataset),
                outputs={"model": model, "history": history},
                record=record,
                run=lambda: _run(own, dataset=dataset, folder=inputs.folder, model=model, history=history),
            )


def _refuse_training(inputs: StepInputs) -> None:
    if inputs.loaded.specification.training is not None:
        remedy = "run the pipeline certified_training, or give your own model"
        raise SpecificationError(expected("a specification of your own model", got="'training'", remedy=remedy))


def _key(inputs: StepInputs, own: Model, *, dataset: Path) -> dict[str, object]:
    return {
        "datasetSha256": sha256_file(dataset),
        "model": inputs.loaded.canonical_part("model"),
        "ownFiles": own_files_sha256(own, folder=inputs.folder),
        "environment": environment(),
    }


def _run(own: Model, *, dataset: Path, folder: Path, model: Path, history: Path) -> dict[str, object]:
    progress(STEP)(0, 1, "checking the model")
    import_model(own, dataset=load_dataset(dataset), folder=folder, target=model)
    history.write_text("[]\n")
    progress(STEP)(1, 1, "own model")
    return {"trained": False}
