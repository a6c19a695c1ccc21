"""The baseline is what was certified, answered again; a baseline that moved ends everything in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

from robustcert.certificate import bundle
from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.certificate.evidence import EVALUATION_SCHEMA, read_rows, write_rows
from robustcert.drift.baseline import open_baseline
from robustcert.errors import StepError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store
from tests.chain import Chain


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def certified_in(store: Store, chain: Chain) -> Certified:
    return open_certified(store, find_certificate(store, sha256_file(chain.files.certificate)), trusted=chain.key)


def with_answers(store: Store, chain: Chain, tmp_path: Path, *, wrong: int) -> Certified:
    """The certificate with evidence in which `wrong` of the clean answers are others."""
    certified = certified_in(store, chain)
    rows = list(read_rows(chain.bundle / bundle.EVALUATION, schema=EVALUATION_SCHEMA))
    samples = sorted({row["sample"] for row in rows})[:wrong]
    changed = [row | {"prediction": (row["prediction"] + 1) % 10} if row["sample"] in samples else row for row in rows]
    write_rows(changed, tmp_path / "evidence", schema=EVALUATION_SCHEMA)
    sha256 = store.put_file(tmp_path / "evidence")
    return replace(certified, files=certified.files | {bundle.EVALUATION: sha256})


def test_the_certified_answers_are_given_again(store: Store, chain: Chain) -> None:
    found = open_baseline(store, certified_in(store, chain), tolerance=0.0)
    evidence = pq.read_table(chain.bundle / bundle.EVALUATION)
    assert found.agreed == found.of == len(set(evidence["sample"].to_pylist())) == 24
    assert np.array_equal(found.test.x()[0] * 16, load_digits().images[found.test.sample_ids[0]][None])


def test_a_baseline_that_moved_beyond_the_tolerance_ends_in_one_line(
    store: Store, chain: Chain, tmp_path: Path
) -> None:
    moved = with_answers(store, chain, tmp_path, wrong=3)
    assert open_baseline(store, moved, tolerance=3 / 24).agreed == 21
    with pytest.raises(StepError, match=r"recorded for its 24 samples, got 21 of them again; run where") as refused:
        open_baseline(store, moved, tolerance=2.9 / 24)
    assert "\n" not in str(refused.value)
