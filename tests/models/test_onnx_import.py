"""Whole ONNX models against onnxruntime, and files that must not be imported."""

import builtins
import io

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from robustcert.errors import ModelError
from robustcert.models import onnx_import
from robustcert.models.card import identity_preprocessing
from robustcert.models.files import load_model
from robustcert.models.onnx_import import import_onnx
from tests.models.onnx_files import answers, assert_as_onnxruntime, model_of, node, numbers

BATCHES = ["batch", 1, 5]
OPSETS = [11, 13, 17, 21]


def _batch_norm(name, channels, seed):
    return {
        f"{name}.scale": numbers(channels, seed=seed),
        f"{name}.bias": numbers(channels, seed=seed + 1),
        f"{name}.mean": numbers(channels, seed=seed + 2),
        f"{name}.var": numbers(channels, seed=seed + 3) ** 2 + np.float32(0.1),
    }


def _mlp(*, batch="batch", opset=17):
    weights = {
        "w1": numbers(16, 6) / 4,
        "b1": numbers(16),
        "w2": numbers(16, 3, seed=1) / 4,
        "b2": numbers(3, seed=1),
    }
    nodes = [
        node("Gemm", ["x", "w1", "b1"], "h", transB=1),
        node("Relu", ["h"], "a"),
        node("MatMul", ["a", "w2"], "m"),
        node("Add", ["m", "b2"], "logits"),
    ]
    return model_of(nodes, input_shape=(6,), weights=weights, batch=batch, opset=opset)


