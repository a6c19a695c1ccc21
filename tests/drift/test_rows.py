"""Logged windows are streamed as the contract names them, whatever file they come in; pyarrow is the oracle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import csv as arrow_csv

from robustcert.data.raw import Cell
from robustcert.drift import rows
from robustcert.drift.reference import read_reference
from robustcert.drift.row_batch import RowBatch, joined
from robustcert.drift.rows import RowFilter, inputs, open_rows, sampled
from robustcert.drift.stream.payload_table import Payload, parquet_bytes
from robustcert.errors import DataError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Data
from tests.data.examples import image_data, table_data
from tests.drift.logs import FIRST, IMAGES, MODEL_SHA256, SITES, TABLE, image_columns, table_columns, write_log
from tests.drift.stream.references import as_json, document, table_document

IMAGES_2X2 = image_data(shape=(1, 2, 2), classes=("a", "b", "c"), range=(0.0, 8.0), divideBy=8.0)
ROOMS = table_data(
    classes=("a", "b", "c"),
    features=(
        {"name": "length", "minimum": -1.0, "maximum": 1.5},
        {"name": "rooms", "kind": "integer", "minimum": 0.0, "maximum": 9.0},
        {"name": "owned", "kind": "binary"},
        {"name": "colour", "kind": "categorical", "categories": ("red", "green", "blue")},
    ),
)


def read(uri: str, data: Data = TABLE, **filtered: Any) -> RowBatch:
    with open_rows(uri, data=data, kept=RowFilter(**filtered)) as source:
        return joined(list(source.batches()))


def test_a_parquet_log_comes_back_as_it_was_written(tmp_path: Path) -> None:
    columns = table_columns(300)
    path = write_log(tmp_path / "window.parquet", columns)
    with open_rows(path, data=TABLE) as source:
        batch = joined(list(source.batches()))
        assert (source.source, source.sha256) == ("window.parquet", sha256_file(Path(path)))
        assert (source.file_rows, source.absent, source.files[0].name) == (300, (), "window.parquet")
    site = [SITES.index(name) for name in columns["site"]]
    assert np.array_equal(
        batch.values, np.column_stack([columns["age"], columns["dose"], columns["smoker"], site]).astype(float)
    )
    assert batch.cells is not None
    assert not batch.cells.any()
    answers = batch.answers
    assert answers.ids.to_pylist() == columns["id"]
    assert answers.times is not None
    assert answers.times[7] == np.datetime64("2026-11-21T13:00:07")
    assert answers.predictions is not None
    assert answers.predictions.index.tolist() == columns["prediction"].to_pylist()
    assert answers.predictions.known.all()
    assert answers.margins is not None
    assert answers.margins.tolist() == columns["margin"].to_pylist()
    assert answers.labels is None


def test_a_folder_is_read_in_the_order_of_its_names_without_unfinished_files(tmp_path: Path) -> None:
    whole = pa.table(table_columns(90))
    for number, name in enumerate(("day=1/a.parquet", "day=1/b.parquet", "day=2/a.parquet")):
        write_log(tmp_path / "log" / name, {n: whole[n][number * 30 : number * 30 + 30] for n in whole.column_names})
    for name in (".part.parquet", "_temporary/x.parquet", "notes.txt"):
        (tmp_path / "log" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "log" / name).write_bytes(b"not Parquet")
    with open_rows(str(tmp_path / "log"), data=TABLE) as source:
        batch = joined(list(source.batches()))
        assert source.sha256 == ""
        assert [(file.name, file.sha256) for file in source.files] == [
            (name, sha256_file(tmp_path / "log" / name))
            for name in ("day=1/a.parquet", "day=1/b.parquet", "day=2/a.parquet")
        ]
    assert batch.answers.ids.to_pylist() == whole["id"].to_pylist()
    assert batch.answers.rows.tolist() == list(range(90))


def test_csv_and_parquet_of_the_same_rows_give_the_same_arrays(tmp_path: Path) -> None:
    columns = table_columns(200)
    parquet_path = write_log(tmp_path / "w.parquet", columns)
    arrow_csv.write_csv(pa.table({**columns, "time": columns["time"].cast(pa.string())}), tmp_path / "w.csv")
    one, other = read(parquet_path), read(str(tmp_path / "w.csv"))
    assert np.array_equal(one.values, other.values)
    assert one.answers.times is not None
    assert other.answers.times is not None
    assert np.array_equal(one.answers.times, other.answers.times)
    assert one.answers.predictions is not None
    assert other.answers.predictions is not None
    assert np.array_equal(one.answers.predictions.index, other.answers.predictions.index)
    assert one.answers.ids.equals(other.answers.ids)


def test_batches_of_any_size_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path / "w.parquet", table_columns(1000), row_group_size=170)
    whole = read(path)
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 64)
    with open_rows(path, data=TABLE) as source:
        parts = list(source.batches())
        assert [len(part) for part in parts][:3] == [64, 64, 64]
    assert np.array_equal(joined(parts).values, whole.values)
    assert joined(parts).answers.ids.equals(whole.answers.ids)


def test_nulls_unreadable_cells_and_new_categories_are_told_apart(tmp_path: Path) -> None:
    columns = table_columns(4) | {
        "dose": ["1.5", "", "a lot", "2"],
        "site": pa.array(["north", None, "west", "east"]).dictionary_encode(),
        "smoker": pa.array([True, False, None, True]),
    }
    batch = read(write_log(tmp_path / "w.parquet", columns))
    assert batch.cells is not None
    read_, absent, unreadable = Cell.READ, Cell.ABSENT, Cell.UNREADABLE
    assert batch.cells[:, 1].tolist() == [read_, absent, unreadable, read_]
    assert batch.cells[:, 3].tolist() == [read_, absent, unreadable, read_]
    assert batch.cells[:, 2].tolist() == [read_, read_, absent, read_]
    assert np.array_equal(batch.values[:, 1], [1.5, np.nan, np.nan, 2], equal_nan=True)
    assert np.array_equal(batch.values[:, 3], [0, np.nan, np.nan, 2], equal_nan=True)
    encoded = inputs(batch, TABLE.contract or pytest.fail("no contract"))
    assert np.array_equal(encoded[0], [columns["age"][0], 1.5, 1, 1, 0, 0])
    assert np.isnan(encoded[2, 3:]).all(), "an unknown category is no category, not three zeros"


def test_a_column_that_is_not_there_is_absent_in_every_row_and_named(tmp_path: Path) -> None:
    columns = table_columns(5)
    del columns["dose"]
    path = write_log(tmp_path / "w.parquet", columns)
    with open_rows(path, data=TABLE) as source:
        assert source.absent == ("dose",)
        batch = joined(list(source.batches()))
    assert batch.cells is not None
    assert set(batch.cells[:, 1].tolist()) == {Cell.ABSENT}


def test_an_image_log_gives_stored_pixels_and_model_inputs(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 1, 4, 4))
    columns = image_columns(pixels)
    batch = read(write_log(tmp_path / "w.parquet", columns), IMAGES)
    assert batch.values.shape == (50, 1, 4, 4)
    assert np.array_equal(batch.values, pixels)
    assert np.allclose(inputs(batch, IMAGES.contract or pytest.fail("no contract")), pixels / 255)
    lists = columns | {"x": pa.array([None, *pixels.reshape(50, -1).tolist()[1:]])}
    batch = read(write_log(tmp_path / "lists.parquet", lists), IMAGES)
    assert np.isnan(batch.values[0]).all()
    assert np.array_equal(batch.values[1:], pixels[1:])


def test_an_npz_window_of_labelled_rows_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "w.npz", x=pixels, y=np.arange(50) % 3)
    with open_rows(str(tmp_path / "w.npz"), data=IMAGES) as source:
        batch = joined(list(source.batches()))
        assert sum(len(answers) for answers in source.answers()) == 50
    assert np.array_equal(batch.values, pixels)
    labels = batch.answers.labels
    assert labels is not None
    assert labels.known.tolist() == [number % 3 < 2 for number in range(50)]
    assert labels.foreign.tolist() == [number % 3 == 2 for number in range(50)]


def test_labels_are_classes_by_name_or_by_number_and_an_empty_one_says_nothing(tmp_path: Path) -> None:
    columns = table_columns(4)
    by_name = read(write_log(tmp_path / "a.parquet", columns | {"state": ["ill", "well", None, "dead"]}))
    by_number = read(write_log(tmp_path / "b.parquet", columns | {"state": pa.array([0, 1, None, 7])}))
    for batch in (by_name, by_number):
        labels = batch.answers.labels
        assert labels is not None
        assert labels.known.tolist() == [True, True, False, False]
        assert labels.foreign.tolist() == [False, False, False, True]
        assert labels.index[:2].tolist() == [0, 1]


def test_a_row_that_was_not_answered_with_a_class_has_no_prediction(tmp_path: Path) -> None:
    columns = table_columns(4) | {
        "prediction": pa.array([1, 0, None, 9], pa.int32()),
        "outcome": ["predicted", "abstained", "invalid", "predicted"],
    }
    predictions = read(write_log(tmp_path / "w.parquet", columns)).answers.predictions
    assert predictions is not None
    assert predictions.known.tolist() == [True, False, False, False]
    assert predictions.foreign.tolist() == [False, False, False, True]


def test_a_filter_takes_a_period_and_a_model(tmp_path: Path) -> None:
    columns = table_columns(100)
    columns["model_sha256"] = [MODEL_SHA256 if number % 2 else "00" * 32 for number in range(100)]
    path = write_log(tmp_path / "w.parquet", columns)
    period = {"since": FIRST + timedelta(seconds=10), "until": FIRST + timedelta(seconds=20)}
    assert read(path, **period).answers.rows.tolist() == list(range(10, 20))
    assert read(path, **period, model_sha256=MODEL_SHA256).answers.rows.tolist() == [11, 13, 15, 17, 19]
    with open_rows(path, data=TABLE, kept=RowFilter(model_sha256="ff" * 32)) as source:
        assert list(source.answers()) == []


def test_a_sample_depends_on_seed_and_row_numbers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path / "w.parquet", table_columns(5000))
    with open_rows(path, data=TABLE) as source:
        one = sampled(source, rows=500, seed=1)
        other = sampled(source, rows=500, seed=2)
        assert len(sampled(source, rows=9999, seed=1)) == 5000
        monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 77)
        again = sampled(source, rows=500, seed=1)
    drawn = one.answers.rows
    assert (np.diff(drawn) > 0).all(), "in the order of the window"
    assert np.array_equal(drawn, again.answers.rows)
    assert len(set(drawn.tolist())) == 500
    assert not np.array_equal(drawn, other.answers.rows)
    # Uniform: the mean of 500 of 5000 numbers is within 4.5 standard errors of the middle (false alarm 7e-6).
    assert abs(drawn.mean() - 2499.5) < 4.5 * 5000 / np.sqrt(12 * 500)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose": pa.array([[1.0]] * 4)}, "numbers or texts in column 'dose'"),
        ({"time": ["2026-11-21T13:00:00"] * 4}, "times with a zone in column 'time'"),
        ({"time": ["yesterday"] * 4}, "times with a zone in column 'time'"),
        ({"id": pa.array([[1]] * 4)}, "numbers or texts in column 'id'"),
    ],
)
def test_a_column_that_can_not_hold_what_it_should_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write_log(tmp_path / "w.parquet", table_columns(4) | change)
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (pa.array([[1.0] * 15] * 4), "16 numbers a row in column 'x'"),
        (pa.array([1.0] * 4), "lists of 16 numbers"),
        (pa.array([["a"] * 16] * 4), "numbers in column 'x'"),
    ],
)
def test_pixels_of_another_shape_are_refused(tmp_path: Path, pixels: pa.Array, message: str) -> None:
    path = write_log(tmp_path / "w.parquet", image_columns(np.zeros((4, 16))) | {"x": pixels})
    with pytest.raises(DataError, match=message):
        read(path, IMAGES)


def test_damaged_files_and_other_formats_are_refused_in_one_line(tmp_path: Path) -> None:
    good = Path(write_log(tmp_path / "good.parquet", table_columns(2000), compression="none")).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(good[:-100])
    (tmp_path / "text.parquet").write_text("PAR1 nothing of the kind")
    (tmp_path / "rotten.parquet").write_bytes(good[:4] + b"\xff" * 3000 + good[3004:])
    (tmp_path / "wide.csv").write_text("age,dose\n1,2,3\n")
    (tmp_path / "twice.csv").write_text("age,age\n1,2\n")
    (tmp_path / "latin.csv").write_bytes("age,dosé\n1,2\n".encode("latin-1"))
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n")
    (tmp_path / "empty").mkdir()
    for name in ("cut.parquet", "text.parquet", "rotten.parquet", "wide.csv", "twice.csv", "latin.csv", "model.pkl",
                 "empty", "missing.parquet", "a\0b.parquet"):  # fmt: skip
        with pytest.raises(DataError, match="expected") as found:
            read(str(tmp_path / name))
        assert "\n" not in str(found.value), name
        assert str(tmp_path) not in str(found.value), "an error names the file, not the folders of a machine"
    with pytest.raises(DataError, match="images"):
        read(str(tmp_path / "wide.csv"), IMAGES)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = write_log(tmp_path / "w.parquet", table_columns(10))
    with open_rows(path, data=TABLE) as source:
        assert len(list(source.batches())) == 1
        write_log(tmp_path / "w.parquet", table_columns(10, seed=6))
        with pytest.raises(DataError, match=r"'w.parquet' as it was opened"):
            list(source.batches())


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    """A bucket of a mock S3 server on loopback, and the query of URIs to it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="logs")
    yield client, f"endpoint={endpoint}&region=us-east-1"
    server.stop()


