"""The model is kept unless it failed and its specification allows another; a new one has a seed of its own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from robustcert.models.files import load_model
from robustcert.provenance.run_record import StepRecord
from robustcert.specification_file import parse_specification
from robustcert.steps.recertification_model import choose_model, may_retrain, retraining_seed
from robustcert.storage.finished_steps import document_of, parse_finished
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification


def specification(retrain: str | None) -> str:
    """The chain's, trained for one epoch, with or without the section."""
    document = yaml.safe_load(small_specification())
    document["training"]["epochs"] = 1
    if retrain is not None:
        document["recertification"] = {"retrain": retrain}
    return yaml.safe_dump(document)


def chosen(chain: Chain, folder: Path, *, text: str, holds: bool, again: str = "") -> bool:
    assert chain.files.dataset is not None
    assert chain.files.model is not None
    folder.mkdir(exist_ok=True)
    return choose_model(
        specification=text,
        store=str(folder / "store"),
        run_token=f"token{again}",
        holds=holds,
        dataset=chain.files.dataset,
        certified_model=chain.files.model,
        certified_history=chain.bundle / "training_history.json",
        model=folder / "model",
        history=folder / "history",
        record=folder / "record",
    )


@pytest.mark.parametrize(("retrain", "holds"), [(None, True), (None, False), ("never", False), ("allowed", True)])
def test_the_certified_model_is_kept_byte_for_byte(
    chain: Chain, tmp_path: Path, retrain: str | None, holds: bool
) -> None:
    assert not chosen(chain, tmp_path, text=specification(retrain), holds=holds)
    assert (tmp_path / "model").read_bytes() == (chain.bundle / "model.safetensors").read_bytes()
    assert (tmp_path / "history").read_bytes() == (chain.bundle / "training_history.json").read_bytes()


def test_a_model_that_failed_is_trained_anew_where_that_is_allowed(chain: Chain, tmp_path: Path) -> None:
    text = specification("allowed")
    made = {}
    for folder, token in (("a", "one"), ("b", "one"), ("c", "two")):
        assert chosen(chain, tmp_path / folder, text=text, holds=False, again=token)
        made[folder] = (tmp_path / folder / "model").read_bytes()
    assert made["a"] == made["b"], "the seed is a function of the run token"
    assert len({made["a"], made["c"], (chain.bundle / "model.safetensors").read_bytes()}) == 3
    assert len(json.loads((tmp_path / "a" / "history").read_text())) == 1
    assert load_model(tmp_path / "a" / "model").card.architecture == "mlp"


def test_the_finished_step_says_with_which_seed(chain: Chain, tmp_path: Path) -> None:
    chosen(chain, tmp_path, text=specification("allowed"), holds=False)
    record = StepRecord.model_validate_json((tmp_path / "record").read_bytes())
    store = open_store(str(tmp_path / "store"))
    finished = parse_finished(store.read_document(document_of(record.step, record.key)) or b"")
    assert finished is not None
    assert finished.values["seed"] == retraining_seed(0, "token")


def test_the_seed_is_the_documented_one() -> None:
    digest = hashlib.sha256(b"robustcert-retraining-v1\x0012:token").digest()
    assert retraining_seed(12, "token") == int.from_bytes(digest[:8], "little") // 2
    assert 0 <= retraining_seed(12, "token") < 2**63


@pytest.mark.parametrize(("retrain", "may"), [(None, False), ("never", False), ("allowed", True)])
def test_only_the_registered_specification_allows_it(retrain: str | None, may: bool) -> None:
    assert may_retrain(parse_specification(specification(retrain)).specification) is may
