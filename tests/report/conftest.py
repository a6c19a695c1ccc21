"""Both sample certificates and their pages, rendered once."""

import pytest

from tests.report.page import Element, read_page
from tests.report.sample_certificate import Sample, sample

KINDS = ("digits", "breast-cancer")


@pytest.fixture(scope="session", params=KINDS)
def any_sample(request: pytest.FixtureRequest) -> Sample:
    """Each sample certificate in turn."""
    return sample(request.param)


@pytest.fixture(scope="session")
def html(any_sample: Sample) -> str:
    """The report of each sample."""
    return any_sample.page()


@pytest.fixture(scope="session")
def page(html: str) -> Element:
    """The same, as a tree."""
    return read_page(html)


@pytest.fixture(scope="session")
def digits() -> Sample:
    """Images, rejected: the weak model of the sample misses two criteria."""
    return sample("digits")


@pytest.fixture(scope="session")
def table() -> Sample:
    """A table, accepted."""
    return sample("breast-cancer")


@pytest.fixture(scope="session")
def digits_page(digits: Sample) -> Element:
    """The report of the images."""
    return read_page(digits.page())
