"""What the demo's programs are told, read by those programs' own readers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring.demo.configuration import Places, alertmanager_settings, controller_settings, prometheus_settings
from monitoring.recertification_webhook.settings import read_settings
from robustcert.certificate.trust import load_trusted_keys
from robustcert.errors import InputError


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(folder=tmp_path)
    found.prepare()
    return found


def test_keys_are_made_once_and_only_public_halves_are_trusted(places: Places) -> None:
    before = {path: path.read_bytes() for path in places.folder.rglob("*") if path.is_file()}
    places.prepare()
    assert {path: path.read_bytes() for path in places.folder.rglob("*") if path.is_file()} == before
    assert len(load_trusted_keys(places.trusted)) == 3
    assert not any(b"PRIVATE" in path.read_bytes() for path in places.trusted.iterdir())
    assert oct(places.token.stat().st_mode & 0o777) == "0o600"


def test_the_controller_reads_its_settings(places: Places) -> None:
    path = places.folder / "controller.yaml"
    path.write_text(controller_settings(places, listen="127.0.0.1:8090", metrics="127.0.0.1:8091", workers=2))
    found = read_settings(path)
    assert found.backend.local is not None
    assert (found.store, found.backend.local.workers) == (str(places.store), 2)


@pytest.mark.prometheus
def test_prometheus_and_alertmanager_accept_theirs(places: Places) -> None:
    configuration = places.folder / "prometheus.yaml"
    settings = prometheus_settings(alertmanager="127.0.0.1:9093", jobs={"serving": "127.0.0.1:8080"})
    configuration.write_text(json.dumps(settings))
    subprocess.run(["promtool", "check", "config", str(configuration)], check=True, capture_output=True)
    routing = places.folder / "alertmanager.yaml"
    routing.write_text(yaml.safe_dump(alertmanager_settings(controller="http://127.0.0.1:8090", token=places.token)))
    subprocess.run(["amtool", "check-config", str(routing)], check=True, capture_output=True)


def test_what_an_earlier_demo_left_goes_and_its_certificate_stays(places: Places) -> None:
    for name in ("store", "certified", "runs"):
        (places.folder / name / "folder").mkdir(parents=True)
    (places.folder / "audit.jsonl").write_text("{}")
    places.prepare()
    left = {path.name for path in places.folder.iterdir()}
    assert left == {"keys", "trusted", "token", "certified"}


def test_a_folder_with_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with pytest.raises(InputError, match="an empty folder or that of an earlier demo"):
        Places(folder=tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
