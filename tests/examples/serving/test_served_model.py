"""Oracles: the model file run by plain torch, and the certification's own noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from examples.serving.served_model import Draws, ServedModel, open_model
from examples.serving.standing import open_trusted
from robustcert.certificate.bundle import DATASET
from robustcert.data.dataset import load_dataset
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import open_store
from tests.chain import Chain


@pytest.fixture(scope="module")
def model(chain: Chain) -> ServedModel:
    store = open_store(str(chain.store))
    certified = open_trusted(store, sha256_file(chain.files.certificate), keys=[chain.key])
    return open_model(store, certified, draws=Draws(n=300, radius_n=0))


def test_logits_are_those_of_the_model_on_the_grid(chain: Chain, model: ServedModel) -> None:
    x = np.random.Generator(np.random.Philox(2)).uniform(0, 1, (3, 64))
    unit = load_dataset(chain.bundle / DATASET).unit
    on_grid = np.rint(x.reshape(3, 1, 8, 8) / unit) * unit
    with torch.no_grad():
        wanted = load_model(chain.bundle / "model.safetensors").module(torch.from_numpy(on_grid.astype(np.float32)))
    assert np.allclose(model.logits(x), wanted.numpy(), atol=1e-6)


def test_the_noise_is_as_large_as_the_certificate_says_and_its_key_another(chain: Chain, model: ServedModel) -> None:
    dataset = load_dataset(chain.bundle / DATASET)
    assert np.allclose(model.noise.sigma_steps * dataset.unit, float(chain.predicate.certification.sigma))
    assert model.noise.key0 != int(chain.predicate.certification.key0)
    assert model.settings.alpha == float(chain.predicate.certification.alpha)


def test_a_repeated_question_gets_the_same_answer(chain: Chain, model: ServedModel) -> None:
    test = load_dataset(chain.bundle / DATASET).select("test")
    x = test.x()[:4].reshape(4, -1)
    first = model.smoothed(x)
    assert first == model.smoothed(x)
    assert {one.radius for one in first} == {None}, "no draws for a radius, no radius"
