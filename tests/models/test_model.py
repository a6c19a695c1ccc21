"""Classifier: preprocessing belongs to the model, and everything outside lives in raw input space."""

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.card import ModelCard, Preprocessing, identity_preprocessing
from robustcert.models.model import build_classifier, classifier_of, frozen, skeleton


def _card(input_shape, mean, std):
    preprocessing = Preprocessing(mean=mean, std=std)
    return ModelCard(
        architecture="mlp",
        parameters={"hidden": (4,)},
        input_shape=input_shape,
        classes=("a", "b"),
        preprocessing=preprocessing,
    )


def test_a_classifier_normalises_each_channel_before_its_body():
    card = _card((2, 3, 3), ("0.25", "0.5"), ("2", "0.5"))
    x = np.random.default_rng(0).random((4, 2, 3, 3), dtype=np.float32)
    normalised = (x - np.float32([0.25, 0.5]).reshape(1, 2, 1, 1)) / np.float32([2, 0.5]).reshape(1, 2, 1, 1)
    seen = classifier_of(nn.Flatten(), card)(torch.from_numpy(x))
    np.testing.assert_array_equal(seen.numpy(), normalised.reshape(4, -1))


def test_a_classifier_normalises_each_column_of_a_table():
    card = _card((3,), ("1", "-2", "0"), ("1", "2", "4"))
    seen = classifier_of(nn.Identity(), card)(torch.tensor([[1.0, 0.0, 4.0]]))
    assert seen.tolist() == [[0.0, 1.0, 1.0]]


def test_the_gradient_is_taken_in_raw_input_units():
    body = nn.Linear(2, 2, bias=False)
    body.weight.data = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    x = torch.tensor([[0.3, 0.7]], requires_grad=True)
    classifier_of(body, _card((2,), ("0", "0"), ("0.5", "4")))(x).sum().backward()
    assert x.grad.tolist() == [[3 / 0.5, 5 / 4]]


def test_identity_preprocessing_changes_no_bit_of_an_input():
    card = ModelCard(factory="a:b", input_shape=(5,), classes=("a", "b"), preprocessing=identity_preprocessing((5,)))
    x = torch.randn(100, 5) * torch.logspace(-20, 20, 5)
    assert torch.equal(classifier_of(nn.Identity(), card)(x), x)


def test_mean_and_std_are_in_the_card_and_not_in_the_state_dict():
    classifier = build_classifier(_card((2,), ("1", "2"), ("3", "4")), seed=0)
    assert not {"mean", "std"} & set(classifier.state_dict())
    assert classifier.mean.tolist() == [1, 2]
    assert classifier.std.tolist() == [3, 4]


def test_a_built_classifier_is_ready_to_train_and_a_frozen_one_to_evaluate():
    classifier = build_classifier(_card((2,), ("0", "0"), ("1", "1")), seed=0)
    assert classifier.training
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert frozen(classifier) is classifier
    assert not classifier.training
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_building_from_a_card_without_an_architecture_is_refused():
    card = ModelCard(factory="a:b", input_shape=(5,), classes=("a", "b"), preprocessing=identity_preprocessing((5,)))
    with pytest.raises(ModelError, match="a card with an architecture, got none; use load_model"):
        build_classifier(card, seed=0)


def test_a_skeleton_has_shapes_and_no_memory():
    tensors = skeleton(_card((2,), ("0", "0"), ("1", "1"))).state_dict()
    assert tensors["hidden1.weight"].shape == (4, 2)
    assert {tensor.device.type for tensor in tensors.values()} == {"meta"}
