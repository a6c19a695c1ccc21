import torch

from robustcert.bounds.network import Network, Node
from robustcert.bounds.simplification import simplified


def scale(source: int, factor: object, shift: object, shape: tuple[int, ...]) -> Node:
    held = {"factor": torch.as_tensor(factor).double(), "shift": torch.as_tensor(shift).double()}
    return Node(op="scale", inputs=(source,), shape=shape, parameters=held)


def linear(source: int) -> Node:
    held = {"weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double(), "bias": torch.ones(2).double()}
    return Node(op="linear", inputs=(source,), shape=(2,), parameters=held)


INPUT = Node(op="input", inputs=(), shape=(2,))


def test_scalings_fold_into_one_another_and_into_the_layer_before_them() -> None:
    nodes = [
        INPUT,
        scale(0, 2.0, 1.0, (2,)),
        scale(1, [3.0, -1.0], 0.0, (2,)),
        linear(2),
        scale(3, [1.0, 5.0], 2.0, (2,)),
    ]
    short = simplified(nodes, output=4)
    assert [node.op for node in short] == ["input", "scale", "linear"]
    x = torch.rand((3, 2), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Network(nodes=short).forward(x), Network(nodes=tuple(nodes)).forward(x))


def test_a_layer_that_something_else_also_reads_is_left_alone() -> None:
    nodes = [INPUT, linear(0), scale(1, 2.0, 0.0, (2,)), Node(op="add", inputs=(1, 2), shape=(2,))]
    short = simplified(nodes, output=3)
    assert [node.op for node in short] == ["input", "linear", "scale", "add"]
    x = torch.rand((3, 2), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Network(nodes=short).forward(x), Network(nodes=tuple(nodes)).forward(x))


def test_a_scaling_within_a_channel_is_not_folded_into_a_convolution() -> None:
    held = {"weight": torch.ones(1, 1, 1, 1).double(), "bias": torch.zeros(1).double(), "groups": 1}
    held |= {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    image = Node(op="input", inputs=(), shape=(1, 2, 2))
    convolution = Node(op="convolution", inputs=(0,), shape=(1, 2, 2), parameters=held)
    by_place = scale(1, torch.arange(4.0).reshape(1, 2, 2), 0.0, (1, 2, 2))
    assert [node.op for node in simplified([image, convolution, by_place], output=2)] == [
        "input",
        "convolution",
        "scale",
    ]
    by_channel = scale(1, torch.full((1, 1, 1), 3.0), 0.0, (1, 2, 2))
    assert [node.op for node in simplified([image, convolution, by_channel], output=2)] == ["input", "convolution"]


def test_nodes_that_the_output_does_not_need_are_left_out() -> None:
    nodes = [INPUT, linear(0), Node(op="relu", inputs=(1,), shape=(2,)), linear(1)]
    short = simplified(nodes, output=3)
    assert [(node.op, node.inputs) for node in short] == [("input", ()), ("linear", (0,)), ("linear", (1,))]