def _cnn(*, batch="batch", opset=17):
    rows = batch if isinstance(batch, int) else -1
    weights = (
        {"w1": numbers(4, 2, 3, 3) / 4, "w2": numbers(6, 4, 3, 3, seed=1) / 4, "shape": np.array([rows, 54])}
        | _batch_norm("n", 4, 2)
        | {"w3": numbers(54, 3, seed=7) / 4, "b3": numbers(3)}
    )
    nodes = [
        node("Conv", ["x", "w1"], "c1", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c1", "n.scale", "n.bias", "n.mean", "n.var"], "n1"),
        node("Relu", ["n1"], "a1"),
        node("MaxPool", ["a1"], "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "w2"], "c2", auto_pad="SAME_UPPER"),
        node("LeakyRelu", ["c2"], "a2"),
        node("AveragePool", ["a2"], "p2", kernel_shape=[2, 2], pads=[0, 0, 1, 1], strides=[2, 2]),
        node("Reshape", ["p2", "shape"], "f"),
        node("Gemm", ["f", "w3", "b3"], "logits", alpha=0.5, beta=2.0),
    ]
    return model_of(nodes, input_shape=(2, 10, 10), weights=weights, batch=batch, opset=opset)


def _residual(*, batch="batch", opset=17):
    weights = {
        "w1": numbers(4, 3, 3, 3) / 5,
        "w2": numbers(4, 4, 3, 3, seed=1) / 6,
        "w3": numbers(8, 4, 3, 3, seed=2) / 6,
        "ws": numbers(8, 4, 1, 1, seed=3) / 2,
        "w4": numbers(3, 8, seed=4),
    } | _batch_norm("n", 4, 5)
    nodes = [
        node("Conv", ["x", "w1"], "c1", pads=[1, 1, 1, 1]),
        node("Conv", ["c1", "w2"], "c2", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c2", "n.scale", "n.bias", "n.mean", "n.var"], "n2"),
        node("Add", ["n2", "c1"], "s2"),
        node("Relu", ["s2"], "a2"),
        node("Conv", ["a2", "w3"], "c3", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Conv", ["a2", "ws"], "cs", strides=[2, 2]),
        node("Add", ["c3", "cs"], "s3"),
        node("GlobalAveragePool", ["s3"], "g"),
        node("Flatten", ["g"], "f"),
        node("Gemm", ["f", "w4"], "logits", transB=1),
    ]
    return model_of(nodes, input_shape=(3, 9, 8), weights=weights, batch=batch, opset=opset)


MODELS = [(_mlp, (6,)), (_cnn, (2, 10, 10)), (_residual, (3, 9, 8))]


@pytest.mark.parametrize(("make", "input_shape"), MODELS)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("opset", OPSETS)
def test_whole_models_answer_as_onnxruntime_does(make, input_shape, batch, opset):
    rows = batch if isinstance(batch, int) else 7
    assert_as_onnxruntime(make(batch=batch, opset=opset), input_shape=input_shape, rows=rows)


@pytest.mark.parametrize(("make", "input_shape"), MODELS)
def test_a_fixed_batch_of_one_is_opened_to_any_number_of_rows(make, input_shape):
    model, x = make(batch=1), numbers(9, *input_shape)
    graph, _ = import_onnx(model.SerializeToString(), source="a test")
    wanted = np.concatenate([answers(model, row[None]) for row in x])
    np.testing.assert_allclose(graph(torch.from_numpy(x)).numpy(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("make", "input_shape"), MODELS)
def test_a_fixed_batch_of_five_is_opened_to_fewer_rows(make, input_shape):
    model, x = make(batch=5), numbers(5, *input_shape)
    graph, _ = import_onnx(model.SerializeToString(), source="a test")
    np.testing.assert_allclose(graph(torch.from_numpy(x[:2])).numpy(), answers(model, x)[:2], rtol=1e-5, atol=1e-5)


def test_the_gradient_is_that_of_the_answers():
    model, x = _mlp(), numbers(1, 6)
    graph, _ = import_onnx(model.SerializeToString(), source="a test")
    row = torch.from_numpy(x).requires_grad_()
    graph(row)[0, 1].backward()
    step = np.float32(1e-2)
    for coordinate in range(6):
        shift = step * np.eye(6, dtype=np.float32)[coordinate]
        slope = (answers(model, x + shift)[0, 1] - answers(model, x - shift)[0, 1]) / (2 * step)
        assert row.grad[0, coordinate].item() == pytest.approx(slope, abs=2e-3)


def test_the_card_says_what_the_graph_says():
    _, card = import_onnx(_cnn().SerializeToString(), source="a test")
    assert (card.format, card.input_shape, card.classes) == ("onnx", (2, 10, 10), ("0", "1", "2"))
    assert card.preprocessing == identity_preprocessing((2, 10, 10))


def test_an_onnx_file_is_loaded_under_any_name(tmp_path):
    onnx.save(_mlp(), tmp_path / "model")
    loaded, x = load_model(tmp_path / "model"), numbers(4, 6)
    np.testing.assert_allclose(loaded.module(torch.from_numpy(x)).numpy(), answers(_mlp(), x), rtol=1e-5, atol=1e-5)
    assert loaded.card.format == "onnx"


def test_weights_may_be_listed_among_the_inputs_and_constants_among_the_nodes():
    constant = helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(numbers(3)), name="b")
    more = [
        helper.make_node("Constant", [], ["half"], value_float=0.5, name="half"),
        helper.make_node("Constant", [], ["each"], value_floats=[1.0, 2.0, 3.0], name="each"),
        helper.make_node("Constant", [], ["shape"], value_ints=[-1, 3], name="shape"),
        helper.make_node("Constant", [], ["which"], value_int=0, name="which"),
    ]
    nodes = [
        constant,
        *more,
        node("Add", ["x", "b"], "s"),
        node("Mul", ["s", "half"], "m"),
        node("Div", ["m", "each"], "d"),
        node("Unsqueeze", ["d", "two"], "u"),
        node("Gather", ["u", "which"], "g", axis=2),
        node("Mul", ["g", "w"], "v"),
        node("Reshape", ["v", "shape"], "logits"),
    ]
    model = model_of(nodes, input_shape=(3,), weights={"w": numbers(3, seed=3), "two": np.array([2])})
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3]))
    assert_as_onnxruntime(model, input_shape=(3,))


def _refused(model, match):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(ModelError, match=match):
        import_onnx(data, source="own.onnx")


def _last(operator, **attributes):
    model = _mlp()
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(node(operator, ["before"], "logits", **attributes))
    return model


@pytest.mark.parametrize("behind", [[], ["Identity"], ["Identity", "Dropout"]])
def test_probabilities_are_refused_because_logits_are_wanted(behind):
    model = _last("Softmax")
    for number, operator in enumerate(behind):
        model.graph.node[-1].output[0] = f"before{number}"
        model.graph.node.append(node(operator, [f"before{number}"], "logits"))
    _refused(model, r"logits as the output, got probabilities from Softmax .*export the model without its last Softmax")


def test_an_unsupported_operator_attribute_or_domain_is_named():
    _refused(_last("Selu"), r"the unsupported operator Selu \(domain 'ai.onnx'\) in Selu 'logits'; export the model")
    model = _last("Relu")
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    _refused(model, r"the unsupported operator Relu \(domain 'com.example'\)")
    text = _mlp()
    text.graph.node.insert(0, helper.make_node("Constant", [], ["t"], value_string=b"x", name="t"))
    _refused(text, "the unsupported attribute value_string in Constant 't'")


def test_an_attribute_that_an_operator_here_does_not_honour_is_named(monkeypatch):
    known = onnx_import.OPERATORS | {"Gemm": onnx_import.onnx_tensors.Operator(run=lambda *_: None)}
    monkeypatch.setattr(onnx_import, "OPERATORS", known)
    _refused(_mlp(), "the unsupported attribute transB in Gemm 'h'")


def test_a_second_output_of_a_node_is_refused():
    model = _cnn()
    model.graph.node[3].output.append("indices")
    _refused(model, "a second output in MaxPool 'p1'")


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "weights.bin"])
def test_weights_in_another_file_are_refused_before_it_is_looked_at(location, monkeypatch):
    model = _mlp()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    monkeypatch.setattr(builtins, "open", lambda *_, **__: pytest.fail("a file was opened"))
    monkeypatch.setattr(io, "open", lambda *_, **__: pytest.fail("a file was opened"))
    _refused(model, f"all weights inside the ONNX file, got 'w1' in '{location}', outside own.onnx; export it again")


