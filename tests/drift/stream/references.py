"""Two small references, written by hand: images of 2 x 2 pixels from 0 to 8, and a table with a column of each kind."""

from __future__ import annotations

import json
from typing import Any


def document(**changes: Any) -> dict[str, Any]:
    """The image reference as it stands in a file."""
    return {
        "schemaVersion": "1",
        "name": "digits",
        "certificateSha256": "c" * 64,
        "modelSha256": "0123456789abcdef" * 4,
        "datasetSha256": "d" * 64,
        "split": "test",
        "rows": 40,
        "classes": ["a", "b", "c"],
        "kind": "image",
        "shape": [1, 2, 2],
        "image": {"lower": "0", "upper": "8", "divideBy": "8"},
        "columns": [],
        "centre": ["0.5", "0.5", "0.25", "0"],
        "scale": ["0.25", "0.5", "0.25", "0.01"],
        "margin": {"edges": ["0.5", "1", "2"], "counts": [10, 10, 10, 10]},
        "votes": {"edges": ["0.75"], "counts": [4, 12]},
        "distance": {"edges": ["1", "1.5"], "counts": [20, 10, 10]},
        "predicted": {"a": 20, "b": 15, "c": 5},
        "abstained": 2,
        "of": 16,
    } | changes


def table_document(**changes: Any) -> dict[str, Any]:
    """The table reference as it stands in a file."""
    columns = [
        {"name": "length", "kind": "continuous", "lower": "-1", "upper": "1.5", "categories": []},
        {"name": "rooms", "kind": "integer", "lower": "0", "upper": "9", "categories": []},
        {"name": "owned", "kind": "binary", "lower": None, "upper": None, "categories": []},
        {"name": "colour", "kind": "categorical", "lower": None, "upper": None, "categories": ["red", "green", "blue"]},
    ]
    return document(kind="table", shape=[6], image=None, columns=columns, centre=["0"] * 6, scale=["1"] * 6, **changes)


def as_json(found: dict[str, Any]) -> bytes:
    """A document's bytes."""
    return json.dumps(found).encode()