def test_a_prefix_and_an_object_on_s3_are_downloaded_and_read(tmp_path: Path, bucket: tuple[Any, str]) -> None:
    client, query = bucket
    whole = pa.table(table_columns(60))
    for number, name in enumerate(("b.parquet", "a/c.parquet", "_x/d.parquet", ".e.parquet")):
        part = {column: whole[column][number * 15 : number * 15 + 15] for column in whole.column_names}
        client.upload_file(write_log(tmp_path / f"{number}.parquet", part), "logs", f"digits/{name}")
    with open_rows(f"s3://logs/digits?{query}", data=TABLE) as source:
        assert [file.name for file in source.files] == ["a/c.parquet", "b.parquet"]
        assert (source.source, source.sha256) == ("s3://logs/digits", "")
        batch = joined(list(source.batches()))
        held = source.files[0].path
        assert held.is_file()
    assert not held.exists(), "what was downloaded goes with the context"
    assert batch.answers.ids.to_pylist() == whole["id"].to_pylist()[15:30] + whole["id"].to_pylist()[:15]
    with open_rows(f"s3://logs/digits/b.parquet?{query}", data=TABLE) as source:
        assert source.sha256 == sha256_file(tmp_path / "0.parquet")
        assert len(joined(list(source.batches()))) == 15
    with pytest.raises(DataError, match="1 to 100000 Parquet files below 's3://logs/nothing'"):
        read(f"s3://logs/nothing?{query}")


