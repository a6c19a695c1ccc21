"""ONNX models: a file's bytes become a torch module, so that gradients and certificates work on them.

Source: https://onnx.ai/onnx/repo-docs/IR.html. The file must hold everything itself: references to other files, own
functions, subgraphs and sparse or quantised weights are refused. Nothing in it is executed as code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from robustcert.errors import ModelError, expected
from robustcert.models import onnx_spatial, onnx_tensors
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.onnx_graph import Node, OnnxGraph

OPSETS = range(11, 22)
MAX_NODES = 10_000
PROBE_ROWS = 3
TOLERANCE = 1e-4
OPERATORS = onnx_tensors.OPERATORS | onnx_spatial.OPERATORS
KNOWN_FILE = "a safetensors or ONNX file"
FILE_REMEDY = "give a model in one of these formats"
EXPORT_REMEDY = "export it again as one self-contained float32 file"

Proto = Any  # onnx is imported only when an ONNX file is read, and its generated messages are untyped


def import_onnx(data: bytes, *, source: str) -> tuple[OnnxGraph, ModelCard]:
    """Module and card of an ONNX classifier; classes are named by their number.

    The batch is the input's first dimension, symbolic or fixed. Raises ModelError, with `source` in it, for what is not
    such a model, for operators outside OPERATORS (by name), and when rows of a batch influence one another.
    """
    model = _parsed(data, source=source)
    _self_contained(model, source=source)
    _check(model, source=source)
    input_name, batch, input_shape = _input(model, source=source)
    graph = _graph(model, input_name=input_name, batch=batch, source=source).eval()
    n_classes = _classes(graph, input_shape, source=source)
    card = ModelCard(
        format="onnx",
        input_shape=input_shape,
        classes=tuple(map(str, range(n_classes))),
        preprocessing=identity_preprocessing(input_shape),
    )
    return graph, card


def _parsed(data: bytes, *, source: str) -> Proto:
    onnx = _onnx()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ModelError(expected(KNOWN_FILE, got=f"other bytes in {source}", remedy=FILE_REMEDY)) from error
    if not model.graph.node or _opset(model) == 0:
        raise ModelError(expected(KNOWN_FILE, got=f"other bytes in {source}", remedy=FILE_REMEDY))
    return model


def _check(model: Proto, *, source: str) -> None:
    onnx = _onnx()
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        got = f"{source}: {str(error).strip().splitlines()[0][:200]}"
        raise ModelError(expected("a valid ONNX file", got=got, remedy=EXPORT_REMEDY)) from error


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.checker
        import onnx.shape_inference
    except ImportError as error:
        remedy = "install robustcert[onnx], or give a safetensors file"
        raise ModelError(expected("the package onnx to read an ONNX file", got=error, remedy=remedy)) from error
    return onnx


def _self_contained(model: Proto, *, source: str) -> None:
    """Refused before anything looks at where a reference points, or runs what the importer does not know."""
    opset, attributes = _opset(model), [attribute for node in model.graph.node for attribute in node.attribute]
    sparse = any(attribute.HasField("sparse_tensor") for attribute in attributes)
    faults = (
        (opset not in OPSETS, f"opset {opset}, not {OPSETS.start} to {OPSETS.stop - 1}"),
        (len(model.graph.node) > MAX_NODES, f"{len(model.graph.node)} nodes, more than {MAX_NODES}"),
        (bool(model.functions), "functions of its own"),
        (any(attribute.HasField("g") or attribute.graphs for attribute in attributes), "a graph inside a node"),
        (sparse or bool(model.graph.sparse_initializer), "sparse weights"),
        (len(model.graph.output) != 1, f"{len(model.graph.output)} outputs, not one"),
    )
    for fault, got in faults:
        if fault:
            raise ModelError(expected("a plain ONNX classifier", got=f"{got} in {source}", remedy=EXPORT_REMEDY))
    _refuse_references(
        [*model.graph.initializer, *(item.t for item in attributes if item.HasField("t"))], source=source
    )


def _refuse_references(tensors: Sequence[Proto], *, source: str) -> None:
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "another file")
            got = f"{tensor.name!r} in {where!r}, outside {source}"
            raise ModelError(expected("all weights inside the ONNX file", got=got, remedy=EXPORT_REMEDY))


def _opset(model: Proto) -> int:
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _input(model: Proto, *, source: str) -> tuple[str, int, tuple[int, ...]]:
    """Name, exported batch size (0 where it is symbolic) and shape of one input."""
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != _onnx().TensorProto.FLOAT:
        got = f"{[value.name for value in inputs]} in {source}"
        raise ModelError(expected("one float32 input", got=got, remedy=EXPORT_REMEDY))
    sizes = [int(size.dim_value) for size in inputs[0].type.tensor_type.shape.dim]
    if not 2 <= len(sizes) <= 4 or min(sizes[1:]) < 1:
        remedy = "export it with fixed sizes after the batch dimension"
        raise ModelError(expected("an input (batch, ...) of known shape", got=f"{sizes} in {source}", remedy=remedy))
    return inputs[0].name, sizes[0], tuple(sizes[1:])


def _graph(model: Proto, *, input_name: str, batch: int, source: str) -> OnnxGraph:
    constants = {tensor.name: _tensor(tensor, source=source) for tensor in model.graph.initializer}
    nodes = []
    for proto in model.graph.node:
        node = _node(proto, opset=_opset(model))
        if node.operator == "Constant":
            constants[node.output] = _constant(proto, node, source=source)
        else:
            nodes.append(node)
    output_name = model.graph.output[0].name
    _refuse_probabilities(nodes, output_name)
    marked = _with_batch(nodes, constants, input_name=input_name, batch=batch)
    return OnnxGraph(marked, OPERATORS, constants=constants, input_name=input_name, output_name=output_name)


def _node(proto: Proto, *, opset: int) -> Node:
    onnx = _onnx()
    node = Node(
        operator=proto.op_type,
        name=proto.name or proto.output[0],
        opset=opset,
        inputs=tuple(proto.input),
        output=proto.output[0],
        attributes={attribute.name: _attribute(onnx, attribute) for attribute in proto.attribute},
    )
    if proto.domain not in ("", "ai.onnx") or proto.op_type not in {*OPERATORS, "Constant"}:
        raise node.refusal(f"the unsupported operator {proto.op_type} (domain {proto.domain or 'ai.onnx'!r})")
    if any(proto.output[1:]):
        raise node.refusal("a second output")
    if node.operator != "Constant" and (unknown := set(node.attributes) - OPERATORS[node.operator].attributes):
        raise node.refusal(f"the unsupported attribute {min(unknown)}")
    return node


def _attribute(onnx: ModuleType, attribute: Proto) -> object:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return tuple(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def _constant(proto: Proto, node: Node, *, source: str) -> Tensor:
    (name, value), *_ = node.attributes.items()
    if name == "value":
        return _tensor(proto.attribute[0].t, source=source)
    if name in ("value_float", "value_floats"):
        return torch.tensor(value, dtype=torch.float32)
    if name in ("value_int", "value_ints"):
        return torch.tensor(value, dtype=torch.int64)
    raise node.refusal(f"the unsupported attribute {name}")


def _tensor(proto: Proto, *, source: str) -> Tensor:
    onnx = _onnx()
    allowed = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    if proto.data_type not in allowed:
        got = f"{onnx.TensorProto.DataType.Name(proto.data_type).lower()} {proto.name!r} in {source}"
        raise ModelError(expected("float32 weights", got=got, remedy=EXPORT_REMEDY))
    try:
        tensor = torch.from_numpy(onnx.numpy_helper.to_array(proto).copy())
    except ValueError as error:
        got = f"{proto.name!r} in {source}: {error}"
        raise ModelError(expected("a tensor with all its values", got=got, remedy=EXPORT_REMEDY)) from error
    if not torch.isfinite(tensor).all():
        got = f"NaN or infinity in {source}"
        raise ModelError(expected(f"finite numbers in {proto.name!r}", got=got, remedy="train or export it again"))
    return tensor


def _refuse_probabilities(nodes: Sequence[Node], output_name: str) -> None:
    made_by = {node.output: node for node in nodes}
    node = made_by.get(output_name)
    while node is not None and node.operator in ("Identity", "Dropout"):
        node = made_by.get(node.inputs[0])
    if node is not None and node.operator == "Softmax":
        got = f"probabilities from {node.operator} {node.name!r}"
        raise ModelError(expected("logits as the output", got=got, remedy="export the model without its last Softmax"))


def _with_batch(nodes: Sequence[Node], constants: dict[str, Tensor], *, input_name: str, batch: int) -> list[Node]:
    """The nodes, Reshapes of what depends on the input marked where their target begins with the exported batch."""
    dependent, marked = {input_name}, []
    for node in nodes:
        if dependent.intersection(node.inputs):
            dependent.add(node.output)
            node = replace(node, batch_first=_begins_with_batch(node, constants, batch=batch))
        marked.append(node)
    return marked


def _begins_with_batch(node: Node, constants: dict[str, Tensor], *, batch: int) -> bool:
    target = constants.get(node.inputs[1]) if node.operator == "Reshape" else None
    return batch > 0 and target is not None and len(target) > 1 and int(target[0]) == batch


def _classes(graph: OnnxGraph, input_shape: tuple[int, ...], *, source: str) -> int:
    """Number of classes, found by running a few rows together and each alone."""
    x_BX = torch.rand(PROBE_ROWS, *input_shape, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            together, alone = graph(x_BX), torch.cat([graph(row[None]) for row in x_BX])
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        got = f"{source}: {str(error).splitlines()[0]}"
        raise ModelError(expected(f"a graph that runs on {PROBE_ROWS} rows", got=got, remedy=EXPORT_REMEDY)) from error
    if together.ndim != 2 or together.shape[0] != PROBE_ROWS or together.shape[1] < 2:
        got = f"{tuple(together.shape)} for {PROBE_ROWS} rows in {source}"
        raise ModelError(expected("an output (batch, classes)", got=got, remedy="export a classifier's logits"))
    if together.shape != alone.shape or not torch.allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE):
        got = f"rows that change one another in {source}"
        raise ModelError(expected("rows that don't depend on the batch", got=got, remedy="export with a dynamic batch"))
    return int(together.shape[1])
