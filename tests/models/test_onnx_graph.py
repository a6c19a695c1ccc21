"""Imported graphs run node by node: gradients, optional inputs, batches of any size, limits."""

import pytest
import torch

from robustcert.errors import ModelError
from robustcert.models import onnx_graph
from robustcert.models.onnx_graph import Node, OnnxGraph, Operator

OPERATORS = {
    "Scale": Operator(run=lambda node, x, w, b=None: node.attributes["by"] * (x @ w) + (0 if b is None else b)),
    "Fold": Operator(run=lambda _, x, shape: x.reshape(shape.tolist())),
}


def _graph(*nodes, **constants):
    return OnnxGraph(nodes, OPERATORS, constants=constants, input_name="x", output_name=nodes[-1].output)


def _node(operator, *inputs, output, batch_first=False, **attributes):
    return Node(
        operator=operator,
        name=output,
        opset=17,
        inputs=inputs,
        output=output,
        attributes=attributes,
        batch_first=batch_first,
    )


def test_nodes_run_in_order_with_their_attributes_and_optional_inputs():
    weight, bias = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([10.0, 20.0])
    graph = _graph(
        _node("Scale", "x", "w", "b", output="h", by=2),
        _node("Scale", "h", "w", "", output="y", by=-1),
        w=weight,
        b=bias,
    )
    x = torch.tensor([[1.0, 1.0]])
    assert torch.equal(graph(x), -(2 * x @ weight + bias) @ weight)


def test_gradients_flow_to_the_input_and_the_weights_are_not_trained():
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    graph = _graph(_node("Scale", "x", "w", output="y", by=5), w=weight)
    x = torch.ones(1, 2, requires_grad=True)
    graph(x).sum().backward()
    assert x.grad.tolist() == [[15, 35]]
    assert list(graph.parameters()) == []
    assert [buffer.tolist() for buffer in graph.buffers()] == [weight.tolist()]


def test_a_target_that_begins_with_the_exported_batch_takes_the_real_one():
    graph = _graph(_node("Fold", "x", "shape", output="y", batch_first=True), shape=torch.tensor([1, -1]))
    assert graph(torch.zeros(5, 2, 3)).shape == (5, 6)


def test_a_value_far_larger_than_its_input_is_refused(monkeypatch):
    monkeypatch.setattr(onnx_graph, "MAX_VALUES_PER_ROW", 3)
    graph = _graph(_node("Scale", "x", "w", output="y", by=1), w=torch.ones(1, 4))
    with pytest.raises(
        ModelError, match="expected an ONNX model that can be imported, got 8 values at once in Scale 'y'"
    ):
        graph(torch.ones(2, 1))


def test_a_refusal_names_operator_and_node_and_the_way_out():
    error = _node("Fold", "x", output="y").refusal("dilations")
    assert str(error) == (
        "expected an ONNX model that can be imported, got dilations in Fold 'y'; "
        "export the model without it, or bring it as a factory"
    )
