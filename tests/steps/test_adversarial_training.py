"""Training as a step: repeated bit for bit, and refused where there is nothing to train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from robustcert.errors import InputError, SpecificationError
from robustcert.provenance.digests import sha256_file
from robustcert.steps.adversarial_training import train_model
from tests.chain import Chain, small_specification


def trained(folder: Path, chain: Chain, *, specification: str, processes: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    train_model(
        specification=specification,
        store=str(folder / "store"),
        source_folder=str(chain.bundle),
        run_token="",
        processes=processes,
        dataset=chain.bundle / "dataset.safetensors",
        model=folder / "model",
        history=folder / "history",
        record=folder / "record",
    )
    return folder / "model"


def test_training_again_in_a_fresh_store_gives_the_same_bytes(chain: Chain, tmp_path: Path) -> None:
    model = trained(tmp_path / "again", chain, specification=small_specification())
    assert sha256_file(model) == chain.predicate.model.sha256
    assert len(json.loads((tmp_path / "again" / "history").read_text())) == 8


def test_a_specification_of_an_own_model_is_sent_to_the_other_pipeline(chain: Chain, tmp_path: Path) -> None:
    document = yaml.safe_load(small_specification())
    document["model"]["weights"] = "model.safetensors"
    del document["training"]
    with pytest.raises(
        SpecificationError, match="expected a specification with 'training', got none; run the pipeline"
    ):
        trained(tmp_path / "own", chain, specification=yaml.safe_dump(document))


def test_a_training_without_processes_is_refused(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least 1 as processes, got 0"):
        trained(tmp_path / "none", chain, specification=small_specification(), processes=0)
