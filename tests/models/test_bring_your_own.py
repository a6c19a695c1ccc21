"""Own models on the way in: weights of a named architecture, a factory, ONNX."""

import hashlib
import importlib
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper

from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.errors import ModelError
from robustcert.models.architectures import build
from robustcert.models.bring_your_own import import_model, located, own_files_sha256
from robustcert.models.card import ModelCard, preprocessing_of
from robustcert.models.files import load_model, save_model
from robustcert.models.model import build_classifier
from robustcert.specification import Model, Provenance

SHAPE, CLASSES = (1, 8, 8), ("zero", "one", "two")
FACTORY_SOURCE = """
import torch
from torch import nn


def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def seeded():
    torch.manual_seed(4)
    return model()


def double():
    return model().double()


def probabilities():
    return nn.Sequential(model(), nn.Softmax(dim=1))


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = model()
        self.offset = torch.rand(3)

    def forward(self, x):
        return self.linear(x) + self.offset


def hidden():
    return Hidden()
"""


@pytest.fixture
def dataset() -> Dataset:
    """Twenty random images on the grid of sixteenths."""
    rng = np.random.default_rng(0)
    card = DatasetCard(
        kind="image",
        shape=SHAPE,
        classes=CLASSES,
        source="random.npz",
        source_sha256="0" * 64,
        provenance=Provenance.model_validate({"source": "a test", "licence": "none", "collectedAt": "2024"}),
        transforms=("rounded to sixteenths",),
    )
    ones = np.ones(SHAPE)
    return Dataset(
        card=card,
        x_int=rng.integers(0, 17, (20, *SHAPE), dtype=np.int32),
        y=rng.integers(0, 3, 20),
        sample_ids=np.arange(20),
        split=np.resize([0, 1, 2], 20).astype(np.int8),
        unit=ones / 16,
        scale=ones,
        lower=0 * ones,
        upper=ones,
        perturbable=ones.astype(bool),
    )