def test_a_constant_in_another_file_is_refused_too():
    tensor = numpy_helper.from_array(numbers(3), "c")
    tensor.data_location = TensorProto.EXTERNAL
    model = _mlp()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor, name="c"))
    _refused(model, "all weights inside the ONNX file, got 'c' in 'another file'")


@pytest.mark.parametrize("opset", [8, 10, 22, 26])
def test_other_opsets_are_refused(opset):
    _refused(_mlp(opset=opset), f"a plain ONNX classifier, got opset {opset}, not 11 to 21 in own.onnx")


def test_subgraphs_functions_and_sparse_weights_are_refused():
    branch = helper.make_graph([node("Relu", ["x"], "r")], "b", [], [helper.make_tensor_value_info("r", 1, None)])
    condition = _mlp()
    condition.graph.node.insert(0, node("If", ["x"], "i", then_branch=branch, else_branch=branch))
    _refused(condition, "got a graph inside a node in own.onnx")
    functions = _mlp()
    functions.functions.append(
        helper.make_function("own", "f", ["a"], ["b"], [node("Relu", ["a"], "b")], [helper.make_opsetid("", 17)])
    )
    _refused(functions, "got functions of its own in own.onnx")
    sparse = _mlp()
    sparse.graph.sparse_initializer.add()
    _refused(sparse, "got sparse weights in own.onnx")


def test_more_outputs_inputs_or_nodes_than_a_classifier_has_are_refused(monkeypatch):
    outputs, inputs = _mlp(), _mlp()
    outputs.graph.output.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, None))
    _refused(outputs, "got 2 outputs, not one in own.onnx")
    inputs.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 2]))
    _refused(inputs, r"one float32 input, got \['x', 'z'\] in own.onnx")
    monkeypatch.setattr(onnx_import, "MAX_NODES", 3)
    _refused(_mlp(), "got 4 nodes, more than 3 in own.onnx")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8])
def test_weights_of_another_type_are_refused(dtype):
    model = _mlp()
    model.graph.node.insert(0, node("Identity", ["other"], "unused"))
    model.graph.initializer.append(numpy_helper.from_array(numbers(4).astype(dtype), "other"))
    kind = {np.float64: "double", np.float16: "float16", np.int8: "int8"}[dtype]
    _refused(model, f"expected float32 weights, got {kind} 'other' in own.onnx; export it again")


