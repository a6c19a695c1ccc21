import numpy as np
import pytest

from robustcert.data.checks import classes
from robustcert.data.checks.facts import Check
from tests.data.examples import facts, image_data, planted, raw_images

LABELS = raw_images().labels


@pytest.mark.parametrize("check", [classes.label_range, classes.empty_classes, classes.class_balance, classes.splits])
def test_data_that_keep_their_contract_pass(check: Check) -> None:
    assert check(facts(image_data(), raw_images())) is None


@pytest.mark.parametrize(("label", "name"), [(2, "2"), (-1, "-1")])
def test_a_label_out_of_range_is_found(label: int, name: str) -> None:
    breach = classes.label_range(facts(image_data(), raw_images(labels=planted(LABELS, [6, 9], label))))
    assert breach is not None
    assert breach.message == (
        f"expected labels among 2 classes (cat, dog), got {name} in sample 6; correct the labels or list the class"
    )
    assert breach.affected is not None
    assert np.flatnonzero(breach.affected).tolist() == [6, 9]


def test_a_label_that_names_no_class_is_found_by_its_text() -> None:
    raw = raw_images(labels=planted(LABELS, 6, 2), label_names=("cat", "dog", "cow"))
    breach = classes.label_range(facts(image_data(), raw))
    assert breach is not None
    assert "got 'cow' in sample 6;" in breach.message


def test_an_empty_class_is_found() -> None:
    breach = classes.empty_classes(facts(image_data(classes=("cat", "dog", "cow")), raw_images()))
    assert breach is not None
    assert breach.message == (
        "expected samples of every class, got none of class 'cow' in the data; "
        "add samples, or drop the class from the contract"
    )


@pytest.mark.parametrize(("code", "name"), [(0, "train"), (1, "validation"), (2, "test")])
def test_a_class_that_one_split_lacks_is_found(code: int, name: str) -> None:
    split = np.where(LABELS == 1, np.arange(40) % 3, (code + 1 + np.arange(40) // 2 % 2) % 3).astype(np.int8)
    breach = classes.empty_classes(facts(image_data(), raw_images(splits=split)))
    assert breach is not None
    assert f"got none of class 'cat' in split {name};" in breach.message


@pytest.mark.parametrize(("fraction", "is_found"), [(0.1, False), (0.101, True)])
def test_an_imbalanced_class_is_found_below_the_contracts_fraction(fraction: float, is_found: bool) -> None:
    labels = planted(np.zeros(40, dtype=np.int64), [1, 2, 30, 31], 1)
    breach = classes.class_balance(facts(image_data(minimumClassFraction=fraction), raw_images(labels=labels)))
    assert (breach is not None) == is_found
    if breach is not None:
        assert breach.message == (
            "expected at least 0.101 of the samples in every class, got 4 of 40 in class 'dog'; "
            "add samples of it, or lower minimumClassFraction and say why"
        )
        assert breach.affected is not None
        assert np.flatnonzero(breach.affected).tolist() == [1, 2, 30, 31]


def test_an_empty_split_is_found() -> None:
    breach = classes.splits(facts(image_data(), raw_images(splits=np.zeros(40, dtype=np.int8))))
    assert breach is not None
    assert breach.message.startswith("expected samples in every split, got none in validation, test; give more samples")
