"""From settings to an exporter that shows a store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from minio import Minio

from monitoring.exporter.assembly import make_exporter
from monitoring.exporter.loop import Exporter
from monitoring.exporter.settings import read_settings
from robustcert.certificate.keys import write_key_pair
from robustcert.errors import KeyFileError
from robustcert.storage.store import open_store
from tests.monitoring.exporter.api_server import ApiServer
from tests.monitoring.exporter.fleet import Fleet, Unflushed
from tests.monitoring.exporter.test_kubernetes_watch import configure, service, until
from tests.monitoring.exporter.test_series import Sample, parsed
from tests.rados_gateway import RadosGateway

MODELS = 50


def of_models(exporter: Exporter) -> dict[Sample, float]:
    """What is shown of models, without the exporter's own figures."""
    found = parsed(exporter.metrics(compressed=False).decode())
    return {key: value for key, value in found.items() if not key[0].startswith(("robustcert_exporter_", "process_"))}


@pytest.fixture
def keys(fleet: Fleet, tmp_path: Path) -> Path:
    return write_key_pair(tmp_path / "issuer", fleet.key, passphrase=None)


def test_it_trusts_the_keys_and_limits_that_the_settings_name(
    fleet: Fleet, store: Unflushed, keys: Path, tmp_path: Path
) -> None:
    for number in range(3):
        fleet.add(number)
    (tmp_path / "exporter.yaml").write_text("limits: {models: 2}\n")
    settings = read_settings(tmp_path / "exporter.yaml", store=str(store.root), trusted_keys=str(keys))
    exporter = make_exporter(settings)
    assert exporter.scan()
    infos = [labels for name, labels in of_models(exporter) if name == "robustcert_certificate_info"]
    assert len(infos) == 2
    with pytest.raises(KeyFileError, match="expected a public key"):
        make_exporter(settings.model_copy(update={"trusted_keys": str(tmp_path / "issuer")}))


def test_deployed_models_come_from_the_cluster_and_from_a_file(
    store: Unflushed, fleet: Fleet, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add(0)
    (tmp_path / "deployed.yaml").write_text("deployed: [{model: by-file, workload: api}]")
    with ApiServer() as api:
        configure(api, tmp_path, monkeypatch)
        api.put("deployments", service("by-cluster"))
        exporter = make_exporter(
            read_settings(
                None,
                store=str(store.root),
                trusted_keys=str(keys),
                deployed=str(tmp_path / "deployed.yaml"),
                kubernetes={"namespace": "vision"},
            )
        )

        def models() -> set[str]:
            return {dict(labels)["model"] for name, labels in of_models(exporter) if name == "robustcert_deployed"}

        until(lambda: models() == {"by-file", "by-cluster"})


@pytest.fixture
def peer(rados_gateway: RadosGateway, monkeypatch: pytest.MonkeyPatch) -> Minio:
    """Another client of the real S3 server, with an empty bucket `exporter`; the environment holds the credentials."""
    for name, value in rados_gateway.environment().items():
        monkeypatch.setitem(os.environ, name, value)
    keys = {"access_key": rados_gateway.access_key, "secret_key": rados_gateway.secret_key}
    client = Minio(rados_gateway.endpoint.removeprefix("http://"), secure=False, **keys)
    if not client.bucket_exists("exporter"):
        client.make_bucket("exporter")
    for found in client.list_objects("exporter", recursive=True):
        client.remove_object("exporter", str(found.object_name))
    return client


@pytest.fixture
def remote(rados_gateway: RadosGateway, peer: Minio, fleet: Fleet, store: Unflushed, keys: Path) -> Exporter:
    """An exporter of a bucket with a copy of the store, which eight readers read."""
    for number in range(MODELS):
        certificate = fleet.certificate(number)
        fleet.drift(number, fleet.publish(certificate))
        if number % 10 == 0:
            fleet.say(certificate, "suspended")
    store.write_document("published/stray.json", b"{}")
    uri = f"s3://exporter/fleet?endpoint={rados_gateway.endpoint}&region=us-east-1"
    bucket = open_store(uri)
    for name in store.list_documents(""):
        bucket.write_document(name, store.read_document(name) or b"")
    return make_exporter(read_settings(None, store=uri, trusted_keys=str(keys), readers=8))


@pytest.mark.real_s3
def test_a_bucket_is_shown_as_the_folder_it_was_copied_from(remote: Exporter, store: Unflushed, keys: Path) -> None:
    folder = make_exporter(read_settings(None, store=str(store.root), trusted_keys=str(keys)))
    assert folder.scan()
    assert remote.scan()
    found = of_models(remote)
    assert found == of_models(folder)
    assert len([name for name, _ in found if name == "robustcert_certificate_info"]) == MODELS


@pytest.mark.real_s3
def test_a_retired_model_vanishes_from_a_bucket_too(remote: Exporter, peer: Minio, store: Unflushed) -> None:
    assert remote.scan()
    before = of_models(remote).keys()
    peer.remove_object("exporter", f"fleet/{store.list_documents('published/model-7/')[0]}")
    assert remote.scan()
    assert {dict(labels)["model"] for _, labels in before - of_models(remote).keys()} == {"model-7"}


@pytest.mark.real_s3
def test_a_server_that_is_killed_leaves_what_was_shown_and_is_scanned_again_when_it_is_back(
    remote: Exporter, rados_gateway: RadosGateway
) -> None:
    assert remote.scan()
    before = of_models(remote)
    rados_gateway.kill()
    try:
        assert not remote.scan()
        assert of_models(remote) == before
    finally:
        rados_gateway.restart()
    assert remote.scan()
    assert rados_gateway.secret_key not in remote.metrics(compressed=False).decode()
