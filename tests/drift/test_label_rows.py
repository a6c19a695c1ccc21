"""Delayed labels are read from Parquet and CSV alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustcert.drift.label_rows import open_labels
from robustcert.errors import DataError
from robustcert.provenance.digests import sha256_file
from tests.drift.logs import TABLE, write_log


def test_csv_and_parquet_give_the_same_labels(tmp_path: Path) -> None:
    rows = [("a", "ill", "2026-11-21T13:05:11Z"), ("b", "well", ""), ("c", "dead", "2026-11-22T13:05:11+01:00")]
    path = tmp_path / "labels.csv"
    path.write_text("id,label,time,note\n" + "".join(f"{','.join(row)},x\n" for row in rows))
    parquet_path = write_log(tmp_path / "labels.parquet", dict(zip(("id", "label", "time"), zip(*rows, strict=True),
                                                                   strict=True)))  # fmt: skip
    for uri in (str(path), parquet_path):
        with open_labels(uri, data=TABLE) as source:
            (batch,) = source.batches()
            assert (source.source, source.sha256) == (Path(uri).name, sha256_file(Path(uri)))
        assert batch.ids.to_pylist() == ["a", "b", "c"]
        assert batch.labels.known.tolist() == [True, True, False]
        assert batch.labels.foreign.tolist() == [False, False, True]
        assert batch.labels.index[:2].tolist() == [0, 1]
        assert batch.times is not None
        assert batch.times[0] == np.datetime64("2026-11-21T13:05:11")
        assert np.isnat(batch.times[1])
        assert batch.times[2] == np.datetime64("2026-11-22T12:05:11")


def test_times_may_be_left_out(tmp_path: Path) -> None:
    with open_labels(write_log(tmp_path / "l.parquet", {"id": [7, 8], "label": [1, 0]}), data=TABLE) as source:
        (batch,) = source.batches()
    assert (batch.ids.to_pylist(), batch.labels.index.tolist(), batch.times) == (["7", "8"], [1, 0], None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.csv", b"id,state\na,ill\n", "columns 'id' and 'label'"),
        ("l.csv", b"", "columns 'id' and 'label'"),
        ("l.npz", b"PK", "labels as Parquet or CSV"),
        ("l.pkl", b"cos\nsystem\n", "folder of Parquet files"),
        ("l.parquet", b"PAR1", "a complete file in 'l.parquet'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message), open_labels(str(tmp_path / name), data=TABLE):
        pass
