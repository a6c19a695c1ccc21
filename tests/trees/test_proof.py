"""Rows of a proof say what was decided, in integers and decimals that read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from robustcert.data.dataset import Dataset
from robustcert.errors import InputError, ModelError
from robustcert.trees.onnx_trees import import_onnx_trees
from robustcert.trees.proof import TreeProofHeader, labels_of, proof_bytes, tree_prover
from robustcert.trees.verify import Effort
from tests.trees.onnx_examples import exported, noisy_table, runtime_outputs


@pytest.fixture
def dataset() -> Dataset:
    return noisy_table()


@pytest.fixture
def forest(dataset: Dataset) -> bytes:
    train = dataset.select("train")
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(train.x(), train.y)
    return exported(model, n_features=train.x().shape[1])


def test_rows_hold_verdict_label_and_witness(dataset: Dataset, forest: bytes) -> None:
    trees = import_onnx_trees(forest, source="forest.onnx")
    prover = tree_prover(trees, dataset, epsilon="0.5", unit="feature_std", effort=Effort())
    test = dataset.select("test")
    rows = list(prover.rows(test))
    assert [row["sample"] for row in rows] == test.sample_ids.tolist()
    witnesses = [
        (row, np.array([float(value) for value in row["witness"]]), x)
        for row, x in zip(rows, test.x(), strict=True)
        if row["witness"]
    ]
    assert witnesses
    for row, witness, x in witnesses:
        assert row["verdict"] == "falsified"
        assert (np.abs(witness - x) <= 0.5 * dataset.perturbation_scale("feature_std")).all()
        assert ((dataset.lower <= witness) & (witness <= dataset.upper)).all()
        assert str(runtime_outputs(forest, witness[None])[0]) == row["class"] != str(row["label"])
    assert not dataset.perturbable.all()  # so that immutable features were at stake


def test_the_file_is_canonical_json_with_a_header(dataset: Dataset, forest: bytes) -> None:
    header = TreeProofHeader(
        model="a" * 64, dataset="b" * 64, epsilon="0.1", unit="input", threshold="", nodes=10, leaves=10
    )
    prover = tree_prover(import_onnx_trees(forest, source="f"), dataset, epsilon="0.1", unit="input", effort=Effort())
    rows = list(prover.rows(dataset.select("test")))
    lines = proof_bytes(header, rows).decode().splitlines()
    assert [json.loads(line) for line in lines[1:]] == rows
    assert json.loads(lines[0])["version"] == "robustcert-tree-proof/v1"
    assert all(line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) for line in lines)


def test_models_of_other_features_or_classes_are_refused(dataset: Dataset) -> None:
    x, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    narrow = import_onnx_trees(exported(RandomForestClassifier(2).fit(x, y), n_features=2), source="m")
    with pytest.raises(ModelError, match=r"expected a model of \d features, got one of 2"):
        tree_prover(narrow, dataset, epsilon="1", unit="input", effort=Effort())
    with pytest.raises(ModelError, match="expected a model of the classes ill, well, got 0, 1, 2"):
        labels_of(("0", "1", "2"), ("ill", "well"))


@pytest.mark.parametrize("epsilon", ["0", "-1", "much", "inf", "nan"])
def test_an_epsilon_that_is_no_size_is_refused(dataset: Dataset, forest: bytes, epsilon: str) -> None:
    trees = import_onnx_trees(forest, source="forest.onnx")
    with pytest.raises(InputError, match=f"expected an epsilon above 0, got '{epsilon}'"):
        tree_prover(trees, dataset, epsilon=epsilon, unit="input", effort=Effort())
