"""From a specification to parameters and to the name of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from robustcert.errors import InputError
from robustcert.kubeflow.compiled import inputs_of
from robustcert.kubeflow.order import OWN_MODEL, TRAINING, RunRequest, parameters_of, pipeline_of, stored_at
from robustcert.kubeflow.parameters import MOST_BYTES
from robustcert.provenance.digests import sha256_bytes
from robustcert.specification_file import LoadedSpecification, parse_specification
from robustcert.specification_template import template
from tests.kubeflow.compiled_example import compiled_spec, own_model_specification
from tests.kubeflow.stand_in_bodies import require_parameters

INPUTS = inputs_of(compiled_spec())


def request(loaded: LoadedSpecification | None = None, **changes: Any) -> RunRequest:
    usual: Mapping[str, Any] = {"pipeline": TRAINING, "store": "s3://bucket/store", "settings": {"shards": 3}}
    return RunRequest(**{**usual, "loaded": loaded or parse_specification(template("digits")), **changes})


def test_the_pipeline_follows_from_whether_the_specification_trains() -> None:
    assert pipeline_of(parse_specification(template("digits"))) == TRAINING
    assert pipeline_of(parse_specification(own_model_specification())) == OWN_MODEL


def test_a_short_specification_goes_as_text() -> None:
    wanted = request(run_token="again")
    found = parameters_of(wanted, INPUTS)
    assert found.to_store is None
    assert found.values == {
        "specification": wanted.loaded.text,
        "store": "s3://bucket/store",
        "shards": 3,
        "run_token": "again",
    }
    require_parameters(found.values, compiled_spec())


def test_a_long_one_goes_as_the_place_of_its_text_in_the_store() -> None:
    text = template("digits") + "# a comment\n" * 500
    wanted = request(parse_specification(text))
    found = parameters_of(wanted, INPUTS)
    assert found.to_store == text.encode()
    digest = sha256_bytes(text.encode())
    assert found.values["specification"] == f"s3://bucket/store/objects/sha256/{digest[:2]}/{digest}"
    require_parameters(found.values, compiled_spec())


def test_other_parameters_can_push_the_specification_out() -> None:
    crowded = request(settings={"reason": "x" * (MOST_BYTES - len(template("digits")))})
    assert parameters_of(crowded, INPUTS).to_store is not None


def test_the_place_keeps_the_stores_endpoint() -> None:
    wanted = request(store="s3://bucket?endpoint=http://minio:9000&region=eu")
    digest = wanted.loaded.text_sha256
    assert stored_at(wanted) == f"s3://bucket/objects/sha256/{digest[:2]}/{digest}?endpoint=http://minio:9000&region=eu"


@pytest.mark.parametrize("store", ["store", "/var/store", "file:///store", "http://x"])
def test_a_store_that_pods_can_not_see_is_refused(store: str) -> None:
    with pytest.raises(InputError, match=r"expected s3://bucket/prefix as --store, got .*pods see no folder"):
        parameters_of(request(store=store), INPUTS)


def test_data_and_model_on_this_machine_are_refused_unless_they_are_elsewhere_too() -> None:
    data = parse_specification(template("images"))
    with pytest.raises(InputError, match=r"expected builtin: or s3://, which pods can read, got 'data/my-images';"):
        parameters_of(request(data), INPUTS)
    elsewhere = {"data_uri": "s3://bucket/images.npz"}
    assert parameters_of(request(data, settings=elsewhere), INPUTS).values["data_uri"] == "s3://bucket/images.npz"
    model = parse_specification(own_model_specification())
    with pytest.raises(InputError, match=r"got 'model\.onnx'; copy it there and add --set model_uri=s3://"):
        parameters_of(request(model), INPUTS)
    elsewhere = {"model_uri": "s3://bucket/model.onnx"}
    assert parameters_of(request(model, settings=elsewhere), INPUTS).values["model_uri"] == "s3://bucket/model.onnx"


def test_the_name_of_the_run_changes_with_whatever_makes_another_run_of_it() -> None:
    edited = parse_specification(template("digits").replace("seed: 0 ", "seed: 1 "))
    commented = parse_specification(template("digits") + "# a comment\n")
    name = request().name
    assert name.startswith("certified-training-digits-")
    assert name == request().name == request(commented).name
    others = [
        request(edited).name,
        request(settings={"shards": 4}).name,
        request(settings={}).name,
        request(run_token="x").name,
        request(store="s3://bucket/other").name,
        request(version="1").name,
        request(pipeline=OWN_MODEL).name,
    ]
    assert len({name, *others}) == 8
