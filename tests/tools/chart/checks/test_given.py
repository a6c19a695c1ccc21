"""What must exist before an installation, as the values name it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from tests.tools.chart.checks.good_release import changed
from tools.chart.checks.given import KEYS, KINDS, NAMES, SECRETS, given_objects, made_secrets
from tools.chart.values import Values


def defaults() -> dict[str, Any]:
    return Values().model_dump(by_alias=True, mode="json")


def test_the_defaults_need_the_store_the_tokens_and_the_drift_key() -> None:
    given = given_objects(defaults())
    assert given["Secret", "robustcert-store"] == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert given["Secret", "robustcert-controller-tokens"] == {"tokens"}
    assert given["Secret", "robustcert-drift-key"] >= {"key"}
    assert given["ConfigMap", "kube-root-ca.crt"] == {"ca.crt"}
    assert not any(name == "" for _, name in given)


@pytest.mark.parametrize("path", [*NAMES, *KEYS, *SECRETS, *KINDS])
def test_every_value_of_the_list_is_one_of_the_chart(path: str) -> None:
    part: Any = defaults()
    for key in path.split("."):
        part = part[key]
    assert isinstance(part, str if path in {*NAMES, *SECRETS} else dict)


def named_values(model: type[BaseModel], path: str = "") -> set[str]:
    """Paths of all values whose name says that they name a Secret, a ConfigMap, a claim, or a class."""
    found = set()
    for name, field in model.model_fields.items():
        place = f"{path}.{field.alias or name}".lstrip(".")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= named_values(field.annotation, place)
            found |= {place} if {"name", "key"} <= set(field.annotation.model_fields) else set()
        elif name.endswith(("secret_name", "config_map_name", "volume_claim", "existing_claim", "storage_class_name")):
            found.add(place)
    return found


def test_every_value_that_names_an_object_is_on_the_list() -> None:
    found = named_values(Values)
    assert len(found) > 10
    assert found - {*NAMES, *KEYS, *SECRETS} == set()


def test_what_extra_volumes_and_variables_name_must_exist() -> None:
    program = {
        "extraVolumes": [
            {"name": "a", "configMap": {"name": "more"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
        ],
        "extraEnvFrom": [{"secretRef": {"name": "whole"}}, {"configMapRef": {"name": "whole-config"}}],
        "extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}}],
        "priorityClassName": "high",
        "serviceAccount": {"create": False, "name": "theirs"},
    }
    given = given_objects({"drift": program, "images": {"pullSecrets": ["mirror"]}})
    assert set(given) - {("ConfigMap", "kube-root-ca.crt")} == {
        ("ConfigMap", "more"),
        ("Secret", "projected"),
        ("PersistentVolumeClaim", "claim"),
        ("Secret", "whole"),
        ("ConfigMap", "whole-config"),
        ("Secret", "one"),
        ("PriorityClass", "high"),
        ("ServiceAccount", "theirs"),
        ("Secret", "mirror"),
    }


def test_a_secret_named_for_two_purposes_has_the_keys_of_both() -> None:
    key = {"name": "one", "key": "a"}
    assert given_objects({"drift": {"key": key}, "controller": {"tokens": {**key, "key": "b"}}})["Secret", "one"] == {
        "a",
        "b",
    }


def test_operators_make_the_secrets_of_certificates_and_external_secrets() -> None:
    assert made_secrets(changed()) == {
        ("Secret", "r-tls"): {"tls.crt", "tls.key", "ca.crt"},
        ("Secret", "store"): {"AWS_ACCESS_KEY_ID"},
    }
