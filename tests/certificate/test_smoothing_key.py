"""The key of the noise, against SHA-256 by hashlib over what docs/certificate.md says."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from robustcert.certificate.smoothing_key import smoothing_key
from robustcert.specification_file import parse_specification, recorded_specification
from tests.chain import Chain, small_specification

MODEL, DATA = "ab" * 32, "cd" * 32

# The certification of the small specification as canonical JSON, written by hand.
CERTIFICATION = (
    '{"alpha":"0.001","n":512,"n0":32,"radii":["0","0.1","0.25"],"samples":16,"sigma":"0.25","unit":"input"}'
)


def key(text: str, *, model: str = MODEL, data: str = DATA) -> int:
    return smoothing_key(parse_specification(text), model_sha256=model, dataset_sha256=data)


def by_hand(configuration: str, *, model: str = MODEL, data: str = DATA) -> int:
    parts = (model, data, hashlib.sha256(configuration.encode()).hexdigest())
    digest = hashlib.sha256(b"rcert-v1\0" + "\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def test_the_key_is_that_of_the_published_derivation() -> None:
    assert key(small_specification()) == by_hand(CERTIFICATION)


def test_a_real_certificate_names_the_key_of_its_own_model_data_and_configuration(chain: Chain) -> None:
    predicate = chain.predicate
    wanted = by_hand(CERTIFICATION, model=predicate.model.sha256, data=predicate.data.file_sha256)
    assert predicate.certification.key0 == str(wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0.01),
        ("n", 513),
        ("n0", 33),
        ("radii", [0, 0.1, 0.2]),
        ("samples", 17),
        ("sigma", 0.26),
        ("unit", "1/255"),
    ],
)
def test_every_parameter_of_the_certification_changes_the_key(name: str, value: object) -> None:
    document = yaml.safe_load(small_specification())
    document["certification"][name] = value
    loaded = recorded_specification(yaml.safe_dump(document))
    assert smoothing_key(loaded, model_sha256=MODEL, dataset_sha256=DATA) != by_hand(CERTIFICATION)


def test_model_and_data_change_the_key_and_nothing_else_does() -> None:
    text = small_specification()
    assert len({key(text), key(text, model="ac" * 32), key(text, data="ce" * 32)}) == 3
    assert key(small_specification(name="other", seed=9, validity={"days": 3})) == key(text)
    assert key(f"# a comment\n{text}") == key(text)
