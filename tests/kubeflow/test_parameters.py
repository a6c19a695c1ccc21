"""Values are read by the pipeline's own types, and what does not fit never leaves this machine."""

from __future__ import annotations

import bisect
import json
from typing import Any

import pytest

from robustcert.errors import InputError
from robustcert.kubeflow.compiled import inputs_of
from robustcert.kubeflow.parameters import MOST_BYTES, checked, read_settings, size_in_bytes
from tests.kubeflow.compiled_example import compiled_spec
from tests.kubeflow.stand_in_bodies import RefusedError, require_parameters

INPUTS = inputs_of(compiled_spec())
NEEDED = {"specification": "text", "store": "s3://bucket/prefix"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("shards=3", 3),
        ("confidence=0.25", 0.25),
        ("confidence=1", 1),
        ("strict=true", True),
        ('node_selector={"pool": "gpu"}', {"pool": "gpu"}),
        ("tolerations=[]", []),
        ("image=example.org/x:1=2", "example.org/x:1=2"),
        ("reason=3", "3"),
        ("reason=", ""),
    ],
)
def test_a_setting_becomes_a_value_that_the_server_takes(setting: str, value: Any) -> None:
    found = read_settings([setting], INPUTS)
    assert list(found.values()) == [value]
    assert type(next(iter(found.values()))) is type(value)
    require_parameters({**NEEDED, **found}, compiled_spec())


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("shards=three", "expected an integer for the input 'shards', got three; correct it"),
        ("shards=3.5", "expected an integer for the input 'shards'"),
        ("shards=true", "expected an integer for the input 'shards'"),
        ("confidence=NaN", "expected a finite number for the input 'confidence'"),
        ("strict=1", "expected true or false for the input 'strict'"),
        ("strict=True", "expected true or false for the input 'strict'"),
        ("node_selector=pool=gpu", "expected an object in JSON, such as"),
        ("tolerations={}", "expected a list in JSON"),
        ("tolerations=[NaN]", "expected a list in JSON"),
        ("tolerations=" + "[" * 100_000, "expected a list in JSON"),
        ("shard=3", "expected an input of the pipeline, got 'shard'; did you mean 'shards'?"),
        ("xyzzy=3", "expected an input of the pipeline, got 'xyzzy'; it has specification, store,"),
        ("shards", "expected name=value after --set, got 'shards'"),
    ],
)
def test_a_setting_of_another_kind_is_refused_in_one_line(setting: str, line: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings([setting], INPUTS)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_an_input_is_set_once() -> None:
    with pytest.raises(InputError, match="expected input 'shards' once, got it twice"):
        read_settings(["shards=1", "shards=2"], INPUTS)


def test_a_required_input_is_required() -> None:
    assert checked(NEEDED, INPUTS) == NEEDED
    with pytest.raises(InputError, match="expected a value for the input 'store', got none; add --set store="):
        checked({"specification": "text"}, INPUTS)
    with pytest.raises(InputError, match="expected a text for the input 'store', got 3"):
        checked({**NEEDED, "store": 3}, INPUTS)


@pytest.mark.parametrize("filler", ["x", "<", "ü", '"', "\n", "&>"])
def test_what_we_let_pass_by_size_the_server_takes_too(filler: str) -> None:
    sizes = range(MOST_BYTES)
    length = bisect.bisect(sizes, MOST_BYTES, key=lambda n: size_in_bytes({**NEEDED, "reason": filler * n})) - 1
    fits = {**NEEDED, "reason": filler * length}
    require_parameters(checked(fits, INPUTS), compiled_spec())
    with pytest.raises(InputError, match="expected at most 10000 bytes of parameters, got 10"):
        checked({**NEEDED, "reason": filler * (length + 10)}, INPUTS)


def test_the_servers_limit_is_real() -> None:
    with pytest.raises(RefusedError, match="exceed maximum size"):
        require_parameters({**NEEDED, "reason": "x" * MOST_BYTES}, compiled_spec())
    assert len(json.dumps(NEEDED)) == size_in_bytes(NEEDED)
