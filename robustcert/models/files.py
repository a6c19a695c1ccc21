"""Model files: written once, read with every tensor checked, and never a reason to run code.

A model file is described in `robustcert.models.card`. Its bytes are a function of card and tensors alone, and their
SHA-256 is the subject of a certificate.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from robustcert.errors import ModelError, expected
from robustcert.models.card import METADATA_KEY, ModelCard, card_in
from robustcert.models.factory import call_factory, factory_digest
from robustcert.models.file_bytes import is_safetensors, read_model_bytes
from robustcert.models.model import Classifier, LoadedModel, classifier_of, frozen, preprocessing_tensors, skeleton
from robustcert.models.onnx_import import import_onnx
from robustcert.models.weights import check_tensors, filled, state_of
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.atomic import draft


def save_model(classifier: Classifier, card: ModelCard, path: Path) -> str:
    """Write the model file atomically and return its SHA-256. Equal tensors and cards give equal bytes.

    Raises ModelError when card and classifier disagree, a tensor is not finite, or the card is of an ONNX file;
    OSError when the file can't be written (nothing half-written stays).
    """
    if card.format != "safetensors":
        raise ModelError(expected("a safetensors card", got=card.format, remedy="copy the ONNX file itself"))
    _same_preprocessing(classifier, card)
    tensors = state_of(classifier.body)
    check_tensors(tensors, wanted=skeleton(card).state_dict() if card.architecture else tensors, source="the model")
    data = safetensors.torch.save(tensors, metadata={METADATA_KEY: card.to_json().decode()})
    with draft(path.parent) as file:
        digest = file.write([data])
        file.replace(path)
    return digest


def load_model(path: Path, *, factory: str | None = None) -> LoadedModel:
    """Read a model file, safetensors or ONNX, whatever its name.

    A file whose card names a factory is refused unless the same `factory` is given here: only then is it imported.
    Raises ModelError with expected, got and remedy for everything that is wrong with the file.
    """
    return model_in(read_model_bytes(path), factory=factory, source=str(path))


def model_in(data: bytes, *, factory: str | None, source: str) -> LoadedModel:
    """The model in a model file's bytes, as `load_model` reads it; `source` is named in errors."""
    if is_safetensors(data):
        card = card_in(data, source=source)
        classifier = _from_safetensors(data, card, factory=factory, source=source)
    else:
        body, card = import_onnx(data, source=source)
        classifier = classifier_of(body, card)
    return LoadedModel(module=frozen(classifier), card=card, sha256=sha256_bytes(data))


def _from_safetensors(data: bytes, card: ModelCard, *, factory: str | None, source: str) -> Classifier:
    if card.factory is None:
        _refuse_surplus(factory, source=source)
        body = skeleton(card)
    else:
        body = _from_factory(card.factory, card, named=factory, source=source)
    return classifier_of(filled(body, safetensors.torch.load(data), source=source), card)


def _refuse_surplus(factory: str | None, *, source: str) -> None:
    if factory is not None:
        got = f"factory {factory!r} for {source}, which names none"
        raise ModelError(expected("no factory", got=got, remedy="leave it out, or give the file made with it"))


def _from_factory(factory: str, card: ModelCard, *, named: str | None, source: str) -> nn.Module:
    if named != factory:
        what, got = f"the factory of {source}, named by you", named or "none"
        raise ModelError(
            expected(what, got=got, remedy=f"if you trust that code, name the factory {factory!r} yourself")
        )
    digest = factory_digest(factory)
    if digest != card.factory_sha256:
        remedy = "restore the source file that the model was imported with, or import it again"
        raise ModelError(expected(f"{factory} from source {card.factory_sha256}", got=digest, remedy=remedy))
    return call_factory(factory)


def _same_preprocessing(classifier: Classifier, card: ModelCard) -> None:
    mean, std = preprocessing_tensors(card)
    if not (torch.equal(classifier.mean.cpu(), mean) and torch.equal(classifier.std.cpu(), std)):
        remedy = "make the card from them with preprocessing_of"
        raise ModelError(expected("the card's mean and std in the classifier", got="others", remedy=remedy))
