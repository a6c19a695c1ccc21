"""Filters mean to kfp's own API client what they mean to us, and survive being decoded twice."""

from __future__ import annotations

import json
from urllib.parse import unquote_plus

import kfp_server_api
import pytest

from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.filters import predicates
from tests.kubeflow.stand_in import StandIn


def test_a_filter_has_the_fields_of_the_servers_message() -> None:
    text = predicates(("state", "IN", ("PENDING", "RUNNING")), ("display_name", "IS_SUBSTRING", "digits"))
    operations = kfp_server_api.V2beta1PredicateOperation
    for predicate in json.loads(text)["predicates"]:
        assert set(predicate) <= set(kfp_server_api.V2beta1Predicate.attribute_map.values())
        assert predicate["operation"] in (operations.IN, operations.IS_SUBSTRING)
    assert json.loads(text)["predicates"][0]["string_values"] == {"values": ["PENDING", "RUNNING"]}


@pytest.mark.parametrize("name", ["50%25", "a+b", 'say "x"', "ü", "a b"])
def test_a_name_arrives_whole_after_the_servers_second_decoding(
    server: StandIn, client: KubeflowClient, name: str
) -> None:
    made = client.create_experiment(name)
    assert (
        json.loads(unquote_plus(predicates(("display_name", "EQUALS", name))))["predicates"][0]["string_value"] == name
    )
    assert client.experiment(name) == made