def test_weights_that_are_not_finite_are_refused():
    model = _mlp()
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.full(16, np.nan, np.float32), "b1"))
    _refused(model, "finite numbers in 'b1', got NaN or infinity in own.onnx")


def test_a_tensor_that_claims_more_than_it_holds_is_refused():
    model = _mlp()
    model.graph.initializer[0].dims[0] = 10**9
    _refused(model, r"expected a (valid ONNX file|tensor with all its values), got .*own.onnx")


def test_a_tensor_that_holds_more_than_it_claims_is_refused():
    model = _mlp()
    model.graph.node.insert(0, node("Identity", ["other"], "unused"))
    model.graph.initializer.append(numpy_helper.from_array(numbers(5), "other"))
    model.graph.initializer[-1].dims[0] = 4
    _refused(model, "a tensor with all its values, got 'other' in own.onnx: ")


@pytest.mark.parametrize(("sizes", "kind"), [([], 1), (["batch"], 1), (["batch", "d"], 1), (["batch", 6], 11)])
def test_an_input_without_a_known_shape_or_of_another_type_is_refused(sizes, kind):
    model = _mlp()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, sizes))
    _refused(model, r"expected (an input \(batch, \.\.\.\) of known shape|one float32 input|a valid ONNX file), got")


def test_an_output_that_is_no_logits_is_refused():
    vector = _last("ReduceMean", axes=[1], keepdims=0)
    vector.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch"]))
    _refused(vector, r"an output \(batch, classes\), got \(3,\) for 3 rows in own.onnx; export a classifier's logits")
    _refused(_last("ReduceMean", axes=[1]), r"an output \(batch, classes\), got \(3, 1\) for 3 rows")


def test_a_graph_whose_rows_change_one_another_is_refused():
    mean = [node("ReduceMean", ["x"], "m", axes=[0]), node("Sub", ["x", "m"], "logits")]
    _refused(model_of(mean, input_shape=(3,)), "rows that don't depend on the batch, got rows that change one another")


def test_a_graph_that_only_runs_at_its_fixed_batch_is_refused():
    nodes = [node("Reshape", ["x", "flat"], "f"), node("Reshape", ["f", "back"], "logits")]
    weights = {"flat": np.array([6]), "back": np.array([2, 3])}
    _refused(model_of(nodes, input_shape=(3,), weights=weights, batch=2), "a graph that runs on 3 rows, got own.onnx: ")


def test_a_graph_that_the_checker_refuses_is_refused():
    model = _mlp()
    model.graph.node[1].input[0] = "nowhere"
    _refused(model, r"expected a valid ONNX file, got own.onnx: .*nowhere.*; export it again")
    shapes = _mlp()
    shapes.graph.initializer[2].CopyFrom(numpy_helper.from_array(numbers(15, 3), "w2"))
    _refused(shapes, "expected a valid ONNX file, got own.onnx: ")


def test_every_truncation_of_a_file_is_refused():
    data = _mlp().SerializeToString()
    for length in [*range(0, len(data) - 1, 7), len(data) - 1]:
        _refused(data[:length], "expected (a|one|all|an|finite|float32|the) ")


@pytest.mark.parametrize("byte", [0x00, 0x6B, 0xFF])
def test_a_changed_byte_gives_a_model_or_a_model_error_of_one_line(byte):
    data = _mlp().SerializeToString()
    outcomes = set()
    for position in [*range(0, 200, 3), *range(len(data) - 80, len(data))]:
        try:
            import_onnx(data[:position] + bytes([byte]) + data[position + 1 :], source="own.onnx")
            outcomes.add("imported")
        except ModelError as error:
            outcomes.add(f"refused in {len(str(error).splitlines())} line")
    assert outcomes == {"imported", "refused in 1 line"}


def test_without_the_package_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    _refused(_mlp(), r"the package onnx to read an ONNX file, got .*; install robustcert\[onnx\]")
