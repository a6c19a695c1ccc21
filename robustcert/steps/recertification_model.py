"""Recertification, step 3: the certified model is kept, or trained anew where it failed and its specification allows.

A retrained model comes from the registered training on the registered data with a seed of its own, drawn from the run
token: the window has no part in it. Nothing is promoted; the new model is a new subject with a certificate of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from robustcert.data.dataset import load_dataset
from robustcert.models.files import save_model
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.specification import Specification
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress
from robustcert.training.trainer import train

STEP = "recertification_model"
DOMAIN = b"robustcert-retraining-v1\0"


def choose_model(
    *,
    specification: str,
    store: str,
    run_token: str,
    holds: bool,
    dataset: Path,
    certified_model: Path,
    certified_history: Path,
    model: Path,
    history: Path,
    record: Path,
) -> bool:
    """Writes the model to certify and its history; True where it was trained anew."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        retrain = not holds and may_retrain(inputs.loaded.specification)

        def run() -> dict[str, object]:
            if retrain:
                return _train(inputs, dataset, model=model, history=history)
            shutil.copyfile(certified_model, model)
            shutil.copyfile(certified_history, history)
            return {"retrained": False}

        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, dataset=dataset, certified_model=certified_model, retrain=retrain),
            outputs={"model": model, "history": history},
            record=record,
            run=run,
        )
        progress(STEP)(1, 1, "trained anew" if retrain else "the certified model is kept")
        return retrain


def may_retrain(specification: Specification) -> bool:
    """Whether the registered specification lets a recertification train a new model."""
    written = specification.recertification
    return written is not None and written.retrain == "allowed" and specification.training is not None


def retraining_seed(seed: int, run_token: str) -> int:
    """Seed of a retraining: the first 8 bytes of SHA-256 over domain, registered seed and run token, 63 bits of them.

    >>> retraining_seed(0, "a") == retraining_seed(0, "a"), retraining_seed(0, "a") == retraining_seed(0, "b")
    (True, False)
    """
    digest = hashlib.sha256(DOMAIN + f"{seed}:{run_token}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _key(inputs: StepInputs, *, dataset: Path, certified_model: Path, retrain: bool) -> dict[str, object]:
    part = inputs.loaded.canonical_part
    return {
        "datasetSha256": sha256_file(dataset),
        "certifiedModelSha256": sha256_file(certified_model),
        "retrain": retrain,
        "model": part("model"),
        "training": part("training"),
        "threatModels": part("threatModels"),
        "certification": part("certification"),
        "seed": inputs.loaded.specification.seed,
        "environment": environment(),
    }


def _train(inputs: StepInputs, dataset: Path, *, model: Path, history: Path) -> dict[str, object]:
    written = inputs.loaded.specification
    seed = retraining_seed(written.seed, inputs.run_token)
    result = train(written, load_dataset(dataset), seed=seed, progress=progress(STEP))
    save_model(result.classifier, result.card, model)
    history.write_text(json.dumps(result.history, indent=1) + "\n")
    return {"retrained": True, "seed": seed, "chosenEpoch": result.chosen_epoch}
