"""Patterns of misspelt names: whatever is one letter off is taken, and never for a neighbour in the same place."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.chart.edit_distance import distance, forms
from tools.chart.typo import pattern

NAMES = st.from_regex(r"[a-z][a-z]{1,9}([A-Z][a-z]{1,8}){0,3}", fullmatch=True)


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """A name, and the name with one thing wrong."""
    name = draw(NAMES)
    place = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from(string.ascii_letters + string.digits + "-_"))
    pair = name[place : place + 2]
    changed = draw(st.sampled_from([letter, "", letter + name[place], name[place] + letter]))
    return name, draw(
        st.sampled_from([name[:place] + changed + name[place + 1 :], name[:place] + pair[::-1] + name[place + 2 :]])
    )


@given(misspelt())
def test_what_is_one_letter_off_is_taken(case: tuple[str, str]) -> None:
    name, word = case
    assert distance(name, word) <= 1
    assert re.search(pattern(name), word)


@given(misspelt(), NAMES)
def test_a_misspelt_neighbour_is_left_to_the_neighbour(case: tuple[str, str], other: str) -> None:
    name, word = case
    taken = bool(re.search(pattern(other, siblings=[name]), word))
    assert taken <= (distance(other, word) <= 1 or name == other or word in forms(other))


@pytest.mark.parametrize("word", ["nodeselector", "NodeSelector", "node_selector", "node-selector", "Node-Selector"])
def test_words_in_another_form_are_taken(word: str) -> None:
    assert re.search(pattern("nodeSelector"), word)
    assert re.search(pattern("nodeSelector", siblings=["podSelector", "nodeSelectors"]), word)


@pytest.mark.parametrize("word", ["selector", "podSelector", "nodeAffinity", "x", "", "nodeSelectorTerms"])
def test_another_name_is_not(word: str) -> None:
    assert not re.search(pattern("nodeSelector", siblings=["podSelector"]), word)


@given(NAMES)
def test_patterns_hold_to_what_all_engines_understand(name: str) -> None:
    assert not re.search(r"\(\?[^:]|\\|\*", pattern(name, siblings=[name[1:] + "x", name[::-1]]))
