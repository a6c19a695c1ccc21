"""A folder that anybody may enter, and a user who may not read everything in it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder whose parents anybody may enter; pytest's own are for their user alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    """Runs a block without a superuser's rights: root, who may read everything, becomes nobody."""
    return _ordinary_user


@contextmanager
def _ordinary_user() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
