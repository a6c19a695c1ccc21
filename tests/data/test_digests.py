import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.digests import dataset_root, first_difference, geometry_sha256, sample_leaves, sample_sha256
from robustcert.specification import Data
from tests.data.examples import image_data, planted, raw_images


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return build_dataset(image_data(), raw_images(), seed=0)


def leaf_by_hand(dataset: Dataset, row: int) -> bytes:
    """One leaf from hashlib, struct-like bytes and json alone."""
    steps = b"".join(int(step).to_bytes(4, "little", signed=True) for step in dataset.x_int[row].ravel())
    split = ["train", "validation", "test"][dataset.split[row]]
    fields = {"id": int(dataset.sample_ids[row]), "split": split, "x": hashlib.sha256(steps).hexdigest()}
    return json.dumps({**fields, "y": int(dataset.y[row])}, separators=(",", ":")).encode()


def root_by_hand(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as written there."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = max(power for power in (1, 2, 4, 8, 16, 32) if power < len(leaves))
    return hashlib.sha256(b"\x01" + root_by_hand(leaves[:k]) + root_by_hand(leaves[k:])).digest()


def test_an_inputs_digest_is_that_of_its_little_endian_integers() -> None:
    content = (1).to_bytes(4, "little") + (-2).to_bytes(4, "little", signed=True)
    assert sample_sha256(np.array([1, -2], dtype=np.int32)) == hashlib.sha256(content).hexdigest()


def test_leaves_are_canonical_json_of_id_split_input_and_label(dataset: Dataset) -> None:
    assert sample_leaves(dataset) == [leaf_by_hand(dataset, row) for row in range(40)]


def test_the_root_is_the_merkle_root_over_the_leaves_of_all_or_one_split(dataset: Dataset) -> None:
    leaves = [leaf_by_hand(dataset, row) for row in range(40)]
    assert dataset_root(dataset) == root_by_hand(leaves).hex()
    held_out = [leaf for leaf, split in zip(leaves, dataset.split, strict=True) if split == 2]
    assert dataset_root(dataset, "test") == root_by_hand(held_out).hex()
    assert dataset_root(dataset.select("test")) == dataset_root(dataset, "test")


def test_any_grid_step_any_label_any_split_any_id_changes_the_root(dataset: Dataset) -> None:
    roots = {dataset_root(dataset)}
    for row in range(0, 40, 7):
        for pixel in range(0, 16, 5):
            place = (row, 0, pixel // 4, pixel % 4)
            roots.add(dataset_root(replace(dataset, x_int=planted(dataset.x_int, place, dataset.x_int[place] ^ 1))))
        roots.add(dataset_root(replace(dataset, y=planted(dataset.y, row, 1 - dataset.y[row]))))
        roots.add(dataset_root(replace(dataset, split=planted(dataset.split, row, (dataset.split[row] + 1) % 3))))
        roots.add(dataset_root(replace(dataset, sample_ids=planted(dataset.sample_ids, row, 100 + row))))
    assert len(roots) == 1 + 6 * (4 + 3)


def test_equal_data_sets_have_no_difference(dataset: Dataset) -> None:
    assert first_difference(dataset, build_dataset(image_data(), raw_images(), seed=0)) is None


def test_the_changed_sample_is_named(dataset: Dataset) -> None:
    name = ["train", "validation", "test"][dataset.split[17]]
    place = (17, 0, 0, 0)
    changed_input = replace(dataset, x_int=planted(dataset.x_int, place, dataset.x_int[place] ^ 1))
    assert first_difference(dataset, changed_input) == f"sample 17 of split {name}: input changed"
    changed_label = replace(dataset, y=planted(dataset.y, 17, 1 - dataset.y[17]))
    assert first_difference(dataset, changed_label) == f"sample 17 of split {name}: label changed"
    moved = replace(dataset, split=planted(dataset.split, 17, (dataset.split[17] + 1) % 3))
    assert first_difference(dataset, moved) == f"sample 17 of split {name}: split changed"
    without = dataset.rows([sample for sample in range(40) if sample != 17])
    assert first_difference(dataset, without) == f"sample 17 of split {name}: removed"
    assert first_difference(without, dataset) == f"sample 17 of split {name}: added"
    assert first_difference(dataset, dataset.rows(range(39, -1, -1))) == "order of samples changed"


@pytest.mark.parametrize("name", ["unit", "scale", "lower", "upper", "perturbable"])
def test_what_the_integers_mean_has_a_digest_of_its_own(dataset: Dataset, name: str) -> None:
    array = getattr(dataset, name)
    changed = replace(dataset, **{name: planted(array, (0, 1, 2), not array[0, 1, 2] if array.dtype == bool else 7.5)})
    assert geometry_sha256(changed) != geometry_sha256(dataset)
    assert dataset_root(changed) == dataset_root(dataset)
    assert first_difference(dataset, changed) == f"{name} of coordinate 6 changed"


def test_the_geometry_digest_is_made_of_names_and_little_endian_bytes(dataset: Dataset) -> None:
    digest = hashlib.sha256()
    for name in ("unit", "scale", "lower", "upper"):
        digest.update(name.encode() + b"\n" + getattr(dataset, name).astype("<f8").tobytes())
    digest.update(b"perturbable\n" + b"\x01" * 16)
    assert geometry_sha256(dataset) == digest.hexdigest()


def test_another_shape_is_a_difference(dataset: Dataset) -> None:
    other = build_dataset(
        Data.model_validate({"source": "builtin:digits"}),
        raw_images(values=np.zeros((40, 1, 8, 8), dtype=np.uint8)),
        seed=0,
    )
    assert first_difference(dataset, other) == "shape changed from [1, 4, 4] to [1, 8, 8]"
