import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from robustcert.data.source_builtin import PUBLISHED_SHA256, read_builtin
from robustcert.errors import DataError


def test_digits_are_scikit_learns_images_as_stored_integers() -> None:
    samples, _ = read_builtin("digits")
    assert samples.values.dtype == np.uint8
    assert np.array_equal(samples.values[:, 0], load_digits().images)
    assert np.array_equal(samples.labels, load_digits().target)
    assert samples.sample_ids.tolist() == list(range(1797))


def test_breast_cancer_is_scikit_learns_table() -> None:
    samples, _ = read_builtin("breast-cancer")
    assert np.array_equal(samples.values, load_breast_cancer().data)
    assert np.array_equal(samples.labels, load_breast_cancer().target)
    assert list(samples.columns) == load_breast_cancer().feature_names.tolist()


@pytest.mark.parametrize(("name", "load"), [("digits", load_digits), ("breast-cancer", load_breast_cancer)])
def test_the_digest_is_that_of_values_and_labels_as_little_endian_64_bit_numbers(name: str, load: object) -> None:
    values, labels = load(return_X_y=True)  # type: ignore[operator]
    by_hand = hashlib.sha256(values.astype("<f8").tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert read_builtin(name)[1] == PUBLISHED_SHA256[name] == by_hand


def test_a_changed_copy_of_an_embedded_data_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED_SHA256, "digits", "00" * 32)
    with pytest.raises(DataError, match=r"^expected digits with SHA-256 0{64}, got [0-9a-f]{64}; install the pinned"):
        read_builtin("digits")
