"""Tree ensembles from ONNX-ML files: TreeEnsembleClassifier and TreeEnsembleRegressor, as skl2onnx writes them.

Source: the operators' pages in ONNX's ai.onnx.ml documentation, and onnxruntime's tree_ensemble_aggregator.h for what
they leave open: with two classes and weights for one of them, the second class is given above 1/2 where no weight is
negative, above 0 elsewhere. Inputs, thresholds and sums are float32. Nothing but casts and identities may stand before
the trees, nothing that moves labels after them: anything else is refused by the operator's name, never skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import ModelError, expected
from robustcert.extras import require_modules
from robustcert.trees.ensemble import Arithmetic, TreeEnsemble, build_ensemble
from robustcert.trees.onnx_nodes import trees_of
from robustcert.trees.verify import Predict

OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
BEFORE, AFTER = ("Cast", "Identity"), ("Cast", "Identity", "ZipMap")
SUMS = Arithmetic(inputs="float32", sums="float32", exact=True, ties="unspecified")
AVERAGES = Arithmetic(inputs="float32", sums="float32", exact=False, ties="unspecified")
REMEDY = "export a forest or boosting alone, without preprocessing"

Proto = Any  # onnx is imported only when a file is read, and its generated messages are untyped


@dataclass(frozen=True, kw_only=True)
class OnnxTrees:
    """`classes` are the file's labels in order; `predict` evaluates the file itself, by ONNX's reference evaluator."""

    ensemble: TreeEnsemble
    classes: tuple[str, ...]
    predict: Predict


def import_onnx_trees(data: bytes, *, source: str, threshold: float | None = None) -> OnnxTrees:
    """The ensemble in an ONNX file. A regressor of one target needs `threshold`: class 1 is a value above it.

    Raises ModelError, with `source` in it, for other files and operators.
    """
    model = _parsed(data, source=source)
    node = _tree_node(model, source=source)
    attributes = _attributes(node)
    n_features = _input_width(model, attributes, source=source)
    if node.op_type == "TreeEnsembleClassifier":
        if threshold is not None:
            remedy = "leave it out: a classifier decides by itself"
            raise ModelError(expected("no threshold for a classifier", got=threshold, remedy=remedy))
        ensemble, classes = _classifier(attributes, n_features=n_features, source=source)
    else:
        ensemble, classes = _regressor(attributes, n_features=n_features, threshold=threshold, source=source)
    return OnnxTrees(ensemble=ensemble, classes=classes, predict=_reference(model, node, classes, threshold))


def _classifier(attributes: dict[str, Any], *, n_features: int, source: str) -> tuple[TreeEnsemble, tuple[str, ...]]:
    labels = attributes.get("classlabels_int64s") or [text.decode() for text in attributes["classlabels_strings"]]
    K, ids = len(labels), attributes["class_ids"]
    _require_scores(attributes, n_classes=K, source=source)
    weights = np.array(attributes["class_weights"], dtype=np.float64)
    base = list(attributes.get("base_values", ()))
    transform = attributes.get("post_transform", b"NONE").decode()
    if transform not in ("NONE", "LOGISTIC", "SOFTMAX") or K < 2:
        raise _refused(f"{K} classes and post_transform {transform}", source=source)
    if K == 2:
        if set(ids) != {0} or len(base) > 1:
            raise _refused("two classes with weights for both or for the second", source=source)
        middle = 0.5 if (weights >= 0).all() else 0.0
        ids, base = [1] * len(ids), [middle, *(base or [0.0])]
    trees = trees_of(attributes, weights, kind="class", ids=ids, n_classes=K, source=source)
    ensemble = build_ensemble(trees, base=base or [0.0] * K, n_features=n_features, arithmetic=SUMS)
    return ensemble, tuple(str(label) for label in labels)


def _regressor(
    attributes: dict[str, Any], *, n_features: int, threshold: float | None, source: str
) -> tuple[TreeEnsemble, tuple[str, ...]]:
    targets = attributes.get("n_targets", 1)
    aggregate = attributes.get("aggregate_function", b"SUM").decode()
    if aggregate not in ("SUM", "AVERAGE") or attributes.get("post_transform", b"NONE") != b"NONE":
        raise _refused(f"aggregate_function {aggregate}, or values that are transformed", source=source)
    if (targets == 1) == (threshold is None):
        what = "a threshold for a regressor of one target, and for no other"
        raise ModelError(
            expected(
                what,
                got=f"{threshold} for {targets} targets in {source}",
                remedy="pass the value above which it decides for class 1",
            )
        )
    weights, ids = np.array(attributes["target_weights"], dtype=np.float64), attributes["target_ids"]
    base = list(attributes.get("base_values", ())) or [0.0] * targets
    if threshold is not None:
        ids, base, targets = [1] * len(ids), [threshold, *base], 2
    if aggregate == "AVERAGE":
        weights = weights / len(set(attributes["nodes_treeids"]))
    trees = trees_of(attributes, weights, kind="target", ids=ids, n_classes=targets, source=source)
    arithmetic = AVERAGES if aggregate == "AVERAGE" else SUMS
    ensemble = build_ensemble(trees, base=base, n_features=n_features, arithmetic=arithmetic)
    return ensemble, tuple(str(number) for number in range(targets))


def _require_scores(attributes: dict[str, Any], *, n_classes: int, source: str) -> None:
    """A class that no leaf within reach has a weight for has no score at all in onnxruntime, which then passes it over.

    That is a score of 0 only where no weight is negative, of more than two classes; elsewhere every class needs a tree
    whose every leaf has a weight for it.
    """
    nodes = zip(attributes["nodes_treeids"], attributes["nodes_modes"], strict=True)
    leaves = Counter(tree for tree, mode in nodes if mode == b"LEAF")
    weighted = set(zip(attributes["class_treeids"], attributes["class_nodeids"], attributes["class_ids"], strict=True))
    listed = Counter((tree, column) for tree, _, column in weighted)
    scored = {column for (tree, column), count in listed.items() if count == leaves[tree]}
    negative = min(attributes["class_weights"], default=0.0) < 0
    wanted = {0} if n_classes == 2 else set(range(n_classes))
    if not wanted <= scored and (negative or n_classes == 2):
        raise _refused("leaves that leave a class without a score", source=source)


def _parsed(data: bytes, *, source: str) -> Proto:
    require_modules("onnx")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise _refused(f"{str(error).strip().splitlines()[0][:200] or 'other bytes'}", source=source) from error
    return model


def _tree_node(model: Proto, *, source: str) -> Proto:
    """The one node that holds the trees; what stands around it may not change inputs or labels."""
    nodes = list(model.graph.node)
    places = [at for at, node in enumerate(nodes) if node.op_type in OPERATORS]
    if len(places) != 1:
        named = ", ".join(sorted({node.op_type for node in nodes})) or "no operator"
        raise _refused(f"{len(places)} nodes {' or '.join(OPERATORS)} among {named}", source=source)
    tree = nodes[places[0]]
    for allowed, part in ((BEFORE, nodes[: places[0]]), (AFTER, nodes[places[0] + 1 :])):
        for node in part:
            if node.op_type not in allowed:
                raise _refused(f"the operator {node.op_type}", source=source)
    names = _chain(nodes[: places[0]], model.graph.input[0].name)
    if len(model.graph.input) != 1 or tree.input[0] not in names:
        raise _refused("trees that don't read the one input", source=source)
    return tree


def _chain(nodes: Sequence[Proto], start: str) -> set[str]:
    """Names of the input after casts to float32 and identities."""
    names = {start}
    for node in nodes:
        to = next((item.i for item in node.attribute if item.name == "to"), 1)
        if node.input[0] in names and to == 1:
            names.add(node.output[0])
    return names


def _attributes(node: Proto) -> dict[str, Any]:
    import onnx

    found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    doubles = [name for name in found if name.endswith("_as_tensor")]
    if doubles:
        raise ModelError(expected("float32 trees", got=doubles[0], remedy="export the model for float32 inputs"))
    return found


def _input_width(model: Proto, attributes: dict[str, Any], *, source: str) -> int:
    tensor = model.graph.input[0].type.tensor_type
    sizes = [int(size.dim_value) for size in tensor.shape.dim]
    used = max(attributes["nodes_featureids"], default=0) + 1
    if tensor.elem_type != 1 or len(sizes) != 2 or 0 < sizes[1] < used:
        raise _refused(f"an input {sizes} of element type {tensor.elem_type}", source=source)
    return sizes[1] or used


def _reference(model: Proto, node: Proto, classes: tuple[str, ...], threshold: float | None) -> Predict:
    """The class of one input by ONNX's reference evaluator, which reads labels or values off the trees' own node."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(_up_to(model, node))

    def predict(x_D: NDArray[np.float64]) -> int:
        outputs: Any = evaluator.run(None, {model.graph.input[0].name: x_D[None].astype(np.float32)})
        if node.op_type == "TreeEnsembleClassifier":
            return classes.index(str(np.ravel(outputs[0])[0]))
        values = np.ravel(outputs[0])
        return int(np.argmax(values)) if threshold is None else int(values[0] > threshold)

    return predict


def _up_to(model: Proto, node: Proto) -> Proto:
    """The model without what follows `node`, whose first output is its own (ZipMap has no reference evaluation)."""
    import onnx

    nodes = list(model.graph.node)
    until = next(at for at, part in enumerate(nodes) if part.output[0] == node.output[0])
    output = onnx.helper.make_empty_tensor_value_info(node.output[0])
    graph = onnx.helper.make_graph(nodes[: until + 1], "trees", [model.graph.input[0]], [output])
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _refused(got: str, *, source: str) -> ModelError:
    return ModelError(
        expected(f"an ONNX file of one {' or '.join(OPERATORS)}", got=f"{got} in {source}", remedy=REMEDY)
    )
