"""A user without rights, whoever runs the tests."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def nobody() -> Iterator[None]:
    """This process without a superuser's rights: root, who may read everything, becomes nobody for the test."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)
