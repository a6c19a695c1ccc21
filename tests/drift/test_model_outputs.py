"""The certified model's answers, against torch used by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from robustcert.drift.model_outputs import embedding_of, model_outputs
from robustcert.models.files import load_model
from robustcert.models.model import LoadedModel, classifier_of, frozen
from tests.chain import Chain

X = np.random.default_rng(0).uniform(0, 1, (300, 1, 8, 8))


def model(chain: Chain) -> LoadedModel:
    return load_model(chain.bundle / "model.safetensors")


def test_answers_are_those_of_the_logits(chain: Chain) -> None:
    found, loaded = model_outputs(model(chain), X), model(chain)
    with torch.no_grad():
        logits = loaded.module(torch.from_numpy(X).float()).double().numpy()
    top = np.sort(logits, axis=1)
    assert np.array_equal(found.predictions, logits.argmax(axis=1))
    assert np.allclose(found.margins, top[:, -1] - top[:, -2], atol=1e-5)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.allclose(found.probabilities, exponents / exponents.sum(axis=1, keepdims=True), atol=1e-6)
    assert np.allclose(found.confidences, found.probabilities.max(axis=1))
    assert len(found) == 300


def test_the_embedding_is_what_enters_the_last_linear_layer(chain: Chain) -> None:
    loaded = model(chain)
    embedding = embedding_of(loaded, X)
    assert embedding.shape == (300, 32)
    output = loaded.module.body.get_submodule("output")
    assert isinstance(output, nn.Linear)
    logits = embedding @ output.weight.double().numpy().T + output.bias.double().numpy()
    assert np.array_equal(logits.argmax(axis=1), model_outputs(loaded, X).predictions)


def test_without_a_linear_layer_the_logits_are_the_embedding(chain: Chain) -> None:
    loaded = model(chain)
    body = nn.Sequential(nn.Flatten(), nn.Softplus())
    bare = LoadedModel(module=frozen(classifier_of(body, loaded.card)), card=loaded.card, sha256="")
    with torch.no_grad():
        wanted = bare.module(torch.from_numpy(X).float()).numpy()
    assert np.allclose(embedding_of(bare, X), wanted, atol=1e-6)


def test_nothing_of_the_model_is_changed(chain: Chain, tmp_path: Path) -> None:
    loaded = model(chain)
    before = {name: value.clone() for name, value in loaded.module.body.state_dict().items()}
    embedding_of(loaded, X[:3])
    assert all(torch.equal(value, before[name]) for name, value in loaded.module.body.state_dict().items())
    assert not loaded.module.body.get_submodule("output")._forward_pre_hooks
