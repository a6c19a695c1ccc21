"""A user's own model: brought in as it is, from where the specification says or from elsewhere, never trained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from robustcert.errors import ModelError, SpecificationError
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.steps.model_import import bring_model
from tests.chain import Chain, small_specification


def own_specification(**model: Any) -> str:
    document = yaml.safe_load(small_specification())
    document["model"] |= model
    del document["training"]
    return yaml.safe_dump(document)


def brought(folder: Path, chain: Chain, *, specification: str, model_uri: str = "") -> Path:
    bring_model(
        specification=specification,
        store=str(folder / "store"),
        source_folder=str(chain.bundle),
        run_token="",
        model_uri=model_uri,
        dataset=chain.bundle / "dataset.safetensors",
        model=folder / "model",
        history=folder / "history",
        record=folder / "record",
    )
    return folder / "model"


def test_own_weights_are_brought_in_and_not_trained(chain: Chain, tmp_path: Path) -> None:
    model = brought(tmp_path, chain, specification=own_specification(weights="model.safetensors"))
    assert (tmp_path / "history").read_text() == "[]\n"
    assert json.loads((tmp_path / "record").read_text())["step"] == "model_import"
    x = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    certified = load_model(chain.bundle / "model.safetensors").module
    torch.testing.assert_close(load_model(model).module(x), certified(x), rtol=0, atol=0)


def test_a_model_that_lies_elsewhere_is_the_registered_one(chain: Chain, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.safetensors"
    elsewhere.write_bytes((chain.bundle / "model.safetensors").read_bytes())
    text = own_specification(weights="is-not-there.safetensors", sha256=sha256_file(elsewhere))
    model = brought(tmp_path, chain, specification=text, model_uri=str(elsewhere))
    assert sha256_file(model) == sha256_file(elsewhere)
    elsewhere.write_bytes(elsewhere.read_bytes() + b" ")
    with pytest.raises(ModelError, match="expected a file with SHA-256 "):
        brought(tmp_path, chain, specification=text, model_uri=str(elsewhere))


def test_an_address_needs_a_registered_digest(chain: Chain, tmp_path: Path) -> None:
    text = own_specification(weights="model.safetensors")
    with pytest.raises(ModelError, match=re.escape("'model.sha256' of the specification with model_uri, got none")):
        brought(tmp_path, chain, specification=text, model_uri=str(chain.bundle / "model.safetensors"))


def test_a_specification_with_training_is_sent_to_the_other_pipeline(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="got 'training'; run the pipeline certified_training"):
        brought(tmp_path, chain, specification=small_specification())
