"""What a window is compared with: every row of it is counted, in cells that its own quantiles cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustcert.data.contract import contract_of
from robustcert.data.dataset import load_dataset
from robustcert.drift import reference_side
from robustcert.drift.baseline import Baseline
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.policy import SamplePolicy
from robustcert.drift.reference_side import certified_reference, window_reference
from robustcert.drift.samples import Sampler, Standard
from robustcert.models.files import load_model
from robustcert.specification_file import parse_specification
from tests.chain import Chain, small_specification
from tests.drift.windows import training_rows, write_window


@pytest.fixture(scope="module")
def baseline(chain: Chain) -> Baseline:
    assert chain.files.dataset is not None
    return Baseline(
        specification=parse_specification(small_specification()).specification,
        dataset=load_dataset(chain.files.dataset),
        model=load_model(chain.bundle / "model.safetensors"),
        agreed=0,
        of=0,
    )


def sampler(baseline: Baseline) -> Sampler:
    return Sampler(
        columns=FeatureColumns(contract=contract_of(baseline.specification.data), dataset=baseline.dataset),
        model=baseline.model,
        standard=Standard(centre=np.zeros(64), scale=np.ones(64)),
        sizes=SamplePolicy(outputs=100, tests=50),
    )


def test_all_of_the_test_split_is_counted_though_a_sample_is_drawn(
    baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = certified_reference(baseline, sampler(baseline), dataset_sha256="a" * 64, drift_reference_sha256="b" * 64)
    monkeypatch.setattr(reference_side, "ROWS_AT_A_TIME", 10)
    parts = certified_reference(baseline, sampler(baseline), dataset_sha256="a" * 64, drift_reference_sha256="b" * 64)
    assert {counts.n for counts in found.counts.values()} == {found.part.rows} == {len(baseline.test)}
    assert all(np.array_equal(found.counts[name].counts, parts.counts[name].counts) for name in found.counts)
    assert found.labels.tolist() == np.bincount(baseline.test.y, minlength=10).tolist()
    assert (len(found.sample), found.part.split) == (100, "test")


def test_an_earlier_window_is_counted_and_the_certified_answers_stay_at_hand(
    baseline: Baseline, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain, rows=300)
    x[0, 0] = np.nan
    window = write_window(tmp_path / "before.parquet", x)
    found = window_reference(str(window), baseline, sampler(baseline), drift_reference_sha256="b" * 64)
    assert (found.part.rows, found.part.split, len(found.certified)) == (300, "window", 100)
    assert found.counts["brightness"].n == 299
    assert found.certified.labels is not None
