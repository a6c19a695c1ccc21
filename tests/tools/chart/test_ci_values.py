"""The installations that are tried, charts/robustcert/ci: valid, realistic, and `full` leaves nothing out."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tools.chart.render import CHART, ci_values
from tools.chart.values import Values

NAMES = ("air-gapped", "full", "gpu", "minimal", "multi-user-kubeflow", "no-prometheus-operator")
DEFAULTS = Values().model_dump(by_alias=True, mode="json")
# What `full` cannot have, since it has the other of two ways, or since there is no other yet.
OTHER_WAY = {
    "store.persistentVolumeClaim": "a bucket",
    "trustedKeys.configMapName": "keys in the values",
    "controller.persistence.existingClaim": "a new claim",
    "controller.extraArguments": "everything is in its file",
    "drift.extraArguments": "everything is a value",
    "pipelines.upload.extraArguments": "everything is a value",
    "images.monitoring.digest": "a tag",
    "images.steps.tag": "a digest",
    "global": "not ours",
}
OFF = {"images.requireDigest", "admissionGate.enabled", "pipelines.customResources.enabled"}


def merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """As Helm merges: maps key by key, anything else replaced."""
    both = {key: merged(base[key], part) for key, part in given.items() if _are_maps(base.get(key), part)}
    return {**base, **given, **both}


def _are_maps(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def leaves(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        here = f"{path}.{key}".lstrip(".")
        yield from leaves(value, here) if isinstance(value, dict) and value else [(here, value)]


def at(part: Any, path: str) -> Any:
    for key in path.split("."):
        part = part.get(key) if isinstance(part, dict) else None
    return part


def test_the_six_installations_are_there() -> None:
    assert sorted(ci_values()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_installation_is_valid_over_the_defaults(name: str) -> None:
    values = Values.model_validate(merged(DEFAULTS, ci_values()[name]))
    assert values.store.uri
    assert bool(values.trusted_keys.keys) != bool(values.trusted_keys.config_map_name)


@pytest.mark.parametrize("name", NAMES)
def test_an_installation_says_what_it_stands_for(name: str) -> None:
    first = (CHART / f"ci/{name}-values.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 40


def test_the_minimum_is_what_has_no_default() -> None:
    values = ci_values()["minimal"]
    assert {path.partition(".pub")[0] for path, _ in leaves(values)} == {"store.uri", "trustedKeys.keys.issuer"}


def test_the_full_installation_chooses_every_value() -> None:
    full = ci_values()["full"]
    named = {path for path, _ in leaves(DEFAULTS)} - OTHER_WAY.keys()
    assert {path for path in named if at(full, path) in (None, "", [], {})} == {"exporter.deployed.namespaces"}
    assert {path for path in named if at(full, path) is False} == OFF


@pytest.mark.parametrize("part", ["drift.jobs", "recertification.schedules"])
def test_the_full_installation_has_two_jobs_of_each_kind_one_with_every_word(part: str) -> None:
    jobs = at(ci_values()["full"], part)
    words = at(
        Values.model_json_schema(by_alias=True), f"$defs.{'DriftJob' if 'drift' in part else 'Schedule'}.properties"
    )
    assert len(jobs) == 2
    assert set().union(*jobs) == set(words)


def test_the_two_ways_of_pipelines_are_both_tried() -> None:
    ways = {
        (at(values, "pipelines.upload.enabled"), at(values, "pipelines.customResources.enabled"))
        for values in ci_values().values()
    }
    assert {(True, False), (False, True)} <= ways


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_public_halves_of_ed25519(name: str) -> None:
    keys = ci_values()[name]["trustedKeys"].get("keys", {})
    found = [load_pem_public_key(pem.encode()).public_bytes_raw() for pem in keys.values()]
    assert all(len(key) == 32 for key in found)
    assert len(set(found)) == len(found)


def test_no_private_key_and_no_secret_is_in_an_installation() -> None:
    text = "".join(path.read_text() for path in sorted(Path(CHART / "ci").iterdir()))
    assert "PRIVATE" not in text
    assert "anchor" not in yaml.safe_dump(ci_values()["minimal"])
    assert all(len(base64.b64decode(line)) == 44 for line in text.splitlines() if line.strip().startswith("MCow"))
