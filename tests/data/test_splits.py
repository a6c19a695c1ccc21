import hashlib

import numpy as np
import pytest

from robustcert.data.splits import draw_splits, split_codes, splits_of
from robustcert.errors import DataError
from robustcert.specification import Splits
from tests.data.examples import raw_images

DEFAULT = Splits()


def test_each_class_is_cut_by_the_fractions() -> None:
    labels = np.repeat([0, 1], [100, 20])
    split = draw_splits(raw_images(120, labels=labels), fractions=DEFAULT, seed=3)
    assert np.bincount(split[labels == 0]).tolist() == [60, 15, 25]
    assert np.bincount(split[labels == 1]).tolist() == [12, 3, 5]


def test_the_draw_is_the_order_of_hashes_computed_by_hand() -> None:
    ids = np.array([4, 8, 15, 16, 23, 42, 77, 99], dtype=np.int64)
    raw = raw_images(8, labels=np.zeros(8, dtype=np.int64), sample_ids=ids)
    fractions = Splits(train=0.5, validation=0.25, test=0.25)
    ordered = sorted(ids.tolist(), key=lambda sample: hashlib.sha256(f"11 {sample}".encode()).digest())
    role = {sample: (0, 0, 0, 0, 1, 1, 2, 2)[place] for place, sample in enumerate(ordered)}
    assert draw_splits(raw, fractions=fractions, seed=11).tolist() == [role[sample] for sample in ids.tolist()]


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    raw, order = raw_images(60), np.random.default_rng(0).permutation(60)
    shuffled = raw_images(60, labels=raw.labels[order], sample_ids=raw.sample_ids[order])
    drawn = draw_splits(raw, fractions=DEFAULT, seed=3)
    assert draw_splits(shuffled, fractions=DEFAULT, seed=3).tolist() == drawn[order].tolist()
    assert draw_splits(raw, fractions=DEFAULT, seed=4).tolist() != drawn.tolist()


def test_splits_that_the_source_gives_are_kept() -> None:
    given = np.arange(40, dtype=np.int8) % 3
    assert splits_of(raw_images(splits=given), fractions=DEFAULT, seed=0) is given
    drawn = draw_splits(raw_images(), fractions=DEFAULT, seed=0)
    assert splits_of(raw_images(), fractions=DEFAULT, seed=0).tolist() == drawn.tolist()


def test_split_names_and_codes_are_read() -> None:
    codes = split_codes(["train", "validation", "test", np.int8(1)])
    assert codes.tolist() == [0, 1, 2, 1]
    assert codes.dtype == np.int8


@pytest.mark.parametrize("value", ["dev", "Train", "", None, 3, -1])
def test_another_split_is_refused_by_value_and_sample(value: object) -> None:
    with pytest.raises(DataError, match=rf"^expected train, validation or test as split, got {value!r} in sample 1;"):
        split_codes(["train", value])
