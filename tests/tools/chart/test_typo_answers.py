"""What Helm answers to a misspelt name, at every place that values.schema.json knows: the place, and the right name."""

from __future__ import annotations

import copy
import random
import re
import string
from pathlib import Path

import pytest

from tests.tools.chart.bare_chart import DEFAULTS, FILLED, bare_chart, merged, places, properties, refusal
from tests.tools.chart.edit_distance import distance


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart without templates."""
    return bare_chart(tmp_path_factory.mktemp("chart"))


def misspelt(name: str, draw: random.Random) -> str:
    """The name with one thing wrong, drawn at random."""
    place, letter = draw.randrange(len(name)), draw.choice(string.ascii_letters)
    kind = draw.randrange(4)
    if kind == 0:
        return name[:place] + name[place + 1 :]
    if kind == 1:
        return name[:place] + letter + name[place:]
    if kind == 2:
        return name[:place] + letter + name[place + 1 :]
    return name[:place] + name[place : place + 2][::-1] + name[place + 2 :]


ANSWER = re.compile(r"invalid propertyName '(?P<word>[^']*)'\n(?P<rest>(?:\s+- at '': value must.*\n?)*)")


def answered(said: str) -> dict[str, set[str]]:
    """Unknown name -> the names that Helm says are meant."""
    found: dict[str, set[str]] = {}
    for answer in ANSWER.finditer(said):
        found.setdefault(answer["word"], set()).update(re.findall("value must be '([^']*)'", answer["rest"]))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_typo_of_any_name_at_any_place_is_answered_with_the_place_and_the_name(bare: Path, seed: int) -> None:
    draw, values, wanted = random.Random(seed), copy.deepcopy(merged(DEFAULTS, FILLED)), []
    for path in list(places(values)):
        part = values
        for step in path:
            part = part[step]
        for name in properties(path):
            word = misspelt(name, draw)
            if word and word not in properties(path):
                part[word] = 1
                near = {other for other in properties(path) if distance(other, word) == 1}
                assert name in near
                wanted.append(("".join(f"/{step}" for step in path), word, near))
    assert len(wanted) > 280
    said = refusal(bare, values)
    meant = answered(said)
    refused = {
        (place, word)
        for place, words in re.findall("at '([^']*)': additional properties (.*) not allowed", said)
        for word in re.findall("'([^']*)'", words)
    }
    assert {(place, word) for place, word, _ in wanted} == refused
    assert [(place, word) for place, word, names in wanted if not names & meant.get(word, set())] == []
    assert [(word, name) for word, names in meant.items() for name in names if distance(word, name) > 1] == []


def test_no_name_is_answered_as_a_typo(bare: Path) -> None:
    everything = merged(DEFAULTS, FILLED)
    places_found = list(places(everything))
    assert len(places_found) > 60
    assert refusal(bare, everything) == ""


def test_a_name_in_another_form_is_answered(bare: Path) -> None:
    words = {"node_selector": "nodeSelector", "nodeselector": "nodeSelector", "Resources": "resources", "resource": ""}
    meant = answered(refusal(bare, {"exporter": dict.fromkeys(words, 1)}))
    assert meant == {word: {name or "resources"} for word, name in words.items()}


def test_a_name_like_no_other_is_only_refused(bare: Path) -> None:
    said = refusal(bare, {"exporter": {"zzzzzz": 1}})
    assert "at '/exporter': additional properties 'zzzzzz' not allowed" in said
    assert "value must be" not in said
