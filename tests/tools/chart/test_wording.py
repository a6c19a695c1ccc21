"""What a place in the values expects, in words."""

from __future__ import annotations

import pytest

from tools.chart import part
from tools.chart.values_schema import WORDS, values_schema
from tools.chart.wording import DEFINED, Place, in_words, names_at, schema_at


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("nameOverride",), "a name of up to 63 lower-case letters, digits and '-'"),
        (("commonLabels", "anything"), "a label's value of up to 63 letters, digits, '-', '_' and '.'"),
        (("commonAnnotations", "anything"), "text"),
        (("images", "pullPolicy"), "'IfNotPresent' or 'Always' or 'Never'"),
        (("exporter", "enabled"), "true or false"),
        (("exporter", "interval"), "a whole number from 1 to 3600"),
        (("exporter", "deployed", "namespaces"), "a list of at most 1"),
        (("exporter", "tolerations", 0, "tolerationSeconds"), "a whole number or null"),
        (("exporter", "resources", "requests", "cpu"), "a quantity such as 500m, 2 or 1Gi"),
        (("admissionGate", "enabled"), "false"),
        (("drift", "jobs", 3, "window"), "text that is not empty"),
        (("drift", "jobs", 3, "schedule"), "a schedule such as '15 * * * *' or '@daily'"),
        (("drift", "jobs", 3, "resources"), "names with values"),
        (("externalSecrets", "secrets", "a", "b", "key"), "text that is not empty"),
        (("controller", "tls", "duration"), "text that matches ^[0-9]+h$"),
        (("podSecurity", "runAsUser"), "a whole number of at least 1 or null"),
    ],
)
def test_a_place_is_put_in_words(place: Place, words: str) -> None:
    assert in_words(schema_at(place)) == words


def test_every_word_of_the_schema_is_defined() -> None:
    assert set(DEFINED) == set(WORDS) <= values_schema()["definitions"].keys()
    assert all(hasattr(part, word) for word in WORDS)


def test_names_are_those_of_the_part_and_none_of_a_map() -> None:
    assert names_at(("podSecurity",)) == ("runAsUser", "runAsGroup", "fsGroup")
    assert names_at(("drift", "jobs", 0, "resources")) == ("requests", "limits")
    assert names_at(("commonLabels",)) == names_at(("extraObjects", 0)) == ()