@pytest.fixture
def imported(dataset, tmp_path):
    """`import_model` of a specified model whose files are in tmp_path."""

    def run(**model):
        return import_model(Model(**model), dataset=dataset, folder=tmp_path, target=tmp_path / "target")

    return run


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """The factories above, importable as `own_models`."""
    (tmp_path / "own_models.py").write_text(FACTORY_SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path / "own_models.py"
    sys.modules.pop("own_models", None)


def _body(seed=1):
    return build("mlp", {"hidden": (8,)}, input_shape=SHAPE, n_classes=3, seed=seed)


def _x(dataset):
    return torch.from_numpy(dataset.x().astype(np.float32))


def _card(**changes):
    fields = {
        "architecture": "mlp",
        "parameters": {"hidden": (8,)},
        "input_shape": SHAPE,
        "classes": CLASSES,
        "preprocessing": preprocessing_of([0.3], [0.7]),
    }
    return ModelCard(**(fields | changes))


def _onnx_file(path, *, rows=64, classes=3):
    weight = np.random.default_rng(0).normal(size=(rows, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "own",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return weight


def test_plain_weights_of_an_architecture_take_raw_inputs(imported, dataset, tmp_path):
    body = _body()
    safetensors.torch.save_file(body.state_dict(), tmp_path / "weights.safetensors")
    loaded = imported(architecture="mlp", hidden=(8,), weights="weights.safetensors")
    assert torch.equal(loaded.module(_x(dataset)), body(_x(dataset)))
    assert loaded.card.preprocessing.mean == ("0",)
    assert loaded.sha256 == load_model(tmp_path / "target").sha256


def test_mean_and_std_among_plain_weights_become_the_preprocessing(imported, dataset, tmp_path):
    body = _body()
    tensors = body.state_dict() | {"mean": torch.tensor([0.1]), "std": torch.full((1, 1, 1), 0.3)}
    safetensors.torch.save_file(tensors, tmp_path / "weights.safetensors", metadata={"format": "pt"})
    loaded = imported(architecture="mlp", hidden=(8,), weights="weights.safetensors")
    wanted = body((_x(dataset) - torch.tensor(0.1)) / torch.tensor(0.3))
    assert torch.equal(loaded.module(_x(dataset)), wanted)
    assert loaded.card.preprocessing == preprocessing_of([0.1], [0.3])


def test_a_robustcert_model_file_keeps_its_bytes(imported, tmp_path):
    digest = save_model(build_classifier(_card(), seed=2), _card(), tmp_path / "mine")
    loaded = imported(architecture="mlp", hidden=(8,), weights="mine", sha256=digest)
    assert (tmp_path / "target").read_bytes() == (tmp_path / "mine").read_bytes()
    assert loaded.sha256 == digest


def test_an_onnx_file_keeps_its_bytes_and_its_answers(imported, dataset, tmp_path):
    weight = _onnx_file(tmp_path / "own.onnx")
    loaded = imported(onnx="own.onnx")
    np.testing.assert_allclose(
        loaded.module(_x(dataset)).numpy(), dataset.x().reshape(20, 64) @ weight, rtol=1e-5, atol=1e-5
    )
    assert (tmp_path / "target").read_bytes() == (tmp_path / "own.onnx").read_bytes()
    assert loaded.card.format == "onnx"
    assert load_model(tmp_path / "target").sha256 == loaded.sha256


def test_a_factorys_own_weights_are_saved_with_the_digest_of_its_source(imported, dataset, own_models, tmp_path):
    loaded = imported(factory="own_models:model")
    again = load_model(tmp_path / "target", factory="own_models:model")
    assert torch.equal(again.module(_x(dataset)), loaded.module(_x(dataset)))
    assert loaded.card.factory_sha256 == hashlib.sha256(own_models.read_bytes()).hexdigest()


@pytest.mark.usefixtures("own_models")
def test_weights_for_a_factory_replace_its_own(imported, dataset, tmp_path):
    weight, bias = torch.rand(3, 64), torch.rand(3)
    safetensors.torch.save_file({"1.weight": weight, "1.bias": bias}, tmp_path / "weights.safetensors")
    loaded = imported(factory="own_models:model", weights="weights.safetensors")
    torch.testing.assert_close(loaded.module(_x(dataset)), _x(dataset).flatten(1) @ weight.T + bias)


@pytest.mark.usefixtures("own_models")
def test_a_model_file_made_with_a_factory_is_imported_with_the_same_factory(imported, tmp_path):
    first = imported(factory="own_models:seeded")
    (tmp_path / "target").rename(tmp_path / "mine")
    assert imported(factory="own_models:seeded", weights="mine").sha256 == first.sha256


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("model", "match"),
    [
        ({"factory": "own_models:double"}, r"float32 tensors from own_models:double, got torch.float64 in '1.bias'"),
        (
            {"factory": "own_models:probabilities"},
            "got rows that sum to 1, as probabilities do; remove the last softmax",
        ),
        ({"factory": "own_models:hidden"}, "the same logits from the saved model, got others; keep everything"),
        (
            {"factory": "own_models:model", "sha256": "0" * 64},
            "expected 'weights' of the model, got none; name the file",
        ),
        ({"architecture": "mlp"}, "expected 'weights' of the model, got none; name the file, or train the model"),
        ({"architecture": "mlp", "weights": "absent"}, "expected a model file, got no file at .*absent"),
        (
            {"architecture": "mlp", "weights": "own_models.py"},
            "expected a safetensors file, got other bytes in own_models",
        ),
        ({"onnx": "own_models.py"}, "expected a safetensors or ONNX file, got other bytes in own_models"),
    ],
)
def test_an_own_model_that_cannot_be_certified_is_refused_and_leaves_no_file(imported, tmp_path, model, match):
    with pytest.raises(ModelError, match=match):
        imported(**model)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mean": torch.zeros(1)}, r"'mean' and 'std' of 1 numbers, got \[\(1,\), None\]"),
        ({"mean": torch.zeros(2), "std": torch.ones(2)}, r"of 1 numbers, got \[\(2,\), \(2,\)\]; give one number per"),
        ({"mean": torch.zeros(1), "std": torch.zeros(1)}, "finite means and positive stds"),
        ({"output.bias": torch.zeros(4)}, r"expected 'output.bias' as float32 \(3,\), got float32 \(4,\) in weights"),
        ({"extra": torch.zeros(1)}, "got also 'extra' in weights"),
    ],
)
def test_plain_weights_that_do_not_fit_are_refused(imported, tmp_path, changes, match):
    safetensors.torch.save_file(_body().state_dict() | changes, tmp_path / "weights")
    with pytest.raises(ModelError, match=match):
        imported(architecture="mlp", hidden=(8,), weights="weights")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"architecture": "small-cnn", "parameters": {"width": 2}},
            "a model with architecture mlp, got small-cnn in mine",
        ),
        (
            {"parameters": {"hidden": (9,)}},
            r"a model with parameters {'hidden': \(8,\)}, got {'hidden': \(9,\)} in mine",
        ),
        ({"input_shape": (1, 4, 16)}, r"a model with input_shape \(1, 8, 8\), got \(1, 4, 16\)"),
        (
            {"classes": ("zero", "two", "one")},
            "a model with classes .*; correct the specification or give another file",
        ),
    ],
)
def test_a_model_file_of_another_model_is_refused(imported, tmp_path, changes, match):
    card = _card(**changes)
    save_model(build_classifier(card, seed=0), card, tmp_path / "mine")
    with pytest.raises(ModelError, match=match):
        imported(architecture="mlp", hidden=(8,), weights="mine")


