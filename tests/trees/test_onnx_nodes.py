"""Nodes in any order become trees whose children follow their parents."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.errors import ModelError
from robustcert.trees.onnx_trees import import_onnx_trees
from tests.trees.onnx_examples import NODES, classifier, runtime_outputs

DEEP = {
    **NODES,
    "nodes_treeids": [3] * 5,
    "nodes_nodeids": [1, 4, 3, 2, 0],
    "nodes_featureids": [0, 0, 0, 1, 0],
    "nodes_values": [0.5, 0.0, 0.0, -1.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF"],
    "nodes_truenodeids": [2, 0, 0, 4, 0],
    "nodes_falsenodeids": [0, 0, 0, 3, 0],
    "class_treeids": [3, 3, 3, 3, 3],
    "class_nodeids": [4, 3, 0, 0, 3],
    "class_ids": [0, 1, 2, 2, 0],
    "class_weights": [1.0, 1.0, 0.25, 0.5, 0.75],
}


def test_nodes_in_any_order_after_the_root_and_weights_in_parts_give_the_same_tree() -> None:
    data = classifier(**DEEP)
    read = import_onnx_trees(data, source="tree.onnx")
    x = np.array([[0.0, -2.0], [0.0, 0.0], [0.5, -1.0], [0.6, 0.0]])
    scores = read.ensemble.scores(read.ensemble.cells(x)) / 2.0**read.ensemble.shift
    assert scores.tolist() == [[1, 0, 0], [0.75, 1, 0], [1, 0, 0], [0, 0, 0.75]]
    assert scores.argmax(axis=1).tolist() == runtime_outputs(data, x).tolist()
    inner = read.ensemble.feature >= 0
    assert (read.ensemble.left[inner] > np.flatnonzero(inner)).all()


def test_a_root_that_is_not_listed_first_is_refused_since_runtimes_would_start_elsewhere() -> None:
    """onnxruntime starts at the first node listed, here a leaf of class 0, and gives that class everywhere."""
    nodes = {name: [*DEEP[name][1:], DEEP[name][0]] for name in NODES}
    data = classifier(**{**DEEP, **nodes})
    assert runtime_outputs(data, np.array([[0.0, 0.0], [0.6, 0.0]])).tolist() == [0, 0]
    with pytest.raises(ModelError, match=r"nodes of tree 3 that form no tree from the first on in tree\.onnx"):
        import_onnx_trees(data, source="tree.onnx")
