"""Windows of production data for tests: rows of scikit-learn's own digits, as they are or drifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from robustcert.data.dataset import load_dataset
from tests.chain import Chain


def certified_rows(chain: Chain) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The raw rows of the certified test split, (N, 1, 8, 8), and their labels, straight from the source."""
    assert chain.files.dataset is not None
    ids = load_dataset(chain.files.dataset).select("test").sample_ids
    found = load_digits()
    return found.data[ids].reshape(-1, 1, 8, 8), found.target[ids].astype(np.int64)


def same_window(chain: Chain, path: Path) -> Path:
    """A window that is the test split."""
    x, y = certified_rows(chain)
    return _saved(path, x, y)


def drifted_window(chain: Chain, path: Path) -> Path:
    """A window within the contract on which no model of the test split can be right: noise, and shuffled labels."""
    x, y = certified_rows(chain)
    noise = np.random.default_rng(0).normal(0, 12, x.shape)
    return _saved(path, np.clip(np.rint(x + noise), 0, 16), np.roll(y, 7))


def window_off_contract(chain: Chain, path: Path) -> Path:
    """A window with values that the contract excludes."""
    x, y = certified_rows(chain)
    return _saved(path, x + 1, y)


def _saved(path: Path, x: NDArray[np.float64], y: NDArray[np.int64]) -> Path:
    np.savez(path, x=x, y=y)
    return path
