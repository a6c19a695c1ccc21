"""The cache of the container tests: made once, whole or not at all, one recipe at a time."""

from pathlib import Path

import pytest

from tests.components.containers.cache import cached


def write(text: str) -> object:
    return lambda path: path.write_text(text)


def test_what_was_made_is_found_again_and_not_made_again(tmp_path: Path) -> None:
    first = cached(tmp_path, "base", recipe="a", make=write("first"))
    second = cached(tmp_path, "base", recipe="a", make=write("second"))
    assert (first, second.read_text()) == (second, "first")


def test_what_failed_half_way_is_made_anew_and_its_rest_removed(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_text("half")
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        cached(tmp_path, "base", recipe="a", make=half)
    assert list(tmp_path.glob("base-*"))
    made = cached(tmp_path, "base", recipe="a", make=write("whole"))
    assert made.read_text() == "whole"
    assert list(tmp_path.glob("base-*")) == [made]


def test_another_recipe_replaces_what_an_older_one_made_and_nothing_else(tmp_path: Path) -> None:
    wheels = cached(tmp_path, "wheels", recipe="a", make=Path.mkdir)
    old = cached(tmp_path, "base", recipe="a", make=write("old"))
    new = cached(tmp_path, "base", recipe="b", make=write("new"))
    assert new.read_text() == "new"
    assert (old.exists(), wheels.is_dir()) == (False, True)
