import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustcert.data.source_images import folder_sha256, image_files, read_images
from robustcert.errors import DataError
from tests.data.examples import image_data, raw_images

CONTRACT = image_data().contract
CLASSES = ("cat", "dog")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight grey 4x4 images, even ones cats, odd ones dogs, and things that are no data."""
    folder = tmp_path / "pictures"
    for number, image in enumerate(raw_images(8).values):
        save(image[0], folder / CLASSES[number % 2] / f"{number}.png")
    (folder / "README.md").write_text("what these are")
    (folder / "cat" / ".DS_Store").write_text("dust")
    (folder / ".git").mkdir()
    return folder


def save(pixels: np.ndarray, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_images_are_read_in_sorted_order_with_their_folders_name_as_class(folder: Path) -> None:
    samples = read_images(folder, contract=CONTRACT)
    assert np.array_equal(samples.values, raw_images(8).values[[0, 2, 4, 6, 1, 3, 5, 7]])
    assert samples.values.dtype == np.uint8
    assert samples.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert samples.sample_ids.tolist() == list(range(8))
    assert samples.splits is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere.png")])
def test_what_is_no_file_is_named_at_once(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "cat" / "9.png")
    with pytest.raises(DataError, match=r"^expected image files in class folders, got 'cat/9.png', which is no file"):
        read_images(folder, contract=CONTRACT)


def test_split_folders_give_the_splits(folder: Path, tmp_path: Path) -> None:
    for split, numbers in (("train", (0, 1)), ("validation", (2, 3)), ("test", (4, 5))):
        for number in numbers:
            save(raw_images(8).values[number, 0], tmp_path / "parts" / split / CLASSES[number % 2] / f"{number}.png")
    samples = read_images(tmp_path / "parts", contract=CONTRACT)
    assert samples.splits is not None
    assert samples.splits.tolist() == [2, 2, 0, 0, 1, 1]
    assert samples.labels.tolist() == [0, 1] * 3
    assert np.array_equal(samples.values, raw_images(8).values[[4, 5, 0, 1, 2, 3]])


def test_classes_that_are_named_like_splits_are_classes(tmp_path: Path) -> None:
    for name in ("test", "train"):
        save(np.zeros((4, 4), dtype=np.uint8), tmp_path / name / "0.png")
    contract = image_data(classes=("train", "test")).contract
    samples = read_images(tmp_path, contract=contract)
    assert (samples.labels.tolist(), samples.splits) == ([1, 0], None)


def test_colours_become_channels_first(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    save(pixels, tmp_path / "cat" / "0.png")
    samples = read_images(tmp_path, contract=image_data(shape=(3, 4, 4)).contract)
    assert np.array_equal(samples.values[0], np.moveaxis(pixels, 2, 0))


def test_sixteen_bits_of_grey_are_kept(tmp_path: Path) -> None:
    pixels = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000
    save(pixels, tmp_path / "cat" / "0.png")
    samples = read_images(tmp_path, contract=CONTRACT)
    assert samples.values.dtype == np.uint16
    assert np.array_equal(samples.values[0, 0], pixels)


def test_jpeg_is_read_as_pillow_decodes_it(tmp_path: Path) -> None:
    path = save(raw_images(1).values[0, 0], tmp_path / "dog" / "0.JPG", format="JPEG")
    assert np.array_equal(read_images(tmp_path, contract=CONTRACT).values[0, 0], np.asarray(Image.open(path)))


def test_the_folders_digest_is_that_of_its_sorted_names_and_digests(folder: Path) -> None:
    lines = sorted(
        f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in folder.glob("*/*.png")
    )
    digest = folder_sha256(folder, classes=CLASSES)
    assert digest == hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "cat" / "0.png").rename(folder / "cat" / "9.png")
    assert folder_sha256(folder, classes=CLASSES) != digest


def test_files_are_sorted_by_their_whole_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        save(np.zeros((4, 4), dtype=np.uint8), tmp_path / "dog" / name)
        save(np.zeros((4, 4), dtype=np.uint8), tmp_path / "cat" / name)
    names = [file.name for file in image_files(tmp_path, classes=("dog", "cat"))]
    assert names == ["cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"]


def test_images_of_different_shapes_are_refused_by_name(folder: Path) -> None:
    save(np.zeros((5, 4), dtype=np.uint8), folder / "dog" / "odd.png")
    with pytest.raises(
        DataError, match=r"^expected images of shape \[1, 4, 4\], got \[1, 5, 4\] in 'dog/odd.png'; resize"
    ):
        read_images(folder, contract=CONTRACT)


def test_images_of_different_depths_are_refused_by_name(folder: Path) -> None:
    save(np.zeros((4, 4), dtype=np.uint16), folder / "dog" / "deep.png")
    with pytest.raises(DataError, match=r"^expected uint8 pixels, got uint16 in 'dog/deep.png'; save all images"):
        read_images(folder, contract=CONTRACT)


def test_a_colour_image_is_not_silently_made_grey(folder: Path) -> None:
    save(np.zeros((4, 4, 3), dtype=np.uint8), folder / "dog" / "red.png")
    with pytest.raises(DataError, match=r"^expected images of shape \[1, 4, 4\], got \[3, 4, 4\] in 'dog/red.png'"):
        read_images(folder, contract=CONTRACT)


def test_a_palette_image_is_refused(folder: Path) -> None:
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).convert("P").save(folder / "cat" / "palette.png")
    with pytest.raises(
        DataError, match=r"^expected images of mode L, I;16, RGB, RGBA, got mode P in 'cat/palette.png'"
    ):
        read_images(folder, contract=CONTRACT)


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_truncated_image_is_refused_by_name(folder: Path, kept: int) -> None:
    path = folder / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        DataError, match=r"^expected complete PNG and JPEG images, got 'dog/1.png' \([^\n]*\); save or drop"
    ):
        read_images(folder, contract=CONTRACT)


def test_another_format_under_a_png_name_is_refused(folder: Path) -> None:
    save(np.zeros((4, 4), dtype=np.uint8), folder / "dog" / "1.png", format="BMP")
    with pytest.raises(DataError, match=r"^expected complete PNG and JPEG images, got 'dog/1.png'"):
        read_images(folder, contract=CONTRACT)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_500, 14_000])
def test_a_decompression_bomb_is_refused_undecoded(folder: Path, side: int) -> None:
    Image.new("L", (side, side)).save(folder / "cat" / "bomb.png", compress_level=1)
    with pytest.raises(DataError, match=r"^expected [^\n]*'cat/bomb.png'"):
        read_images(folder, contract=CONTRACT)


@pytest.mark.parametrize("name", ["labels.csv", "0.gif", "0"])
def test_a_file_that_is_no_image_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / "cat" / name).write_text("not an image")
    with pytest.raises(
        DataError, match=rf"^expected only .png, .jpg, .jpeg in class folders, got 'cat/{name}'; move it out"
    ):
        read_images(folder, contract=CONTRACT)


def test_a_folder_that_is_no_class_is_refused(folder: Path) -> None:
    save(np.zeros((4, 4), dtype=np.uint8), folder / "horse" / "0.png")
    with pytest.raises(DataError, match=r"^expected folders named like the classes, got folder 'horse'; rename it"):
        read_images(folder, contract=CONTRACT)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with pytest.raises(
        DataError, match=r"^expected images in folder/class/\*.png, got none in .*; make one folder per class"
    ):
        read_images(tmp_path, contract=CONTRACT)
