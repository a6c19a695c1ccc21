"""Model files: deterministic bytes, checked tensors, no code from the file."""

import hashlib
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.card import ModelCard, Preprocessing, identity_preprocessing
from robustcert.models.factory import factory_digest
from robustcert.models.files import load_model, save_model
from robustcert.models.model import build_classifier, classifier_of

CARD = ModelCard(
    architecture="resnet",
    parameters={"width": 2},
    input_shape=(1, 8, 8),
    classes=("no", "yes"),
    preprocessing=Preprocessing(mean=("0.25",), std=("0.5",)),
)
TINY_CARD = ModelCard(
    architecture="mlp",
    parameters={"hidden": (1,)},
    input_shape=(1,),
    classes=("no", "yes"),
    preprocessing=identity_preprocessing((1,)),
    trained_by="nobody",
)
FACTORY_SOURCE = """
from torch import nn


def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
"""


def _trained(card):
    """A classifier whose BatchNorm statistics are not those of a new one."""
    classifier = build_classifier(card, seed=3)
    classifier(torch.rand(16, *card.input_shape, generator=torch.Generator().manual_seed(0)))
    return classifier.eval()


def _rewritten(path, *, tensors=None, metadata=None):
    """The same model file with other tensors or metadata."""
    own = safetensors.torch.load_file(path) if tensors is None else tensors
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])["__metadata__"] if metadata is None else metadata
    path.write_bytes(safetensors.torch.save(own, metadata=header))
    return path


@pytest.fixture
def model_file(tmp_path) -> Path:
    """A saved ResNet of two channels."""
    save_model(_trained(CARD), CARD, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def own_factory(tmp_path, monkeypatch):
    """Name of a factory in an importable module that has not been imported yet; its source file."""
    (tmp_path / "own_factory.py").write_text(FACTORY_SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path / "own_factory.py"
    sys.modules.pop("own_factory", None)


def _factory_file(path):
    card = ModelCard(
        factory="own_factory:model",
        factory_sha256=factory_digest("own_factory:model"),
        input_shape=(1, 8, 8),
        classes=("no", "yes"),
        preprocessing=identity_preprocessing((1, 8, 8)),
    )
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    classifier = classifier_of(body, card)
    save_model(classifier, card, path)
    sys.modules.pop("own_factory")
    return classifier


def test_a_loaded_model_answers_as_the_saved_one_and_knows_its_files_digest(tmp_path):
    classifier = _trained(CARD)
    digest = save_model(classifier, CARD, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    x_BCHW = torch.rand(5, 1, 8, 8)
    assert torch.equal(loaded.module(x_BCHW), classifier(x_BCHW))
    assert loaded.card == CARD
    assert loaded.sha256 == digest == hashlib.sha256((tmp_path / "model").read_bytes()).hexdigest()


def test_a_loaded_model_is_in_eval_mode_without_parameter_gradients(model_file):
    module = load_model(model_file).module
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    x_BCHW = torch.rand(2, 1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x_BCHW).sum(), x_BCHW)
    assert gradient.abs().sum() > 0


def test_equal_models_give_equal_bytes_and_any_change_gives_others(tmp_path):
    first = save_model(_trained(CARD), CARD, tmp_path / "a")
    assert save_model(_trained(CARD), CARD, tmp_path / "b") == first
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    changed = _trained(CARD)
    changed.body.output.bias.data[0] += 1e-6
    assert save_model(changed, CARD, tmp_path / "c") != first
    renamed = CARD.model_copy(update={"classes": ("no", "maybe")})
    assert save_model(_trained(CARD), renamed, tmp_path / "d") != first


def test_the_bytes_of_a_small_model_are_the_published_format_written_by_hand(tmp_path):
    classifier = build_classifier(TINY_CARD, seed=0)
    numbers = {"hidden1.bias": [1.0], "hidden1.weight": [2.0], "output.bias": [3.0, 4.0], "output.weight": [5.0, 6.0]}
    classifier.body.load_state_dict(
        {name: torch.tensor(value).reshape(classifier.body.state_dict()[name].shape) for name, value in numbers.items()}
    )
    save_model(classifier, TINY_CARD, tmp_path / "model")
    card = (
        '{"architecture":"mlp","classes":["no","yes"],"factory":null,"factorySha256":null,"format":"safetensors",'
        '"inputShape":[1],"parameters":{"hidden":[1]},"preprocessing":{"gridRounding":'
        f'"{TINY_CARD.preprocessing.grid_rounding}",'
        '"mean":["0"],"std":["1"]},"trainedBy":"nobody","version":"robustcert-model/v1"}'
    )
    header = {"__metadata__": {"robustcert": card}}
    shapes = {"hidden1.bias": [1], "hidden1.weight": [1, 1], "output.bias": [2], "output.weight": [2, 1]}
    begin = 0
    for name, shape in shapes.items():
        end = begin + 4 * len(numbers[name])
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    values = np.concatenate(list(numbers.values())).astype("<f4").tobytes()
    assert (tmp_path / "model").read_bytes() == len(text).to_bytes(8, "little") + text + values


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t | {"output.bias": torch.tensor([0.0, torch.nan])}, "finite numbers in 'output.bias'"),
        (lambda t: t | {"output.bias": torch.zeros(3)}, r"'output.bias' as float32 \(2,\), got float32 \(3,\)"),
        (lambda t: t | {"output.bias": torch.zeros(2).double()}, "got float64"),
        (lambda t: t | {"hook": torch.zeros(1)}, "only the model's tensors, got also 'hook'"),
        (lambda t: {n: v for n, v in t.items() if n != "norm.running_var"}, "the tensor 'norm.running_var'"),
        (lambda t: t | {"norm.num_batches_tracked": torch.tensor(1.0)}, r"as int64 \(\), got float32 \(\)"),
    ],
)
def test_a_file_whose_tensors_do_not_fit_its_card_is_refused(model_file, change, match):
    tensors = change(safetensors.torch.load_file(model_file))
    with pytest.raises(ModelError, match=match):
        load_model(_rewritten(model_file, tensors=tensors))


