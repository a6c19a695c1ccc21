"""A sample of either side: drawn by seed, complete rows only, measured as the drift reference says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustcert.data.contract import contract_of
from robustcert.data.dataset import load_dataset
from robustcert.drift import samples
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.policy import SamplePolicy
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import open_rows
from robustcert.drift.samples import Sampler, Standard
from robustcert.errors import DataError
from robustcert.models.files import load_model
from robustcert.specification import Data
from tests.chain import Chain
from tests.drift.windows import training_rows, write_window

DIGITS = Data(source="builtin:digits")


def sampler(chain: Chain, **sizes: int) -> Sampler:
    assert chain.files.dataset is not None
    return Sampler(
        columns=FeatureColumns(contract=contract_of(DIGITS), dataset=load_dataset(chain.files.dataset)),
        model=load_model(chain.bundle / "model.safetensors"),
        standard=Standard(centre=np.full(64, 0.5), scale=np.full(64, 2.0)),
        sizes=SamplePolicy(**sizes),
    )


def batch_of(path: Path) -> RowBatch:
    with open_rows(str(path), data=DIGITS) as source:
        (batch,) = source.batches()
        return batch


def test_a_sample_holds_as_many_rows_as_the_policy_says_and_is_the_same_each_time(chain: Chain) -> None:
    made = sampler(chain, outputs=150, tests=20)
    test = made.columns.dataset.select("test")
    one, again = made.of_dataset(test), made.of_dataset(test)
    assert (len(one), one.features.shape, one.embedding.shape) == (150, (20, 66), (20, 32))
    assert np.array_equal(one.features, again.features)
    assert not np.array_equal(one.features, sampler(chain, outputs=150, tests=20, seed=1).of_dataset(test).features)
    assert one.labels is not None
    assert np.isin(one.labels, range(10)).all()
    assert len(sampler(chain).of_dataset(test)) == len(test)


def test_inputs_too_large_for_memory_are_sampled_more_sparsely(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_VALUES", 64 * 120 + 63)
    made = sampler(chain, outputs=150, tests=20)
    assert (made.rows, len(made.of_dataset(made.columns.dataset.select("test")))) == (120, 120)


def test_the_distance_is_root_mean_square_in_scales_of_the_standard(chain: Chain, tmp_path: Path) -> None:
    x, _ = training_rows(chain, rows=30)
    found = sampler(chain).of_batch(batch_of(write_window(tmp_path / "w.parquet", x)))
    assert np.allclose(found.distances, np.sqrt((((x / 16) - 0.5) ** 2 / 4).mean(axis=1)))


def test_an_incomplete_row_is_told_and_never_answered(chain: Chain, tmp_path: Path) -> None:
    x, _ = training_rows(chain, rows=30)
    x[7, 3] = np.nan
    made, batch = sampler(chain), batch_of(write_window(tmp_path / "w.parquet", x))
    assert np.flatnonzero(~made.complete(batch)).tolist() == [7]
    with pytest.raises(DataError, match="leave incomplete rows out"):
        made.of_batch(batch)
    assert len(made.of_batch(batch.at(made.complete(batch)))) == 29
