"""Images: pinned, from the registry that the values name, pulled as they say."""

from __future__ import annotations

import pytest

from tests.tools.chart.checks.good_release import (
    DRIFT,
    EXPORTER,
    GONE,
    IN_CONTAINER,
    IN_DRIFT,
    VALUES,
    Change,
    changed,
    found,
    put,
)

DIGEST = "@sha256:" + "0123456789abcdef" * 4


def image(text: str) -> Change:
    return put(EXPORTER, IN_CONTAINER + "image", text)


@pytest.mark.parametrize(
    "text", ["ghcr.io/a/b:0.1.0", "b:v1", "localhost:5000/a/b:1.2-rc1", f"ghcr.io/a/b{DIGEST}", f"a/b:latest{DIGEST}"]
)
def test_a_version_or_a_digest_pins_an_image(text: str) -> None:
    assert found(changed(image(text))) == set()


@pytest.mark.parametrize(
    "text", ["ghcr.io/a/b", "ghcr.io/a/b:latest", "localhost:5000/a", "a:main", "a:stable", "a:edge"]
)
def test_an_image_that_moves_is_found(text: str) -> None:
    assert found(changed(image(text))) == {"disallow-latest-tag"}


@pytest.mark.parametrize("text", ["", "A/b:1", "a b:1", "a:1@sha256:00", "https://a/b:1", "a:1:2"])
def test_what_is_no_reference_is_found(text: str) -> None:
    assert "images-are-references" in found(changed(image(text)))


def test_a_digest_is_required_where_the_values_say_so() -> None:
    values = {**VALUES, "images": {"requireDigest": True}}
    assert found(changed(values=values)) == {"require-image-checksum"}


def test_every_image_comes_from_the_registry_of_the_values() -> None:
    values = {**VALUES, "images": {"registry": "ghcr.io/robustcert"}}
    assert found(changed(values=values)) == set()
    assert found(changed(image("docker.io/robustcert/monitoring:1"), values=values)) == {"restrict-image-registries"}
    assert found(changed(image("ghcr.io/robustcertainly/b:1"), values=values)) == {"restrict-image-registries"}


@pytest.mark.parametrize("value", [GONE, "Sometimes", "Always"])
def test_another_pull_policy_than_that_of_the_values_is_found(value: object) -> None:
    assert found(changed(put(DRIFT, IN_DRIFT + "containers.0.imagePullPolicy", value))) == {"image-pull-policy"}


def test_a_pod_without_the_pull_secrets_of_the_values_is_found() -> None:
    values = {**VALUES, "images": {"pullSecrets": ["mirror"]}}
    assert found(changed(values=values)) == {"pull-secrets-are-used"}
