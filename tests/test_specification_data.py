"""The data part of a specification: contracts that contradict themselves are refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from robustcert.specification_data import Approval, Contract, Data, Feature, Splits

AGE = {"name": "age", "minimum": 0, "maximum": 120}
IMAGE = {"kind": "image", "classes": ["a", "b"], "shape": [1, 8, 8], "range": [0, 16]}
TABLE = {"kind": "tabular", "classes": ["a", "b"], "features": [AGE], "label": "y"}
PROVENANCE = {"source": "s", "licence": "l", "collectedAt": "2025"}


def read(kind: Any, values: dict[str, Any]) -> Any:
    return kind.model_validate_json(json.dumps(values))


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Feature, {"name": "age"}, "expected 'minimum' and 'maximum' for 'age'"),
        (Feature, {**AGE, "minimum": 120}, "expected minimum < maximum for 'age', got 120 and 120"),
        (Feature, {"name": "region", "kind": "categorical"}, "expected 'categories' for categorical 'region'"),
        (Feature, {"name": "r", "kind": "categorical", "categories": ["n", "n"]}, "distinct categories of 'r'"),
        (Contract, {**IMAGE, "shape": None}, r"expected 'shape' \[C, H, W\] and 'range'"),
        (Contract, {**IMAGE, "range": [16, 0]}, "expected range .* low < high"),
        (Contract, {**IMAGE, "shape": [1, 0, 8]}, "greater than 0"),
        (Contract, {**IMAGE, "classes": ["a", "a"]}, "distinct 'classes'"),
        (Contract, {**IMAGE, "classes": ["a"]}, "at least 2"),
        (Contract, {**TABLE, "features": []}, "expected 'features' for kind tabular"),
        (Contract, {**TABLE, "features": [AGE, AGE]}, "expected distinct columns, got 'age' twice"),
        (Contract, {**TABLE, "label": "age"}, "expected distinct columns, got 'age' twice"),
        (Approval, {"id": "1", "authority": "board", "expires": "2030-02-30"}, "a day of the calendar"),
        (Splits, {"train": 0.5}, "expected train .* = 1, got 0.9"),
        (Splits, {"train": 0.75, "validation": 0}, "expected every split above 0"),
        (Data, {"source": "x.npz"}, "expected 'contract' and 'provenance' for your own data"),
        (Data, {"source": "x.npz", "contract": IMAGE}, "expected 'contract' and 'provenance'"),
    ],
)
def test_a_contradiction_is_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(kind, values)


@pytest.mark.parametrize("source", ["x.csv", "s3://bucket/X.PARQUET"])
def test_a_table_file_needs_the_name_of_its_label(source: str) -> None:
    values = {"source": source, "contract": {**TABLE, "label": None}, "provenance": PROVENANCE}
    with pytest.raises(ValidationError, match="expected 'label' in the contract of a table, got none"):
        read(Data, values)
    assert read(Data, {**values, "contract": TABLE}).contract.label == "y"
    assert read(Data, {**values, "source": "x.npz"}).contract.label is None


def test_a_binary_feature_needs_no_range() -> None:
    assert read(Feature, {"name": "smoker", "kind": "binary"}).minimum is None
