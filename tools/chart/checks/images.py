"""Images: pinned, from the registry that the values name, pulled as they say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, look, wrong

# OCI distribution: [registry[:port]/]path[:tag][@digest]
REFERENCE = re.compile(
    r"(?P<registry>[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)
MOVING = (":latest", ":main", ":master", ":edge", ":nightly", ":stable")
POLICIES = ("IfNotPresent", "Always", "Never")


def images_are_references(release: Release) -> Iterator[Wrong]:
    """Every image is a reference that a container runtime can read."""
    for pod, path, image in _images(release):
        if REFERENCE.fullmatch(image) is None:
            yield wrong(pod.owner, path, "registry/name:tag or @sha256:", got=repr(image), remedy="mend images.*")


def disallow_latest_tag(release: Release) -> Iterator[Wrong]:
    """Every image has a tag that does not move, with a digit in it, or a digest."""
    for pod, path, image in _images(release):
        found = REFERENCE.fullmatch(image)
        tag, digest = (found["tag"] or "", found["digest"]) if found else ("", None)
        if not digest and (tag in MOVING or not re.search("[0-9]", tag)):
            yield wrong(pod.owner, path, "a version or a digest", got=repr(image), remedy="set images.*.tag or digest")


def require_image_checksum(release: Release) -> Iterator[Wrong]:
    """Every image has a digest where images.requireDigest says so."""
    for pod, path, image in _images(release):
        if look(release.values, "images.requireDigest") is True and "@sha256:" not in image:
            yield wrong(pod.owner, path, "a digest", got=repr(image), remedy="set images.*.digest")


def restrict_image_registries(release: Release) -> Iterator[Wrong]:
    """Every image is from images.registry, where that is set."""
    registry = look(release.values, "images.registry") or ""
    for pod, path, image in _images(release):
        if registry and not image.startswith(registry.rstrip("/") + "/"):
            yield wrong(pod.owner, path, f"an image of {registry}", got=repr(image), remedy="use robustcert.image")


def image_pull_policy(release: Release) -> Iterator[Wrong]:
    """Every container says how its image is pulled, as images.pullPolicy does."""
    asked = look(release.values, "images.pullPolicy") or None
    for pod, path, container in _containers(release):
        got = container.get("imagePullPolicy")
        if got not in POLICIES or (asked and got != asked):
            what = asked or " or ".join(POLICIES)
            yield wrong(pod.owner, f"{path}.imagePullPolicy", what, got=got, remedy="take images.pullPolicy")


def pull_secrets_are_used(release: Release) -> Iterator[Wrong]:
    """Every pod names the Secrets of images.pullSecrets."""
    asked = look(release.values, "images.pullSecrets") or []
    for pod in release.pods:
        named = [item.get("name") for item in pod.spec.get("imagePullSecrets") or ()]
        if missing := [name for name in asked if name not in named]:
            remedy = "include robustcert.imagePullSecrets"
            yield wrong(pod.owner, f"{pod.spec_path}.imagePullSecrets", ", ".join(missing), got=named, remedy=remedy)


def _containers(release: Release) -> Iterator[tuple[Pod, str, Object]]:
    for pod in release.pods:
        for path, container in pod.containers():
            yield pod, path, container


def _images(release: Release) -> Iterator[tuple[Pod, str, str]]:
    for pod, path, container in _containers(release):
        yield pod, f"{path}.image", str(container.get("image", ""))


IMAGES: tuple[Check, ...] = (
    images_are_references,
    disallow_latest_tag,
    require_image_checksum,
    restrict_image_registries,
    image_pull_policy,
    pull_secrets_are_used,
)
