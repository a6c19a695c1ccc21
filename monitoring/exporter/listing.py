"""The names of all documents that the exporter looks at, and what they are about: nothing is read yet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from monitoring.exporter.invalid import Invalid, Kind
from monitoring.exporter.readers import Readers
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.published import PUBLISHED
from robustcert.certificate.status import STATUSES
from robustcert.drift.record import DRIFT
from robustcert.storage.store import Store

CERTIFICATES = "certificates/"

Names = tuple[str, ...]  # of documents that are read together
Model = tuple[str, str]  # name and SHA-256

_NAME = r"([a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)"  # robustcert.document.Name
_PUBLISHED = re.compile(rf"{PUBLISHED}{_NAME}/([0-9a-f]{{64}})/([0-9a-f]{{64}})\.json")
_STATUS = re.compile(rf"{STATUSES}([0-9a-f]{{64}})/[^/]+")
_DRIFT = re.compile(rf"{DRIFT}{_NAME}/([0-9a-f]{{64}})/[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{12}}\.json")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All names, by what they are about; `stray` counts those that name nothing known."""

    published: tuple[Names, ...]  # each with its certificate's
    certificates: frozenset[str]
    statuses: dict[str, Names]  # certificate -> its chain, in order
    drift: dict[Model, list[str]]  # oldest first
    stray: Counter[Invalid]
    objects: dict[str, int]

    def windows(self, model: Model) -> Iterator[list[Names]]:
        """A model's drift records, those of one window together, the newest window first."""
        names = reversed(self.drift.get(model, ()))
        for _, window in groupby(names, key=lambda name: name.rpartition("-")[0]):
            yield [(name,) for name in window]


def list_names(readers: Readers) -> Listing:
    """Asks the store for every name under the four prefixes; StorageError where it does not answer."""
    found: dict[str, list[str]] = {}

    def ask(store: Store, prefix: str) -> None:
        found[prefix] = store.list_documents(prefix)

    readers.each((PUBLISHED, CERTIFICATES, STATUSES, DRIFT), ask)
    published = [match for name in found[PUBLISHED] if (match := _PUBLISHED.fullmatch(name))]
    statuses, stray_statuses = _chains(found[STATUSES])
    drift, stray_drift = _models(found[DRIFT])
    strays: dict[Kind, int] = {
        "published": len(found[PUBLISHED]) - len(published),
        "status": stray_statuses,
        "drift": stray_drift,
    }
    return Listing(
        published=tuple((match[0], certificate_name(match[3])) for match in published),
        certificates=frozenset(found[CERTIFICATES]),
        statuses=statuses,
        drift=drift,
        stray=Counter({Invalid(kind, "form"): count for kind, count in strays.items() if count}),
        objects={
            "published": len(found[PUBLISHED]),
            "certificate": len(found[CERTIFICATES]),
            "status": len(found[STATUSES]),
            "drift": len(found[DRIFT]),
        },
    )


def _chains(names: Sequence[str]) -> tuple[dict[str, Names], int]:
    known = [match for name in names if (match := _STATUS.fullmatch(name))]
    chains = groupby(known, key=lambda match: match[1])
    return {certificate: tuple(match[0] for match in chain) for certificate, chain in chains}, len(names) - len(known)


def _models(names: Sequence[str]) -> tuple[dict[Model, list[str]], int]:
    models: dict[Model, list[str]] = {}
    stray = 0
    for name in names:
        match = _DRIFT.fullmatch(name)
        if match is None:
            stray += 1
        else:
            models.setdefault((match[1], match[2]), []).append(name)
    return models, stray
