"""The card of a model file: its numbers, its checks, and that it is read without torch."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.numpy import save

from robustcert.errors import ModelError
from robustcert.models.card import (
    ModelCard,
    Preprocessing,
    identity_preprocessing,
    preprocessing_of,
    read_card,
)

FIELDS = {
    "architecture": "mlp",
    "parameters": {"hidden": (4, 5)},
    "input_shape": (2,),
    "classes": ("benign", "bösartig"),
    "preprocessing": Preprocessing(mean=("0.5", "1"), std=("2", "3")),
    "trained_by": "robustcert 0.1.0",
}


def _file(path, metadata):
    path.write_bytes(save({"weight": np.zeros(3, np.float32)}, metadata=metadata))
    return path


def _card_text(**changes):
    return json.dumps(json.loads(ModelCard(**FIELDS).to_json()) | changes)


def test_a_card_is_read_back_from_a_file_with_the_files_digest(tmp_path):
    card = ModelCard(**FIELDS)
    path = _file(tmp_path / "model", {"robustcert": card.to_json().decode()})
    digest = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout.split()[0]
    assert read_card(path) == (card, digest)


def test_a_card_is_written_as_canonical_json_in_camel_case():
    text = ModelCard(**FIELDS).to_json()
    value = json.loads(text)
    assert text == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    assert value["inputShape"] == [2]
    assert value["version"] == "robustcert-model/v1"
    assert value["preprocessing"]["mean"] == ["0.5", "1"]
    assert "nearest multiple" in value["preprocessing"]["gridRounding"]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(2.0**-149, 2.0**127, width=32))
def test_decimals_of_mean_and_std_give_the_same_float32_back(mean, std):
    preprocessing = preprocessing_of([mean], [std])
    assert np.float32(preprocessing.mean[0]).tobytes() == np.float32(mean).tobytes()
    assert np.float32(preprocessing.std[0]) == np.float32(std)


@pytest.mark.parametrize(("mean", "std"), [(np.nan, 1.0), (np.inf, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, np.nan)])
def test_a_mean_or_std_that_cannot_normalise_is_refused(mean, std):
    with pytest.raises(ModelError, match=r"expected finite means and positive stds, got .*; check the training data"):
        preprocessing_of([mean], [std])


@pytest.mark.parametrize(
    ("mean", "std", "match"),
    [
        (("0",), ("1", "1"), "as many means as stds, got 1 and 2"),
        (("0",), ("0",), "every std above 0"),
        (("0",), ("0." + 50 * "0" + "1",), "every std above 0"),
        (("0",), ("9" * 40,), "every mean and std finite in float32"),
        (("9" * 40,), ("1",), "every mean and std finite in float32"),
        (("1e3",), ("1",), "should match pattern"),
    ],
)
def test_preprocessing_that_is_no_division_in_float32_is_refused(mean, std, match):
    with pytest.raises(ValidationError, match=match):
        Preprocessing(mean=mean, std=std)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"input_shape": (3,)}, "expected 3 means and stds, got 2"),
        ({"classes": ("only",)}, "at least 2 items"),
        ({"input_shape": ()}, "at least 1 item"),
        ({"architecture": None}, "either an architecture or a factory"),
        ({"factory": "a:b"}, "either an architecture or a factory"),
        ({"format": "onnx"}, "neither with onnx"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(changes, match):
    with pytest.raises(ValidationError, match=match):
        ModelCard(**(FIELDS | changes))


def test_identity_preprocessing_has_one_pair_per_channel():
    assert identity_preprocessing((3, 8, 8)) == Preprocessing(mean=("0",) * 3, std=("1",) * 3)


def test_unknown_fields_of_a_card_are_ignored(tmp_path):
    path = _file(tmp_path / "model", {"robustcert": _card_text(licence="none yet")})
    assert read_card(path)[0] == ModelCard(**FIELDS)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (_card_text(version="robustcert-model/v2"), r"a model card, version 1, got version: .*; write the file with"),
        (_card_text(classes=[]), "got classes: "),
        (_card_text(inputShape=[2.5]), "got inputShape.0: "),
        ("{", "got card: Invalid JSON"),
        ("[" * 100_000, "got card: Invalid JSON"),
        ("[]", "got card: "),
    ],
)
def test_metadata_that_is_no_card_is_refused_with_the_field(tmp_path, text, match):
    with pytest.raises(ModelError, match=match):
        read_card(_file(tmp_path / "model", {"robustcert": text}))


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"robustcert": _card_text(), "format": "pt"}])
def test_a_file_without_exactly_the_one_metadata_key_is_refused(tmp_path, metadata):
    with pytest.raises(ModelError, match=r"one metadata key 'robustcert', got .*; import your own weights through"):
        read_card(_file(tmp_path / "model", metadata))


def test_an_onnx_file_has_no_card(tmp_path):
    (tmp_path / "model").write_bytes(b"\x08\x0a" + 50 * b"\x12")
    with pytest.raises(ModelError, match="expected a safetensors file"):
        read_card(tmp_path / "model")


def test_a_header_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    (tmp_path / "model").write_bytes(struct.pack("<Q", 10**9) + b"{}")
    with pytest.raises(ModelError, match="expected a safetensors file"):
        read_card(tmp_path / "model")


def test_a_card_is_read_without_torch_and_onnx(tmp_path):
    path = _file(tmp_path / "model", {"robustcert": _card_text()})
    program = (
        "import sys; from pathlib import Path; from robustcert.models.card import read_card; "
        f"read_card(Path({str(path)!r})); print(sorted({{'torch', 'onnx', 'sklearn', 'pandas'}} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert run.stdout == "[]\n"
