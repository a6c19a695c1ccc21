"""ONNX files of tree ensembles, by skl2onnx and by hand; and what onnxruntime says of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from tests.data.examples import raw_table, table_data


def exported(estimator: Any, *, n_features: int, zipmap: bool = True) -> bytes:
    """The estimator as skl2onnx writes it for float32 inputs; with its ZipMap unless told otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skl2onnx import to_onnx

        options = {} if zipmap else {"zipmap": False}
        return bytes(to_onnx(estimator, np.zeros((1, n_features), np.float32), options=options).SerializeToString())


def runtime_outputs(data: bytes, x: NDArray[np.float64]) -> NDArray[Any]:
    """The first output of onnxruntime: labels of a classifier, values of a regressor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.ravel(session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0])


NODES = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
CLASSES = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1], "class_weights": [1.0, 1.0]}
TARGETS = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 3.0]}


def classifier(*, before: tuple[str, ...] = (), after: tuple[str, ...] = (), **changes: Any) -> bytes:
    """A stump at x0 <= 0.5 for 3 classes, with `changes` to its attributes and operators around it."""
    given = {**NODES, **CLASSES, "classlabels_int64s": [0, 1, 2], "post_transform": "NONE", **changes}
    return _model("TreeEnsembleClassifier", given, before=before, after=after)


def regressor(**changes: Any) -> bytes:
    """A stump at x0 <= 0.5 with values 1 and 3."""
    return _model("TreeEnsembleRegressor", {**NODES, **TARGETS, "n_targets": 1, **changes}, before=(), after=())


def _model(operator: str, attributes: dict[str, Any], *, before: tuple[str, ...], after: tuple[str, ...]) -> bytes:
    kept = {name: value for name, value in attributes.items() if value is not None}
    names = ["x", *(f"before{number}" for number in range(len(before)))]
    nodes = [helper.make_node(op, [a], [b]) for op, a, b in zip(before, names[:-1], names[1:], strict=True)]
    outputs = ["y", "scores"] if operator == "TreeEnsembleClassifier" else ["y"]
    nodes.append(helper.make_node(operator, [names[-1]], outputs, domain="ai.onnx.ml", **kept))
    nodes += [helper.make_node(op, ["y"], [f"after{number}"]) for number, op in enumerate(after)]
    kind = TensorProto.INT64 if operator == "TreeEnsembleClassifier" else TensorProto.FLOAT
    final = nodes[-1].output[0]
    graph = helper.make_graph(
        nodes,
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info(final, kind, [None] if kind == TensorProto.INT64 else [None, None])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=opsets, ir_version=8)))


def noisy_table() -> Dataset:
    """120 rows, of which 30 for testing; the state follows the dose, but for every ninth row."""
    raw = raw_table(120)
    well = raw.values[:, 1] > 5
    labels = (well ^ (np.arange(120) % 9 == 0)).astype(np.int64)
    splits = (np.arange(120) % 4 // 2 + np.arange(120) % 4 // 3).astype(np.int8)
    return build_dataset(table_data(), raw_table(120, labels=labels, splits=splits), seed=0)
