"""NOTES.txt: every Secret that a release needs is there with the command that makes it, and no other."""

from __future__ import annotations

import functools
import re
import shlex
from typing import Any

import pytest

from tests.charts.pod_process import pod_spec
from tests.command_line import CommandLine
from tools.chart.render import ci_values, render, render_text

Object = dict[str, Any]

NAMES = sorted(ci_values())
CREATE = re.compile(r"^  kubectl -n (\S+) create secret generic (\S+) (.*)$", re.MULTILINE)
KINDS = ("Deployment", "StatefulSet", "CronJob", "Job", "Pod")
OF_TESTS = {"robustcert-schedule-client"}  # of full-values.yaml's own extraVolumes


@functools.cache
def notes(name: str) -> str:
    texts = render_text(ci_values()[name], namespace="models")
    (text,) = [text for path, text in texts.items() if path.endswith("NOTES.txt")]
    return text


@functools.cache
def objects(name: str) -> tuple[Object, ...]:
    return tuple(render(ci_values()[name], namespace="models"))


def needed(name: str) -> set[tuple[str, str]]:
    """(Secret, key) that pods and Alertmanager need, and that nothing in the release makes."""
    found: set[tuple[str, str]] = set()
    for item in objects(name):
        if item["kind"] in KINDS:
            spec = pod_spec(item)
            for volume in spec.get("volumes", []):
                secret = volume.get("secret", {})
                found |= {(secret["secretName"], one["key"]) for one in secret.get("items", [])}
            for entry in spec["containers"][0].get("env", []):
                reference = entry.get("valueFrom", {}).get("secretKeyRef")
                if reference and not reference.get("optional"):
                    found.add((reference["name"], reference["key"]))
    made = {item["spec"]["target"]["name"] for item in objects(name) if item["kind"] == "ExternalSecret"}
    made |= {item["spec"]["secretName"] for item in objects(name) if item["kind"] == "Certificate"}
    return {(secret, key) for secret, key in found if secret not in made | OF_TESTS}


def told(text: str) -> dict[tuple[str, str], set[str]]:
    """(namespace, Secret) -> the keys that its command makes; a file of variables has both of S3's."""
    found: dict[tuple[str, str], set[str]] = {}
    for namespace, name, options in CREATE.findall(text):
        keys: set[str] = set()
        for option in shlex.split(options):
            kind, _, value = option.partition("=")
            keys |= (
                {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} if kind == "--from-env-file" else {value.split("=")[0]}
            )
        assert (namespace, name) not in found, "said twice"
        found[namespace, name] = keys
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_that_pods_wait_for_is_told_with_its_key(name: str) -> None:
    said = told(notes(name))
    assert [(secret, key) for secret, key in needed(name) if key not in said.get(("models", secret), set())] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_told_that_nobody_needs(name: str) -> None:
    alertmanager = str([item for item in objects(name) if item["kind"] == "AlertmanagerConfig"])
    used = {secret for secret, _ in needed(name)}
    for namespace, secret in told(notes(name)):
        assert namespace != "models" or secret in used or f"'{secret}'" in alertmanager, secret


@pytest.mark.parametrize("name", NAMES)
def test_what_was_installed_is_told_and_nothing_else(name: str) -> None:
    for item in objects(name):
        if item["kind"] == "CronJob":
            assert f"{item['metadata']['name']}: {item['spec']['schedule']}\n" in notes(name)
    for kind, place in (("Deployment", "-exporter:"), ("StatefulSet", "-controller."), ("Job", "uploaded to")):
        assert (place in notes(name)) == any(item["kind"] == kind for item in objects(name)), kind


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_are_ours_and_take_these_options(name: str, command_line: CommandLine) -> None:
    lines = [line.strip() for line in notes(name).splitlines() if line.startswith("  robustcert ")]
    commands = [shlex.split(line) for line in lines if not re.match(r"robustcert\s+(http|-)", line)]
    assert any(words[1] in ("submit", "run") for words in commands)
    for _, command, *options in commands:
        known = command_line(command, "--help").out
        assert [word for word in options if word.startswith("--") and word.partition("=")[0] not in known] == []


def test_it_is_short() -> None:
    for name in NAMES:
        lines = notes(name).splitlines()
        assert len(lines) <= 50, name
        assert not [line for line in lines if line != line.rstrip()], name
        assert "\n\n\n" not in "\n".join(lines).strip(), name
