"""Model files are recognised by content; a pickle is refused under any name and never run."""

import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from robustcert.errors import ModelError
from robustcert.models import file_bytes
from robustcert.models.file_bytes import is_safetensors, read_model_bytes, safetensors_metadata


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (self.path.touch, ())


def _safetensors(metadata):
    return save({"weight": np.arange(3, dtype=np.float32)}, metadata=metadata)


def test_the_bytes_of_a_safetensors_file_are_returned_under_any_harmless_name(tmp_path):
    data = _safetensors({"robustcert": "{}"})
    for name in ("model", "model.safetensors", "model.bin"):
        (tmp_path / name).write_bytes(data)
        assert read_model_bytes(tmp_path / name) == data


@pytest.mark.parametrize("name", ["m.pt", "m.PTH", "m.pkl", "m.pickle", "m.ckpt", "m.joblib"])
def test_a_pickles_name_is_refused_whatever_is_inside(tmp_path, name):
    (tmp_path / name).write_bytes(_safetensors(None))
    with pytest.raises(ModelError, match=r"\(pickle\); save its weights with safetensors.torch.save_file"):
        read_model_bytes(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_under_another_name_is_refused_and_not_run(tmp_path, protocol):
    path, trap = tmp_path / "model.safetensors", tmp_path / "sprung"
    path.write_bytes(pickle.dumps(Trap(trap), protocol=protocol))
    with pytest.raises(ModelError, match=r"expected a safetensors or ONNX file, got .*which could run code"):
        read_model_bytes(path)
    assert not trap.exists()


def test_a_torch_checkpoint_under_another_name_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="which could run code when loaded"):
        read_model_bytes(tmp_path / "model.onnx")


def test_a_safetensors_file_whose_header_length_looks_like_a_pickle_is_read(tmp_path):
    bare = len(_safetensors({"pad": ""})) - 8 - 12
    data = _safetensors({"pad": (640 - bare) * "x"})
    assert data[:2] == b"\x80\x02"
    (tmp_path / "model").write_bytes(data)
    assert read_model_bytes(tmp_path / "model") == data


def test_a_missing_file_a_folder_and_an_impossible_name_are_refused(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(ModelError, match=r"expected a model file, got no file at .*; name an existing"):
            read_model_bytes(path)
    with pytest.raises(ModelError, match=r"expected a readable model file, got .*too long"):
        read_model_bytes(tmp_path / (300 * "x"))


def test_a_file_that_vanishes_from_a_readable_folder_is_a_model_error(tmp_path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(ModelError, match=r"expected a (readable )?model file"):
        read_model_bytes(tmp_path / "link")


def test_a_file_above_the_size_limit_is_refused_unread(tmp_path, monkeypatch):
    with (tmp_path / "model").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ModelError, match="a model file of at most 2147483648 bytes, got 3221225472 in"):
        read_model_bytes(tmp_path / "model")


def test_metadata_is_what_the_library_wrote():
    assert safetensors_metadata(_safetensors({"a": "1", "b": "zwei"}), source="x") == {"a": "1", "b": "zwei"}
    assert safetensors_metadata(_safetensors(None), source="x") == {}


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00" * 8, b"PAR1" * 10, struct.pack("<Q", 99) + b"{}"])
def test_other_bytes_are_no_safetensors(data):
    assert not is_safetensors(data)
    with pytest.raises(ModelError, match="expected a safetensors file, got other bytes in model; write it with"):
        safetensors_metadata(data, source="model")


def test_every_truncation_of_a_file_is_refused():
    data = _safetensors({"robustcert": "{}"})
    for length in range(len(data)):
        with pytest.raises(ModelError, match=r"expected a (whole )?safetensors file"):
            safetensors_metadata(data[:length], source="model")


def test_a_header_above_the_limit_is_refused(monkeypatch):
    data = _safetensors({"robustcert": 200 * "x"})
    monkeypatch.setattr(file_bytes, "MAX_HEADER_BYTES", 100)
    with pytest.raises(ModelError, match="expected a safetensors file"):
        safetensors_metadata(data, source="model")