MEMORY = """
import sys, tracemalloc
import pyarrow as pa
from robustcert.drift.rows import open_rows
from tests.drift.logs import TABLE
tracemalloc.start()
with open_rows(sys.argv[1], data=TABLE) as source:
    count = sum(len(batch) for batch in source.batches())
print(count, tracemalloc.get_traced_memory()[1] + pa.default_memory_pool().max_memory())
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, root: Path) -> None:
    """Peaks of numpy's and Arrow's memory: sixteen times the rows, in one row group of 65 MB, take 4 MB more at most.

    Not the process's largest size: what a child reports of that starts at its parent's.
    """
    peaks = []
    for n in (100_000, 1_600_000):
        base = pa.table({name: table_columns(1000)[name] for name in ("age", "dose", "smoker", "site", "time")})
        path = tmp_path / f"{n}.parquet"
        write_log(path, dict(zip(base.column_names, pa.concat_tables([base] * (n // 1000)).columns, strict=True)),
                  row_group_size=n, use_dictionary=False, compression="none")  # fmt: skip
        run = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path)], cwd=root, check=True, capture_output=True, text=True
        )
        count, peak = map(int, run.stdout.split())
        assert count == n
        peaks.append(peak)
    assert peaks[1] > 1 << 20, "something was measured"
    assert peaks[1] - peaks[0] < 4 << 20, peaks


def test_what_the_payload_log_writes_is_read(tmp_path: Path) -> None:
    """The log's own writer, of images and of a table with a column of each kind."""
    for document_, contract, raw in (
        (document(), IMAGES_2X2, [[0.0, 8.0, 4.0, 2.0], [8.0, 1.0, 1.0, 1.0]]),
        (table_document(), ROOMS, [[0.5, 3.0, 1.0, 2.0], [float("nan"), 9.0, 0.0, 0.0]]),
    ):
        reference = read_reference(as_json(document_))
        payloads = [
            Payload(id=f"e-{row}", time=1_795_000_000_000_000 + row, prediction=2 if row else None,
                    outcome="predicted" if row else "abstained", margin=1.5, distance=0.25, segment="web",
                    raw_R=np.array(values))
            for row, values in enumerate(raw)
        ]  # fmt: skip
        (tmp_path / "log.parquet").write_bytes(parquet_bytes(payloads, reference))
        batch = read(str(tmp_path / "log.parquet"), contract, model_sha256="0123456789abcdef" * 4)
        assert np.array_equal(batch.values.reshape(2, -1), np.array(raw), equal_nan=True)
        assert batch.answers.ids.to_pylist() == ["e-0", "e-1"]
        predictions = batch.answers.predictions
        assert predictions is not None
        assert (predictions.known.tolist(), int(predictions.index[1])) == ([False, True], 2)
        assert batch.answers.times is not None
        assert batch.answers.times.astype(np.int64).tolist() == [1_795_000_000_000_000, 1_795_000_000_000_001]
