"""The whole journey on a real Kubeflow: upload, submit, watch, fetch the certificate and verify it.

`make test-cluster` runs it (docs/kubeflow.md names the variables). All that it makes lies in ROBUSTCERT_TEST_NAMESPACE:
pipelines, runs, an experiment, and two secrets that it removes in the end. It needs kubectl.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from robustcert.specification_template import template
from tests.cluster import journey
from tests.command_line import Done

pytestmark = pytest.mark.cluster

# Read while pytest collects: the suite's own conftest.py forgets the settings of the person who runs it.
ENVIRONMENT = dict(os.environ)
NAMESPACE = ENVIRONMENT.get("ROBUSTCERT_TEST_NAMESPACE", "")
SECRETS = {"store_secret": "robustcert-test-store", "signing_secret": "robustcert-test-signing-key"}


def kubectl(*arguments: str) -> str:
    """What kubectl prints; it acts in the namespace."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def robustcert(arguments: list[str], folder: Path) -> Done:
    """Runs the command line in a process of its own, as a person does."""
    command = [sys.executable, "-m", "robustcert.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=False, capture_output=True, text=True)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specification and a signing key."""
    made = tmp_path_factory.mktemp("cluster")
    (made / "spec.yaml").write_text(template("digits"))
    return made


@pytest.fixture(scope="module")
def traveller(folder: Path) -> Iterator[journey.Traveller]:
    """Who makes the journey, with a token of the namespace and with its secrets in place."""
    account = ENVIRONMENT.get("ROBUSTCERT_TEST_SERVICE_ACCOUNT", "default-editor")
    token = folder / "token"
    token.write_text(kubectl("create", "token", account, "--audience", "pipelines.kubeflow.org", "--duration", "4h"))
    image = ENVIRONMENT.get("ROBUSTCERT_TEST_IMAGE")
    settings = [f"{name}={secret}" for name, secret in SECRETS.items()] + ([f"image={image}"] if image else [])
    made = journey.Traveller(
        program=lambda arguments: robustcert(arguments, folder),
        host=ENVIRONMENT["ROBUSTCERT_TEST_HOST"],
        namespace=NAMESPACE,
        token_file=token,
        store=ENVIRONMENT["ROBUSTCERT_TEST_STORE"],
        settings=tuple(settings),
    )
    made.robustcert("keys", "new", "issuer")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    (folder / "store.env").write_text("".join(f"{name}={ENVIRONMENT[name]}\n" for name in names))
    try:
        kubectl("create", "secret", "generic", SECRETS["store_secret"], f"--from-env-file={folder / 'store.env'}")
        kubectl("create", "secret", "generic", SECRETS["signing_secret"], f"--from-file=key={folder / 'issuer'}")
        yield made
    finally:
        kubectl("delete", "secret", "--ignore-not-found", *SECRETS.values())


def test_the_journey_ends_in_certificates_that_verify(traveller: journey.Traveller, folder: Path) -> None:
    token = secrets.token_hex(4)
    journey.uploads_twice_and_changes_nothing_the_second_time(traveller)
    journey.rehearses_and_starts_nothing(traveller, token=token)
    journey.is_refused_without_sense(traveller)
    runs = [journey.runs_once_to_the_end(traveller, token=token, shards=shards) for shards in (1, 3)]
    listed = traveller.robustcert("inventory", "--store", traveller.store)
    for number, run in enumerate(runs):
        issued = re.search(rf"certificate (\w+)  run {run}", listed)
        assert issued is not None, listed
        bundle = folder / f"bundle-{number}"
        traveller.robustcert("export-bundle", issued[1], "--out", bundle, "--store", traveller.store)
        assert "\nVERIFIED: digits" in traveller.robustcert("verify", bundle, "--key", "issuer.pub")
    evidence = [(folder / f"bundle-{number}" / "certification.parquet").read_bytes() for number in range(len(runs))]
    assert evidence[0] == evidence[1]
