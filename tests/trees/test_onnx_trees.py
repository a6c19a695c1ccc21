"""What is read from ONNX files decides as onnxruntime does, next to every threshold; what isn't known is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from robustcert.errors import ModelError
from robustcert.trees.onnx_trees import import_onnx_trees
from robustcert.trees.verify import verify_sample
from tests.trees.ensembles import KINDS, fitted, points_around_thresholds, random_data
from tests.trees.onnx_examples import classifier, exported, regressor, runtime_outputs


def points(estimator: Any, x: np.ndarray, seed: int) -> np.ndarray:
    return np.vstack((points_around_thresholds(estimator, count=800, seed=seed), x))


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_those_of_onnxruntime(kind: str) -> None:
    sure = 0
    for seed in (0, 1, 2, 3):
        x, y = random_data(seed)
        estimator = fitted(kind, x, y, seed=seed)
        data = exported(estimator, n_features=x.shape[1], zipmap=seed % 2 == 0)
        read = import_onnx_trees(data, source="model.onnx")
        z = points(estimator, x, seed)
        found = [read.ensemble.sure_class(row) for row in read.ensemble.scores(read.ensemble.cells(z))]
        given = runtime_outputs(data, z).tolist()
        assert all(own in (None, asked) for own, asked in zip(found, given, strict=True))
        sure += sum(own is not None for own in found)
        assert [read.predict(row) for row in x[:5]] == runtime_outputs(data, x[:5]).tolist()
    assert sure > 2500


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_classes_with_names_are_kept_in_the_files_order(kind: str) -> None:
    x, y = random_data(2)
    names = np.array(["zebra", "ant", "bee", "cow"])[y]
    estimator = fitted(kind, x, names, seed=0)
    read = import_onnx_trees(exported(estimator, n_features=x.shape[1]), source="model.onnx")
    assert read.classes == tuple(estimator.classes_)
    assert [read.classes[read.predict(row)] for row in x[:20]] == runtime_outputs(
        exported(estimator, n_features=x.shape[1]), x[:20]
    ).tolist()


def test_a_regressor_decides_by_its_threshold() -> None:
    x, y = random_data(2)
    for estimator in (RandomForestRegressor(5, max_depth=3, random_state=0), GradientBoostingRegressor(n_estimators=5)):
        estimator.fit(x, y)
        data = exported(estimator, n_features=x.shape[1])
        read = import_onnx_trees(data, source="model.onnx", threshold=0.75)
        z = np.random.default_rng(0).normal(size=(500, x.shape[1]))
        wanted = (runtime_outputs(data, z) > 0.75).astype(int).tolist()
        found = [read.ensemble.sure_class(row) for row in read.ensemble.scores(read.ensemble.cells(z))]
        assert found == wanted
        assert [read.predict(row) for row in z[:5]] == wanted[:5]


@pytest.mark.parametrize(
    ("mode", "value", "true_side"),
    [("BRANCH_LEQ", 0.5, True), ("BRANCH_LT", 0.5, False), ("BRANCH_GTE", 0.5, True), ("BRANCH_GT", 0.5, False)],
)
def test_every_mode_of_a_branch_is_compared_as_onnxruntime_does(mode: str, value: float, true_side: bool) -> None:
    data = classifier(nodes_modes=[mode, "LEAF", "LEAF"])
    read = import_onnx_trees(data, source="stump.onnx")
    near = np.array([[float(np.nextafter(np.float32(value), np.float32(side))), 0] for side in (-9, 9)] + [[value, 0]])
    found = read.ensemble.scores(read.ensemble.cells(near)).argmax(axis=1).tolist()
    assert found == runtime_outputs(data, near).tolist() == [read.predict(row) for row in near]
    assert (found[2] == 0) == true_side


def test_an_average_of_trees_is_its_sum_over_their_number() -> None:
    data = regressor(aggregate_function="AVERAGE")
    read = import_onnx_trees(data, source="stump.onnx", threshold=2.0)
    assert [read.predict(np.array([value, 0.0])) for value in (0.0, 1.0)] == [0, 1]
    assert read.ensemble.scores(read.ensemble.cells(np.array([[0.0, 0], [1.0, 0]]))).argmax(axis=1).tolist() == [0, 1]


def test_a_witness_breaks_the_file_in_onnxruntime() -> None:
    x, y = random_data(0)
    data = exported(fitted("boosting", x, y, seed=0), n_features=x.shape[1])
    read = import_onnx_trees(data, source="model.onnx")
    broken = 0
    for row in range(30):
        found = verify_sample(read.ensemble, x[row], int(y[row]), np.full(x.shape[1], 0.3), predict=read.predict)
        if found.witness is not None:
            assert runtime_outputs(data, found.witness[None])[0] == found.found != y[row]
            broken += 1
    assert broken > 2


BOTH = {
    "class_treeids": [0] * 4, "class_nodeids": [1, 1, 2, 2], "class_ids": [0, 1, 0, 1], "class_weights": [1, 0, 0, 1.0],
}  # fmt: skip


def test_a_class_without_a_score_is_passed_over_by_onnxruntime_even_by_a_negative_one() -> None:
    """Why such files are refused: a sum of weights would give class 1 or 2, whose sum is 0, not class 0 with -1."""
    data = classifier(class_weights=[-1.0, 1.0])
    assert runtime_outputs(data, np.array([[0.0, 0.0]])).tolist() == [0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no model", "in it.onnx"),
        (classifier(before=("Abs",)), "got the operator Abs in it.onnx; export a forest or boosting alone"),
        (classifier(after=("Neg",)), "got the operator Neg in it.onnx"),
        (classifier(post_transform="PROBIT"), "3 classes and post_transform PROBIT"),
        (classifier(classlabels_int64s=[0, 1], **BOTH), "two classes with weights for both or for the second"),
        (classifier(classlabels_int64s=[0, 1]), "leaves that leave a class without a score"),
        (classifier(class_weights=[-1.0, 1.0]), "leaves that leave a class without a score"),
        (classifier(nodes_modes=["BRANCH_EQ", "LEAF", "LEAF"]), "got nodes of mode BRANCH_EQ in it.onnx"),
        (classifier(nodes_truenodeids=[0, 0, 0]), "nodes of tree 0 that form no tree"),
        (classifier(nodes_falsenodeids=[7, 0, 0]), "nodes of tree 0 that form no tree"),
        (classifier(nodes_nodeids=[0, 1, 1]), "nodes with the same number"),
        (classifier(class_nodeids=[1, 9]), r"a weight for node \(0, 9\), class 1"),
        (classifier(nodes_featureids=[5, 0, 0]), r"an input \[0, 2\] of element type 1"),
        (regressor(), "expected a threshold for a regressor of one target, and for no other, got None for 1 targets"),
        (regressor(aggregate_function="MAX"), "aggregate_function MAX"),
    ],
)
def test_what_is_not_known_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        import_onnx_trees(data, source="it.onnx")


def test_a_model_without_trees_is_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = random_data(0)
    data = exported(LogisticRegression().fit(x, y), n_features=x.shape[1])
    with pytest.raises(
        ModelError, match=r"got 0 nodes TreeEnsembleClassifier or TreeEnsembleRegressor among .*LinearClassifier"
    ):
        import_onnx_trees(data, source="it.onnx")
