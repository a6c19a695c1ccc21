"""A user's own model becomes one checked model file, the subject of its certificate.

Three ways in: safetensors weights of a reference architecture, an importable factory, an ONNX file. A file that is a
model file already, robustcert's or ONNX, keeps its bytes and so its digest. Shapes: B batch, X one input, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from robustcert.data.dataset import Dataset
from robustcert.errors import ModelError, expected
from robustcert.models.architectures import parameters_of
from robustcert.models.card import METADATA_KEY, ModelCard, Preprocessing, identity_preprocessing, preprocessing_of
from robustcert.models.factory import call_factory, factory_digest
from robustcert.models.file_bytes import read_model_bytes, safetensors_metadata
from robustcert.models.files import load_model, model_in, save_model
from robustcert.models.logits import check_logits
from robustcert.models.model import Classifier, LoadedModel, classifier_of, frozen, skeleton
from robustcert.models.weights import filled, state_of
from robustcert.provenance.digests import sha256_bytes
from robustcert.specification import Model
from robustcert.storage.atomic import draft

PROBE_ROWS = 16
S3 = "s3://"

Fetch = Callable[[str, Path], object]


def import_model(model: Model, *, dataset: Dataset, folder: Path, target: Path) -> LoadedModel:
    """Check the specified own model on rows of `dataset`, write its model file to `target`, and return it as read back.

    Paths in `model` are relative to `folder`. Raises ModelError, and leaves no `target`, when file, digest, tensors,
    shapes or outputs are not what specification and data set ask for; OSError when `target` can't be written.
    """
    data = _own_bytes(model, folder=folder)
    probe_BX = torch.from_numpy(dataset.x()[:PROBE_ROWS].astype(np.float32))
    if data is not None and _is_model_file(model, data):
        loaded = model_in(data, factory=model.factory, source=_source(model))
        _check_card(loaded.card, model=model, dataset=dataset)
        check_logits(loaded.module, probe_BX, n_classes=len(dataset.card.classes))
        _copy(data, target)
        return loaded
    classifier, card = _assembled(model, data, dataset=dataset)
    check_logits(frozen(classifier), probe_BX, n_classes=len(card.classes))
    save_model(classifier, card, target)
    return _read_back(target, model=model, like=classifier, probe_BX=probe_BX)


@contextmanager
def located(model: Model, *, uri: str, fetch: Fetch | None = None) -> Iterator[Model]:
    """The own model with its file read from `uri`, a path or s3:// URI; as it is where that is empty.

    `fetch(uri, target)` copies an S3 object, by default with `storage.s3.fetch_object`. Raises ModelError unless
    the specification registers the file's SHA-256: where it lies may then change, what it is may not.
    """
    if uri and model.sha256 is None:
        remedy = "register the SHA-256 of the file, or leave model_uri out"
        raise ModelError(expected("'model.sha256' of the specification with model_uri", got="none", remedy=remedy))
    if not uri.startswith(S3):
        yield _moved(model, uri) if uri else model
        return
    with TemporaryDirectory(prefix="robustcert-") as folder:
        path = Path(folder) / f"model{PurePosixPath(uri.partition('?')[0]).suffix.lower()}"
        (fetch or _fetch_object)(uri, path)
        yield _moved(model, str(path))


def _moved(model: Model, path: str) -> Model:
    return model.model_copy(update={"onnx" if model.onnx is not None else "weights": path})


def _fetch_object(uri: str, target: Path) -> None:
    from robustcert.storage.s3 import fetch_object

    fetch_object(uri, target)


def own_files_sha256(model: Model, *, folder: Path) -> dict[str, str]:
    """SHA-256 of each file that the own model is made of, by its key in the specification; {} for one to be trained."""
    digests = {key: sha256_bytes(read_model_bytes(path)) for key, path in _own_paths(model, folder=folder).items()}
    return digests | ({"factory": factory_digest(model.factory)} if model.factory else {})


def _own_paths(model: Model, *, folder: Path) -> dict[str, Path]:
    named = {"weights": model.weights, "onnx": model.onnx}
    return {key: folder / path for key, path in named.items() if path is not None}


def _own_bytes(model: Model, *, folder: Path) -> bytes | None:
    paths = list(_own_paths(model, folder=folder).values())
    if not paths:
        if model.sha256 is not None or model.factory is None:
            raise ModelError(expected("'weights' of the model", got="none", remedy="name the file, or train the model"))
        return None
    data = read_model_bytes(paths[0])
    if model.sha256 not in (None, digest := sha256_bytes(data)):
        remedy = "check that it is the file you mean, then correct model.sha256"
        raise ModelError(expected(f"a file with SHA-256 {model.sha256}", got=f"{digest} of {paths[0]}", remedy=remedy))
    return data


def _source(model: Model) -> str:
    return str(model.weights or model.onnx)


def _is_model_file(model: Model, data: bytes) -> bool:
    return model.onnx is not None or METADATA_KEY in safetensors_metadata(data, source=_source(model))


def _check_card(card: ModelCard, *, model: Model, dataset: Dataset) -> None:
    """ModelError unless the card says what specification and data set say; an ONNX file has no names of classes."""
    wanted = {
        "format": "safetensors" if model.onnx is None else "onnx",
        "architecture": model.architecture,
        "parameters": parameters_of(model) if model.architecture else {},
        "input_shape": dataset.card.shape,
        "classes": dataset.card.classes if model.onnx is None else card.classes,
    }
    for name, value in wanted.items():
        if getattr(card, name) != value:
            got = f"{getattr(card, name)} in {_source(model)}"
            remedy = "correct the specification or give another file"
            raise ModelError(expected(f"a model with {name} {value}", got=got, remedy=remedy))


def _assembled(model: Model, data: bytes | None, *, dataset: Dataset) -> tuple[Classifier, ModelCard]:
    tensors = {} if data is None else safetensors.torch.load(data)
    if model.factory is None:
        return _from_architecture(model, tensors, dataset=dataset)
    return _from_factory(model.factory, tensors, source=_source(model), dataset=dataset)


def _from_architecture(model: Model, tensors: dict[str, Tensor], *, dataset: Dataset) -> tuple[Classifier, ModelCard]:
    """Weights under the architecture's names; `mean` and `std` beside them, where they are, are its preprocessing."""
    shape = dataset.card.shape
    mean, std = (tensors.pop(name, None) for name in ("mean", "std"))
    card = ModelCard(
        architecture=model.architecture,
        parameters=parameters_of(model),
        input_shape=shape,
        classes=dataset.card.classes,
        preprocessing=_preprocessing(mean, std, input_shape=shape),
    )
    return classifier_of(filled(skeleton(card), tensors, source=_source(model)), card), card


