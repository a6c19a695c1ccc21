"""The whole loop with real Prometheus, Alertmanager and kfp.local: from drifting traffic to what the store says after.

The oracle is the store and the runs' folder, not what the demo prints.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from monitoring.demo.configuration import Places
from monitoring.demo.loop import Figures, show
from monitoring.demo.stage import Order
from monitoring.demo.timeline import Timeline
from monitoring.recertification_webhook.audit import verify_audit
from robustcert.certificate.published import PublishedCertificate, read_published
from robustcert.certificate.status import read_statuses
from robustcert.certificate.trust import load_trusted_keys
from robustcert.storage.store import Store, open_store
from tests.chain import small_specification

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(folder=tmp_path_factory.mktemp("demo"))


def shown(places: Places, fault: str) -> tuple[Figures, Timeline]:
    specification = places.folder.with_suffix(".yaml")
    specification.write_text(specification_text())
    timeline = Timeline(console=Console(file=io.StringIO()))
    return show(Order(places=places, specification=specification, fault=fault), timeline), timeline


def specification_text() -> str:
    """The small specification, with as many certified rows as drift limits need to be tight."""
    document = yaml.safe_load(small_specification())
    document["certification"]["samples"] = 400
    return yaml.safe_dump(document, sort_keys=False)


def store_of(places: Places) -> Store:
    return open_store(str(places.store))


def statuses(places: Places, sha256: str) -> list[str]:
    keys = load_trusted_keys(places.trusted)
    return [part.status for part in read_statuses(store_of(places), sha256, keys=keys)]


def runs(places: Places) -> int:
    return sum(path.is_dir() for path in (places.folder / "runs").iterdir())


def certificates(places: Places) -> list[PublishedCertificate]:
    """Every published certificate, the oldest first."""
    store = store_of(places)
    found = [read_published(store, name) for name in store.list_documents("published/")]
    return sorted((item for item in found if item is not None), key=lambda item: item.certified_at)


def nothing_runs(places: Places) -> bool:
    """Whether no process of this machine names the demo's folder in its command line."""
    commands = [_read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert any(commands)
    return not [command for command in commands if str(places.folder).encode() in command]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def test_moderate_drift_ends_in_one_run_and_a_new_certificate(places: Places) -> None:
    figures, timeline = shown(places, "dimmed")
    first, second = certificates(places)
    assert second.supersedes == (first.certificate_sha256,)
    assert (figures.outcome, figures.runs, runs(places)) == ("succeeded", 1, 1)
    assert statuses(places, first.certificate_sha256) == statuses(places, second.certificate_sha256) == []
    assert figures.status_of_gate == 0
    text = timeline.text()
    order = [
        text.index(part) for part in ("FAULT", "RobustcertInputsDrifted firing", "repaired", "stopping everything")
    ]
    assert order == sorted(order)
    assert nothing_runs(places)
    verify_audit(places.folder / "audit.jsonl")


def test_gross_drift_suspends_until_a_person_recertifies_after_the_repair(places: Places) -> None:
    figures, timeline = shown(places, "inverted")
    before, after = certificates(places)
    assert statuses(places, before.certificate_sha256)[0] == "suspended"
    assert (figures.outcome, figures.runs, figures.status_of_gate) == ("dead", 1, 1)
    assert after.supersedes == (before.certificate_sha256,)
    assert statuses(places, after.certificate_sha256) == []
    assert runs(places) == 2
    assert re.search(r"drift record +gross: ", timeline.text())
    assert nothing_runs(places)
    verify_audit(places.folder / "audit.jsonl")


def test_the_folder_holds_no_secret_but_where_it_must(places: Places) -> None:
    """Logs, database, audit log and timeline never hold the token or a private key."""
    secrets = [places.token.read_bytes().strip(), *(places.key(name).read_bytes() for name in ("issuer", "controller"))]
    own = {places.token, *(path for path in (places.folder / "keys").iterdir())}
    texts = [path.read_bytes() for path in _files(places.folder) if path not in own]
    assert len(texts) > 20
    assert not [secret for secret in secrets for text in texts if secret in text]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
