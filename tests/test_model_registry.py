"""The model registry's contract: what is sent, what is sent twice, and what is said when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robustcert.errors import InputError, WorldError
from robustcert.model_registry import CertifiedModel, RegistryAddress, register
from tests.model_registry_server import Registry, model_registry

MODEL = CertifiedModel(
    name="digits",
    model_sha256="ab" * 32,
    model_uri="s3://store/objects/sha256/ab/" + "ab" * 32,
    model_format="safetensors",
    certificate_sha256="cd" * 32,
    certificate_uri="s3://store/certificates/" + "cd" * 32 + ".json",
    properties={"certificateSha256": "cd" * 32, "notAfter": "2027-01-01T00:00:00Z", "verdict": "accepted"},
)
RENEWED = replace(
    MODEL,
    certificate_sha256="ef" * 32,
    certificate_uri="s3://store/certificates/" + "ef" * 32 + ".json",
    properties={"certificateSha256": "ef" * 32, "notAfter": "2028-01-01T00:00:00Z", "verdict": "accepted"},
)


def told(registry: Registry) -> dict[str, str]:
    """The custom properties of the one version."""
    (version,) = registry.resource("model_version")
    return {name: value["string_value"] for name, value in version["customProperties"].items()}


def test_a_model_becomes_a_version_that_says_what_its_certificate_says() -> None:
    with model_registry() as registry:
        version = register(MODEL, address=RegistryAddress(url=registry.url))
        (held,) = registry.resource("model_version")
        assert (held["id"], held["name"]) == (version, MODEL.model_sha256)
        assert [item["name"] for item in registry.resource("registered_model")] == ["digits"]
        assert told(registry) == {f"robustcert.{name}": value for name, value in MODEL.properties.items()}
        uris = {item["artifactType"]: item["uri"] for item in registry.resource("artifact")}
        assert uris == {"model-artifact": MODEL.model_uri, "doc-artifact": MODEL.certificate_uri}
        assert all("state" not in item for item in registry.held.values()), "nothing is promoted"


def test_the_same_certificate_a_second_time_changes_nothing() -> None:
    with model_registry() as registry:
        first = register(MODEL, address=RegistryAddress(url=registry.url))
        registry.changes.clear()
        assert register(MODEL, address=RegistryAddress(url=registry.url)) == first
        assert registry.changes == []


def test_a_new_certificate_of_the_model_replaces_our_properties_and_no_one_elses() -> None:
    with model_registry() as registry:
        register(MODEL, address=RegistryAddress(url=registry.url))
        (version,) = registry.resource("model_version")
        version["customProperties"]["team"] = {"metadataType": "MetadataStringValue", "string_value": "imaging"}
        register(RENEWED, address=RegistryAddress(url=registry.url))
        assert told(registry) == {"team": "imaging"} | {f"robustcert.{k}": v for k, v in RENEWED.properties.items()}
        certificates = [item["uri"] for item in registry.resource("artifact") if item["artifactType"] == "doc-artifact"]
        assert certificates == [MODEL.certificate_uri, RENEWED.certificate_uri]


def test_lost_answers_are_found_again_and_nothing_is_there_twice() -> None:
    with model_registry(lose_answers=4) as registry:
        register(MODEL, address=RegistryAddress(url=registry.url))
        assert registry.lose_answers == 0
        assert [len(registry.resource(kind)) for kind in ("registered_model", "model_version", "artifact")] == [1, 1, 2]


def test_a_registration_that_stopped_half_way_is_completed() -> None:
    with model_registry() as registry:
        register(MODEL, address=RegistryAddress(url=registry.url))
        complete = dict(registry.held)
        for key in [key for key in complete if key[0] == "artifact"]:
            del registry.held[key]
        register(MODEL, address=RegistryAddress(url=registry.url))
        assert registry.held.keys() == complete.keys()


def test_the_token_comes_from_a_file_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right\n")
    (tmp_path / "other").write_text("another\n")
    with model_registry(token="right") as registry:
        register(MODEL, address=RegistryAddress(url=registry.url, token=str(tmp_path / "token")))
        with pytest.raises(WorldError, match=r"HTTP status 401 \(no token, or a wrong one\); check the token") as error:
            register(MODEL, address=RegistryAddress(url=registry.url, token=str(tmp_path / "other")))
        assert "another" not in str(error.value)
        (tmp_path / "other").write_text("wrong\n")
        with pytest.raises(WorldError, match=r"\(no token, or a \*\*\* one\)"):  # a registry that repeats the token
            register(MODEL, address=RegistryAddress(url=registry.url, token=str(tmp_path / "other")))
        with pytest.raises(InputError, match="expected a readable file"):
            register(MODEL, address=RegistryAddress(url=registry.url, token=str(tmp_path / "none")))


def test_a_registry_that_is_down_is_one_line() -> None:
    with model_registry() as registry:
        url = registry.url
    with pytest.raises(WorldError, match=rf"the model registry {url}, got no answer \(ConnectError\)"):
        register(MODEL, address=RegistryAddress(url=url))


def test_a_server_that_is_no_registry_is_said() -> None:
    with model_registry() as registry:
        registry.held[("registered_model", "", "digits")] = {"id": "1/../2", "name": "digits"}
        with pytest.raises(WorldError, match="an answer that is not the registry's"):
            register(MODEL, address=RegistryAddress(url=registry.url))


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("registry:8080", "registry:8080"),
        ("ftp://registry", "ftp://registry"),
        ("https://user:word@registry", "credentials or a query in it"),
        ("https://registry?token=word", "credentials or a query in it"),
        ("https://registry:99999", "https://registry:99999"),
        ("https://[registry", "https://[registry"),
    ],
)
def test_addresses_are_checked_before_anything_is_sent(url: str, got: str) -> None:
    with pytest.raises(InputError, match="expected a model registry at https") as error:
        RegistryAddress(url=url)
    assert got in str(error.value)
    assert "word" not in str(error.value)


def test_a_token_is_not_sent_in_the_clear_out_of_the_cluster() -> None:
    with pytest.raises(InputError, match="expected https:// where a token is sent"):
        RegistryAddress(url="http://registry.example", token="file")
    RegistryAddress(url="http://model-registry.kubeflow.svc:8080", token="file")


def test_authorities_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(InputError, match="expected certificates in"):
        register(MODEL, address=RegistryAddress(url="https://127.0.0.1:1", authorities=str(tmp_path / "ca.crt")))
