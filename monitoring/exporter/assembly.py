"""From settings to an exporter: keys, stores, and who says what is deployed."""

from __future__ import annotations

from pathlib import Path

from monitoring.exporter.deployed import DeployedByFile
from monitoring.exporter.loop import DeployedSource, Exporter
from monitoring.exporter.readers import Readers
from monitoring.exporter.scan import Scanner
from monitoring.exporter.settings import Settings
from robustcert.certificate.trust import load_trusted_keys
from robustcert.storage.store import open_store


def make_exporter(settings: Settings) -> Exporter:
    """The exporter that the settings describe, its watches started; RobustcertError where something is wrong."""
    keys = load_trusted_keys(Path(settings.trusted_keys))
    count = settings.readers if settings.store.startswith("s3://") else 1  # a disk answers faster than threads switch
    readers = Readers(lambda: open_store(settings.store), count=count)
    return Exporter(
        Scanner(readers, keys=keys),
        limits=settings.limits.limits(),
        staleness=settings.staleness,
        sources=_sources(settings),
    )


def _sources(settings: Settings) -> tuple[DeployedSource, ...]:
    sources: list[DeployedSource] = []
    if settings.deployed:
        sources.append(DeployedByFile(Path(settings.deployed)))
    if settings.kubernetes is not None:
        from monitoring.exporter.kubernetes_connection import watches

        for watch in watches(namespace=settings.kubernetes.namespace):
            watch.start()
            sources.append(watch)
    return tuple(sources)
