import numpy as np

from robustcert.data.checks.facts import any_coordinate, first_copies, first_of
from tests.data.examples import facts, image_data, raw_images, raw_table, table_data


def test_first_copies_agree_with_numpys_unique() -> None:
    values = np.random.default_rng(0).integers(0, 2, size=(300, 1, 2, 3), dtype=np.uint8)
    _, first, inverse = np.unique(values.reshape(300, -1), axis=0, return_index=True, return_inverse=True)
    assert first_copies(values).tolist() == first[inverse].tolist()


def test_both_zeros_are_equal_and_so_are_all_nan() -> None:
    values = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0]])
    assert first_copies(values).tolist() == [0, 0, 2]


def test_a_mask_names_its_samples_and_its_first_place() -> None:
    mask = np.zeros((3, 2, 2), dtype=np.bool_)
    mask[1, 1, 0] = mask[2, 0, 0] = True
    assert any_coordinate(mask).tolist() == [False, True, True]
    assert first_of(mask) == (1, 1, 0)


def test_samples_are_named_by_their_id_not_their_row() -> None:
    assert facts(image_data(), raw_images(3, sample_ids=np.array([7, 8, 9]))).name(1) == "sample 8"


def test_a_source_without_cells_has_all_of_them() -> None:
    assert not facts(table_data(), raw_table()).table_cells.any()
    assert facts(table_data(), raw_table()).table_cells.shape == (40, 4)