def test_a_card_that_asks_for_a_huge_network_costs_no_memory(model_file):
    huge = CARD.model_copy(update={"architecture": "mlp", "parameters": {"hidden": (8192,) * 32}})
    with pytest.raises(ModelError, match=r"expected the tensor 'hidden1.bias', got none"):
        load_model(_rewritten(model_file, metadata={"robustcert": huge.to_json().decode()}))


def test_a_card_with_an_unknown_architecture_is_refused(model_file):
    other = CARD.model_copy(update={"architecture": "transformer"})
    with pytest.raises(ModelError, match="got 'transformer'; name one of them"):
        load_model(_rewritten(model_file, metadata={"robustcert": other.to_json().decode()}))


def test_plain_weights_without_a_card_are_refused_with_the_way_in(model_file):
    with pytest.raises(ModelError, match=r"got \[\] in .*; import your own weights through the specification's"):
        load_model(_rewritten(model_file, metadata={}))


def test_bytes_that_are_no_model_are_refused(tmp_path):
    for number, data in enumerate([b"", b"just text, nothing else", b"\xff" * 100, b"\x08\x0a"]):
        (tmp_path / str(number)).write_bytes(data)
        with pytest.raises(ModelError, match=r"expected a safetensors or ONNX file, got other bytes in"):
            load_model(tmp_path / str(number))


def test_a_card_that_names_a_factory_runs_nothing_until_the_user_names_it_too(tmp_path, own_factory):
    classifier = _factory_file(tmp_path / "model")
    for named in (None, "os:getcwd", "own_factory:other"):
        with pytest.raises(ModelError, match=r"the factory of .*, named by you, got .*if you trust that code, name"):
            load_model(tmp_path / "model", factory=named)
        assert "own_factory" not in sys.modules
    loaded = load_model(tmp_path / "model", factory="own_factory:model")
    x_BCHW = torch.rand(3, 1, 8, 8)
    assert torch.equal(loaded.module(x_BCHW), classifier(x_BCHW))


def test_a_factory_whose_source_changed_since_the_import_is_refused(tmp_path, own_factory):
    _factory_file(tmp_path / "model")
    own_factory.write_text(FACTORY_SOURCE.replace("nn.Flatten()", "nn.Flatten(), nn.Tanh()"))
    importlib.invalidate_caches()
    with pytest.raises(ModelError, match=r"own_factory:model from source .*restore the source file"):
        load_model(tmp_path / "model", factory="own_factory:model")


def test_a_factory_given_for_a_file_that_names_none_is_refused(model_file):
    with pytest.raises(ModelError, match="expected no factory, got factory 'os:getcwd'"):
        load_model(model_file, factory="os:getcwd")


def test_nothing_is_saved_when_card_and_classifier_disagree(tmp_path):
    classifier = _trained(CARD)
    other = CARD.model_copy(update={"preprocessing": identity_preprocessing((1, 8, 8))})
    with pytest.raises(ModelError, match="the card's mean and std in the classifier, got others"):
        save_model(classifier, other, tmp_path / "model")
    wider = CARD.model_copy(update={"parameters": {"width": 3}})
    with pytest.raises(ModelError, match="in the model; check the architecture and its parameters"):
        save_model(classifier, wider, tmp_path / "model")
    onnx = ModelCard(
        format="onnx", input_shape=(1, 8, 8), classes=("a", "b"), preprocessing=identity_preprocessing((1, 8, 8))
    )
    with pytest.raises(ModelError, match="a safetensors card, got onnx; copy the ONNX file itself"):
        save_model(classifier, onnx, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_nan_is_not_saved_and_the_old_file_stays(model_file):
    before, classifier = model_file.read_bytes(), _trained(CARD)
    classifier.body.output.weight.data[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"finite numbers in 'output.weight', got NaN or infinity in the model"):
        save_model(classifier, CARD, model_file)
    assert model_file.read_bytes() == before


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_model(_trained(CARD), CARD, tmp_path / "absent" / "model")
