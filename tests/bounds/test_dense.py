"""Dense networks against torch in float64."""

import numpy as np
import pytest
import torch

from robustcert.bounds.dense import DenseLayer, DenseNetwork, dense_chain
from robustcert.errors import ModelError
from tests.bounds.random_queries import random_question


def test_a_chain_computes_what_torch_computes() -> None:
    question = random_question(3)
    x = np.random.Generator(np.random.Philox(0)).normal(size=(7, len(question.x)))
    wanted = question.module().double()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(dense_chain(question.layers).forward(x), wanted, atol=1e-12)


def test_a_layer_may_read_earlier_sources_too() -> None:
    hidden = DenseLayer(weights={0: np.array([[1.0, -1.0]])}, bias=np.array([0.5]))
    output = DenseLayer(weights={0: np.array([[2.0, 0.0]]), 1: np.array([[3.0]])}, bias=np.array([1.0]))
    network = DenseNetwork(inputs=2, hidden=(hidden,), output=output)
    assert network.forward(np.array([[1.0, 0.0], [0.0, 2.0]])).tolist() == [[2 + 3 * 1.5 + 1], [1.0]]
    assert (network.relus, network.sizes) == (1, (2, 1))


def test_rows_are_merged_into_the_last_layer() -> None:
    question = random_question(4)
    network = dense_chain(question.layers)
    x = np.random.Generator(np.random.Philox(1)).normal(size=(5, len(question.x)))
    rows, offsets = np.array([[1.0, -1.0, 0.0], [0.5, 0.0, 2.0]]), np.array([0.25, -1.0])
    merged = network.with_rows(rows, offsets)
    np.testing.assert_allclose(merged.forward(x), network.forward(x) @ rows.T + offsets, atol=1e-12)


@pytest.mark.parametrize("layers", [[], [(np.ones((2, 3)), np.ones(2)), (np.ones((2, 3)), np.ones(2))]])
def test_shapes_that_do_not_follow_one_another_are_refused(layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
    with pytest.raises(ModelError, match=r"expected (at least one layer|a layer on 2 values)"):
        dense_chain(layers)
