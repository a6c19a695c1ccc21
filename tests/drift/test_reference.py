"""Oracles: the model and data set of a real certificate, counted again with plain torch, numpy and pyarrow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from robustcert.certificate.bundle import CERTIFICATION, DATASET
from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.data.coordinates import encode, table_coordinates
from robustcert.data.dataset import Dataset, DatasetCard, load_dataset
from robustcert.drift.reference import (
    DriftReference,
    _reference,
    build_reference,
    decimal,
    margins,
    read_reference,
)
from robustcert.errors import DataError
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract, Provenance
from robustcert.storage.store import open_store
from tests.chain import Chain
from tests.drift.stream.references import as_json, document, table_document

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def certified(chain: Chain) -> Certified:
    store = open_store(str(chain.store))
    return open_certified(store, find_certificate(store, sha256_file(chain.files.certificate)), trusted=chain.key)


@pytest.fixture(scope="module")
def reference(chain: Chain, certified: Certified) -> DriftReference:
    return build_reference(open_store(str(chain.store)), certified)


def test_the_margins_and_classes_are_those_of_the_model_on_the_test_split(
    chain: Chain, reference: DriftReference
) -> None:
    dataset = load_dataset(chain.bundle / DATASET)
    test = dataset.split == 2
    x = torch.from_numpy((dataset.x_int[test] * dataset.unit).astype(np.float32))
    with torch.no_grad():
        logits = load_model(chain.bundle / "model.safetensors").module(x)
    best = logits.topk(2, dim=1).values
    edges = [-np.inf, *reference.margin.values(), np.inf]
    assert reference.margin.counts == tuple(np.histogram((best[:, 0] - best[:, 1]).numpy(), edges)[0])
    counts = np.bincount(logits.argmax(dim=1).numpy(), minlength=10)
    assert [reference.predicted[name] for name in reference.classes] == counts.tolist()
    assert reference.rows == int(test.sum()) == sum(reference.distance.counts)


def test_distances_are_standardised_by_the_training_split(chain: Chain, reference: DriftReference) -> None:
    dataset = load_dataset(chain.bundle / DATASET)
    x = dataset.x().reshape(len(dataset), -1)
    train, test = x[dataset.split == 0], x[dataset.split == 2]
    centre, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 0.01)
    assert np.allclose([float(value) for value in reference.centre], centre, rtol=1e-5, atol=1e-12)
    assert np.allclose([float(value) for value in reference.scale], scale, rtol=1e-5)
    found = np.sqrt((((test - centre) / scale) ** 2).mean(axis=1))
    edges = [-np.inf, *reference.distance.values(), np.inf]
    assert np.abs(np.array(reference.distance.counts) - np.histogram(found, edges)[0]).max() <= 1
    assert len(reference.distance.counts) == 10


def test_votes_and_abstentions_come_from_the_evidence(chain: Chain, reference: DriftReference) -> None:
    rows = pq.read_table(chain.bundle / CERTIFICATION).to_pylist()
    shares = [max(count for _, count in row["counts"]) / row["n"] for row in rows]
    assert reference.votes is not None
    edges = [-np.inf, *reference.votes.values(), np.inf]
    assert reference.votes.counts == tuple(np.histogram(shares, edges)[0])
    assert reference.abstained == sum(row["decision"] == "abstain" for row in rows)
    assert reference.of == len(rows) == 16


def test_it_names_what_it_was_made_from(chain: Chain, certified: Certified, reference: DriftReference) -> None:
    assert reference.certificate_sha256 == sha256_file(chain.files.certificate)
    assert reference.model_sha256 == certified.predicate.model.sha256
    assert reference.dataset_sha256 == certified.files[DATASET]
    assert (reference.name, reference.kind, reference.shape) == ("digits", "image", (1, 8, 8))
    assert reference.version == reference.model_sha256[:12]
    assert reference.image is not None
    assert (reference.image.lower, reference.image.upper, reference.image.divide_by) == ("0", "16", "16")


def test_it_is_a_pure_function_and_reads_back(chain: Chain, certified: Certified, reference: DriftReference) -> None:
    again = build_reference(open_store(str(chain.store)), certified)
    assert again.to_json() == reference.to_json()
    assert read_reference(reference.to_json()) == reference


def test_reading_one_loads_no_torch() -> None:
    program = "import json, sys, robustcert.drift.reference\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert set(json.loads(run.stdout)) & {"torch", "pandas", "scipy.stats", "sklearn"} == set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaVersion": "2"}, "schemaVersion"),
        ({"centre": ["0"]}, "expected a centre and a scale of each of 4 coordinates"),
        ({"scale": ["1", "1", "0", "1"]}, "expected every scale above 0"),
        ({"image": None}, "expected the range of an image or the columns of a table"),
        ({"margin": {"edges": ["2", "1"], "counts": [1, 1, 1]}}, "expected ascending edges"),
        ({"margin": {"edges": ["1"], "counts": [1, 1, 1]}}, "expected ascending edges, one count more"),
        ({"distance": {"edges": [], "counts": [0]}}, "and rows to count"),
        ({"distance": {"edges": [0.5], "counts": [1, 1]}}, "distance.edges.0"),
        ({"modelSha256": "A" * 64}, "modelSha256"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match="expected a drift reference, version 1") as caught:
        read_reference(as_json(document(**changes)))
    assert message in str(caught.value)


def test_documents_of_images_and_tables_are_read() -> None:
    assert read_reference(as_json(document(aNewField=1))).image is not None
    assert [column.kind for column in read_reference(as_json(table_document())).columns] == [
        "continuous", "integer", "binary", "categorical",
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"nonsense"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="expected a drift reference, version 1"):
        read_reference(data)


def table_dataset(contract: Contract) -> Dataset:
    """40 rows of training and 60 of test: a length, a number of rooms and a colour, encoded as the data step does."""
    rng = np.random.Generator(np.random.Philox(6))
    raw = np.column_stack([rng.uniform(-1, 1.5, 100), rng.integers(0, 10, 100), rng.integers(0, 3, 100)])
    coordinates = table_coordinates(contract)
    x_ND = encode(raw, coordinates)
    card = DatasetCard(
        kind="tabular", shape=(5,), classes=contract.classes, source="a test", source_sha256="0" * 64, transforms=(),
        provenance=Provenance.model_validate({"source": "a test", "licence": "CC0-1.0", "collectedAt": "2026"}),
    )  # fmt: skip
    return Dataset(
        card=card, x_int=np.rint(x_ND * 4096).astype(np.int32), y=np.zeros(100, dtype=np.int64),
        sample_ids=np.arange(100), split=np.repeat([0, 2], [40, 60]).astype(np.int8), unit=np.full(5, 1 / 4096),
        scale=np.ones(5), lower=np.array([c.lower for c in coordinates]),
        upper=np.array([c.upper for c in coordinates]), perturbable=np.ones(5, dtype=bool),
    )  # fmt: skip


def test_a_tables_reference_holds_its_columns_and_one_coordinate_for_each_category() -> None:
    features = (
        {"name": "length", "minimum": -1.0, "maximum": 1.5},
        {"name": "rooms", "kind": "integer", "minimum": 0.0, "maximum": 9.0},
        {"name": "colour", "kind": "categorical", "categories": ("red", "green", "blue")},
    )
    contract = Contract.model_validate(
        {"kind": "tabular", "classes": ("no", "yes"), "features": features, "label": "y"}
    )
    dataset = table_dataset(contract)
    part = SimpleNamespace(name="flats", model=SimpleNamespace(sha256="a" * 64))
    part.data = SimpleNamespace(file_sha256="d" * 64)
    certified: Any = SimpleNamespace(sha256="c" * 64, predicate=part)
    logits_NK = np.column_stack([np.linspace(-1, 1, 60), np.zeros(60)])
    found = _reference(certified, dataset, contract=contract, logits_NK=logits_NK, shares_R=np.zeros(0), abstained=0)
    assert [(column.name, column.kind, column.categories) for column in found.columns] == [
        ("length", "continuous", ()),
        ("rooms", "integer", ()),
        ("colour", "categorical", ("red", "green", "blue")),
    ]
    train = dataset.x()[:40]
    assert [float(value) for value in found.centre] == pytest.approx(train.mean(axis=0).tolist(), rel=1e-5)
    assert [float(value) for value in found.scale] == pytest.approx(train.std(axis=0).tolist(), rel=1e-5)
    assert (found.kind, found.image, found.votes, found.of) == ("table", None, None, 0)
    assert found.predicted == {"no": 30, "yes": 30}
    assert sum(found.distance.counts) == found.rows == 60
    assert read_reference(found.to_json()) == found


def test_margins_are_best_minus_second_best() -> None:
    assert margins(np.array([[1.0, 5.0, 3.5], [2.0, 2.0, -9.0]])).tolist() == [1.5, 0.0]


@pytest.mark.parametrize("value", [0.1, 1e-7, 16.0, -2.5, 1 / 3, 123456789.0])
def test_a_decimal_reads_back_as_the_same_number(value: float) -> None:
    assert float(decimal(value)) == value
    assert "e" not in decimal(value)
