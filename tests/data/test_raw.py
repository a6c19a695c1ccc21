import numpy as np
import pytest

from robustcert.data.raw import RawData, Samples, class_indices
from tests.data.examples import SHA256, raw_images


def test_class_names_become_their_indices() -> None:
    labels, names = class_indices([" dog", "cat", "dog"], ["cat", "dog"])
    assert labels.tolist() == [1, 0, 1]
    assert names == ("cat", "dog")


def test_integers_are_class_indices_where_no_text_names_a_class() -> None:
    assert class_indices(["1", "0", "-3", "7"], ["cat", "dog"])[0].tolist() == [1, 0, -3, 7]


def test_digits_that_name_classes_are_names_not_indices() -> None:
    assert class_indices(["1", "0"], ["1", "0"])[0].tolist() == [0, 1]


@pytest.mark.parametrize("text", ["cow", "", None, "9" * 30])
def test_a_text_that_names_no_class_gets_an_index_after_the_classes(text: str | None) -> None:
    labels, names = class_indices(["cat", text, "dog"], ["cat", "dog"])
    assert labels.tolist() == [0, 2, 1]
    assert names == ("cat", "dog", text or "")


def test_a_label_without_a_name_shows_as_its_number() -> None:
    raw = raw_images()
    assert [raw.label_name(label) for label in (0, 1, 2, -1)] == ["'cat'", "'dog'", "2", "-1"]


def test_samples_keep_every_field_when_they_get_their_origin() -> None:
    fields = {name: value for name, value in vars(raw_images()).items() if name not in ("source", "source_sha256")}
    raw = RawData.of(Samples(**fields), source="made.npz", source_sha256=SHA256)
    assert all(np.array_equal(value, getattr(raw, name)) for name, value in vars(raw_images()).items())
