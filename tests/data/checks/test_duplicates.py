import numpy as np
import pytest

from robustcert.data.checks import duplicates
from robustcert.data.checks.facts import Breach, Check
from robustcert.data.raw import RawData
from tests.data.examples import facts, image_data, raw_images, raw_table, table_data

SPLITS = np.array([0] * 24 + [1] * 6 + [2] * 10, dtype=np.int8)
CHECKS = (
    duplicates.duplicates, duplicates.label_conflicts, duplicates.exact_leakage, duplicates.near_duplicate_leakage,
)  # fmt: skip


def images_with(copies: dict[int, int], *, shift: int = 0) -> RawData:
    """Images where each key is a copy of its value, one pixel moved by `shift`; 24 train, 6 validation, 10 test."""
    values = raw_images().values.copy()
    values[:, 0, 0, 0] = 100
    for copy, original in copies.items():
        values[copy] = values[original]
        values[copy, 0, 0, 0] += shift
    return raw_images(values=values, splits=SPLITS)


def affected(breach: Breach | None) -> list[int]:
    assert breach is not None
    assert breach.affected is not None
    return np.flatnonzero(breach.affected).tolist()


@pytest.mark.parametrize("check", CHECKS)
def test_data_that_keep_their_contract_pass(check: Check) -> None:
    assert check(facts(image_data(), images_with({}))) is None
    assert check(facts(table_data(), raw_table(splits=SPLITS))) is None


@pytest.mark.parametrize(("most", "severity"), [(0.05, "warning"), (0.049, "error")])
def test_duplicates_are_an_error_above_the_contracts_fraction(most: float, severity: str) -> None:
    given = facts(image_data(maximumDuplicateFraction=most), images_with({6: 2, 8: 2}))
    breach = duplicates.duplicates(given)
    assert affected(breach) == [6, 8]
    assert breach is not None
    assert breach.severity == severity
    assert breach.message == (
        f"expected at most {most:g} of the samples repeated, got 2 of 40: sample 6 repeats sample 2; drop the copies"
    )


def test_equal_inputs_with_different_labels_are_found() -> None:
    breach = duplicates.label_conflicts(facts(image_data(), images_with({7: 2, 8: 2})))
    assert affected(breach) == [2, 7, 8]
    assert breach is not None
    assert breach.message == (
        "expected one label for equal inputs, got 'cat' in sample 2, 'dog' in sample 7; "
        "correct the labels or drop the samples"
    )
    assert duplicates.label_conflicts(facts(image_data(), images_with({8: 2}))) is None


@pytest.mark.parametrize(
    ("copies", "leaked", "first"),
    [
        ({30: 2}, [30], "1 of 10 in test, the first sample 30"),
        ({24: 2}, [24], "1 of 6 in validation, the first sample 24"),
        ({30: 24}, [30], "1 of 10 in test, the first sample 30"),
        ({26: 2, 30: 2, 31: 2}, [26, 30, 31], "2 of 10 in test, the first sample 30"),
    ],
)
def test_exact_leakage_between_splits_is_found(copies: dict[int, int], leaked: list[int], first: str) -> None:
    given = facts(image_data(), images_with(copies))
    breach = duplicates.exact_leakage(given)
    assert affected(breach) == leaked
    assert breach is not None
    assert breach.of == 16
    assert breach.message == (
        f"expected at most 0 of a held-out split equal to a sample of an earlier split, got {first}; "
        "drop them, or keep such samples in one split"
    )
    assert duplicates.near_duplicate_leakage(given) is None


@pytest.mark.parametrize("copies", [{8: 2}, {26: 24}, {32: 30}])
def test_copies_within_one_split_do_not_leak(copies: dict[int, int]) -> None:
    assert duplicates.exact_leakage(facts(image_data(), images_with(copies))) is None
    assert duplicates.near_duplicate_leakage(facts(image_data(), images_with(copies, shift=1))) is None


@pytest.mark.parametrize(("most", "is_found"), [(0.1, False), (0.099, True)])
def test_leakage_up_to_the_contracts_fraction_of_a_split_is_let_pass(most: float, is_found: bool) -> None:
    given = facts(image_data(maximumLeakedFraction=most), images_with({30: 2}))
    assert (duplicates.exact_leakage(given) is not None) == is_found


@pytest.mark.parametrize(("shift", "is_found"), [(10, True), (11, False)])
def test_near_duplicates_leak_within_the_contracts_distance(shift: int, is_found: bool) -> None:
    """One of 16 pixels moved by 10/255 is an RMS of 10 / 255 / 4 = 0.0098 of the range; by 11, of 0.0108."""
    breach = duplicates.near_duplicate_leakage(facts(image_data(), images_with({30: 2, 25: 3}, shift=shift)))
    assert (breach is not None) == is_found
    if breach is not None:
        assert affected(breach) == [25, 30]
        assert breach.message.startswith("expected at most 0 of a held-out split within 0.01 of a sample of an earlier")
    assert duplicates.exact_leakage(facts(image_data(), images_with({30: 2}, shift=shift))) is None


def test_the_distance_is_the_contracts() -> None:
    given = images_with({30: 2}, shift=100)
    assert duplicates.near_duplicate_leakage(facts(image_data(nearDuplicateDistance=0.099), given)) is not None
    assert duplicates.near_duplicate_leakage(facts(image_data(nearDuplicateDistance=0.097), given)) is None


def test_near_duplicates_of_a_table_are_measured_in_each_features_range() -> None:
    """Dose moved by 0.2 of 10 is an RMS of 0.02 / sqrt(6 coordinates) = 0.0082; age by 6 of 120, of 0.0204."""
    for column, step, is_found in ((1, 0.2, True), (0, 6.0, False)):
        values = raw_table().values.copy()
        values[30] = values[2]
        values[30, column] = values[2, column] + (step if values[2, column] < 5 or column == 0 else -step)
        breach = duplicates.near_duplicate_leakage(facts(table_data(), raw_table(values=values, splits=SPLITS)))
        assert (breach is not None) == is_found


def test_another_category_is_far_away() -> None:
    values = raw_table().values.copy()
    values[30] = values[2]
    values[30, 3] = (values[2, 3] + 1) % 3
    given = facts(table_data(), raw_table(values=values, splits=SPLITS))
    assert duplicates.near_duplicate_leakage(given) is None


def test_samples_with_missing_values_have_no_near_duplicates() -> None:
    values = raw_table().values.copy()
    values[30] = values[2]
    values[[2, 30], 1] = np.nan
    given = facts(table_data(), raw_table(values=values, splits=SPLITS))
    assert duplicates.near_duplicate_leakage(given) is None
    assert affected(duplicates.exact_leakage(given)) == [30]


def test_empty_splits_leak_nothing() -> None:
    raw = raw_images(splits=np.zeros(40, dtype=np.int8))
    assert duplicates.exact_leakage(facts(image_data(), raw)) is None
    assert duplicates.near_duplicate_leakage(facts(image_data(), raw)) is None
