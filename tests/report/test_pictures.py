import base64
import io

import numpy as np
import pytest
from PIL import Image

from robustcert.report.pictures import LONGEST_SIDE, amplification, difference, is_reduced, picture


def decoded(uri: str) -> Image.Image:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_lower_is_black_and_upper_is_white() -> None:
    x_CHW = np.array([[[-1.0, 0.0], [1.0, 3.0]]])
    pixels = np.asarray(decoded(picture(x_CHW, lower=-1.0, upper=3.0)))
    assert pixels.tolist() == [[0, 64], [128, 255]]


def test_three_channels_are_red_green_and_blue() -> None:
    x_CHW = np.zeros((3, 2, 2))
    x_CHW[0, 0, 0] = x_CHW[2, 1, 1] = 1.0
    drawn = decoded(picture(x_CHW, lower=0.0, upper=1.0))
    assert (drawn.mode, drawn.getpixel((0, 0)), drawn.getpixel((1, 1))) == ("RGB", (255, 0, 0), (0, 0, 255))


def test_other_numbers_of_channels_are_drawn_as_their_mean() -> None:
    x_CHW = np.stack([np.zeros((2, 2)), np.ones((2, 2))])
    assert np.asarray(decoded(picture(x_CHW, lower=0.0, upper=1.0))).tolist() == [[128, 128], [128, 128]]


def test_no_change_is_middle_grey_and_changes_are_amplified() -> None:
    clean_CHW = np.full((1, 1, 3), 0.5)
    perturbed_CHW = clean_CHW + np.array([[[0.0, 0.1, -0.1]]])
    pixels = np.asarray(decoded(difference(clean_CHW, perturbed_CHW, lower=0.0, upper=1.0, factor=5)))
    assert pixels.tolist() == [[128, 191, 64]]


@pytest.mark.parametrize(("largest", "factor"), [(0.1, 10), (0.11, 5), (1.0, 1), (2.0, 1), (1e-9, 500)])
def test_the_factor_is_the_largest_that_cuts_nothing_off(largest: float, factor: int) -> None:
    assert amplification(largest) == factor


def test_large_pictures_are_reduced_and_small_ones_are_not() -> None:
    large, small = np.zeros((1, 300, 150)), np.zeros((1, 8, 8))
    assert decoded(picture(large, lower=0.0, upper=1.0)).size == (LONGEST_SIDE // 2, LONGEST_SIDE)
    assert decoded(picture(small, lower=0.0, upper=1.0)).size == (8, 8)
    assert (is_reduced(large.shape), is_reduced(small.shape)) == (True, False)