def _from_factory(
    factory: str, tensors: dict[str, Tensor], *, source: str, dataset: Dataset
) -> tuple[Classifier, ModelCard]:
    body = _float32(call_factory(factory), factory=factory)
    card = ModelCard(
        factory=factory,
        factory_sha256=factory_digest(factory),
        input_shape=dataset.card.shape,
        classes=dataset.card.classes,
        preprocessing=identity_preprocessing(dataset.card.shape),
    )
    return classifier_of(filled(body, tensors, source=source) if tensors else body, card), card


def _preprocessing(mean: Tensor | None, std: Tensor | None, *, input_shape: tuple[int, ...]) -> Preprocessing:
    if mean is None and std is None:
        return identity_preprocessing(input_shape)
    if mean is None or std is None or not mean.numel() == std.numel() == input_shape[0]:
        got = [None if tensor is None else tuple(tensor.shape) for tensor in (mean, std)]
        remedy = "give one number per channel or column in both, or leave both out"
        raise ModelError(expected(f"'mean' and 'std' of {input_shape[0]} numbers", got=got, remedy=remedy))
    return preprocessing_of(mean.flatten().tolist(), std.flatten().tolist())


def _float32(body: nn.Module, *, factory: str) -> nn.Module:
    for name, value in state_of(body).items():
        if value.dtype.is_floating_point and value.dtype != torch.float32:
            what, got = f"float32 tensors from {factory}", f"{value.dtype} in {name!r}"
            raise ModelError(expected(what, got=got, remedy="return module.float()"))
    return body


def _copy(data: bytes, target: Path) -> None:
    with draft(target.parent) as file:
        file.write([data])
        file.replace(target)


def _read_back(target: Path, *, model: Model, like: Classifier, probe_BX: Tensor) -> LoadedModel:
    """The written file as every later step will read it, if it answers as the imported model did."""
    loaded = load_model(target, factory=model.factory)
    with torch.no_grad():
        same = torch.equal(loaded.module(probe_BX), like(probe_BX))
    if not same:
        target.unlink()
        remedy = "keep everything that the model needs in its parameters and buffers"
        raise ModelError(expected("the same logits from the saved model", got="others", remedy=remedy))
    return loaded