def test_a_safetensors_file_in_the_place_of_onnx_is_refused(imported, tmp_path):
    save_model(build_classifier(_card(), seed=0), _card(), tmp_path / "mine")
    with pytest.raises(ModelError, match="a model with format onnx, got safetensors in mine"):
        imported(onnx="mine")


def test_an_onnx_file_with_another_number_of_classes_is_refused(imported, tmp_path):
    _onnx_file(tmp_path / "own.onnx", classes=4)
    with pytest.raises(ModelError, match=r"got \(16, 4\), not \(16, 3\); give one logit per class of the data set"):
        imported(onnx="own.onnx")


def test_a_file_with_another_digest_than_the_specified_is_refused(imported, tmp_path):
    safetensors.torch.save_file(_body().state_dict(), tmp_path / "weights")
    with pytest.raises(ModelError, match=f"a file with SHA-256 {'1' * 64}, got .*; check that it is the file you mean"):
        imported(architecture="mlp", hidden=(8,), weights="weights", sha256="1" * 64)


def test_the_digests_of_own_files_are_listed_by_their_key(own_models, tmp_path):
    def digest(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()

    _onnx_file(tmp_path / "own.onnx")
    (tmp_path / "weights").write_bytes(safetensors.torch.save({"w": torch.zeros(1)}))
    factory = Model(factory="own_models:model", weights="weights")
    assert own_files_sha256(factory, folder=tmp_path) == {
        "weights": digest(tmp_path / "weights"),
        "factory": digest(own_models),
    }
    assert own_files_sha256(Model(onnx="own.onnx"), folder=tmp_path) == {"onnx": digest(tmp_path / "own.onnx")}
    assert own_files_sha256(Model(architecture="mlp"), folder=tmp_path) == {}


@pytest.mark.parametrize("key", ["weights", "onnx"])
def test_a_registered_model_is_fetched_from_where_it_lies_now(tmp_path, key):
    asked = []

    def fetch(uri, target):
        asked.append(uri)
        target.write_bytes(b"model")

    own = {"architecture": "mlp", "weights": "old.bin"} if key == "weights" else {"onnx": "old.bin"}
    registered = Model(**own, sha256="0" * 64)
    with located(registered, uri="s3://bucket/new.safetensors?endpoint=http://s3.example", fetch=fetch) as model:
        path = getattr(model, key)
        assert Path(path).read_bytes() == b"model"
        assert Path(path).suffix == ".safetensors"
    assert asked == ["s3://bucket/new.safetensors?endpoint=http://s3.example"]
    assert not Path(path).exists()
    with located(registered, uri=str(tmp_path / "copy")) as model:
        assert getattr(model, key) == str(tmp_path / "copy")
    with located(registered, uri="") as model:
        assert model == registered


def test_a_model_whose_digest_is_not_registered_lies_where_the_specification_says():
    with (
        pytest.raises(ModelError, match=r"^expected 'model\.sha256' of the specification with model_uri, got none; "),
        located(Model(onnx="own.onnx"), uri="elsewhere.onnx"),
    ):
        pytest.fail("it was refused")
