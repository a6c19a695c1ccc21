"""Which columns of a contract can have which fault."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.drift.fault_columns import fault_columns
from tests.drift.logs import IMAGES, TABLE


def test_a_tables_columns_have_their_kind_and_range() -> None:
    found = fault_columns(TABLE.contract or pytest.fail("no contract"))
    assert found.names == ("age", "dose", "smoker", "site")
    assert found.low.tolist() == [0, 0, 0, 0]
    assert found.high.tolist() == [120, 10, 1, 2]
    assert found.coded.tolist() == [False, False, True, True]
    assert found.whole.tolist() == [True, False, True, True]
    assert found.able("unit") == found.able("swapped") == [0, 1]
    assert found.able("missing") == found.able("noise") == found.able("stuck") == [0, 1, 2, 3]
    assert found.able("brightness") == []


def test_an_images_columns_are_its_pixels() -> None:
    found = fault_columns(IMAGES.contract or pytest.fail("no contract"))
    assert found.pixels
    assert np.array_equal(found.high, np.full(16, 255))
    assert len(found.able("brightness")) == 16
    assert found.able("swapped") == []
