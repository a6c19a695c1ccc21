"""One look at the store: names are listed, new documents read and verified, and what is in force is told.

Published, certified, stated and recorded documents never change under their name (robustcert.certificate.published,
.status, robustcert.drift.record), so a scan reads only names that it has not seen. A name that is gone is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from monitoring.exporter.certificate_facts import CertificateFacts, read_certificate
from monitoring.exporter.drift_facts import DriftFacts, read_drift
from monitoring.exporter.invalid import Invalid
from monitoring.exporter.known import Known
from monitoring.exporter.listing import Listing, Model, list_names
from monitoring.exporter.newest_drift import NewestDrift
from monitoring.exporter.readers import Readers
from monitoring.exporter.shift import shifted
from monitoring.exporter.status_facts import ACTIVE, StatusFacts, read_status
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import MOST_SKEW
from robustcert.certificate.status import Status
from robustcert.errors import StorageError, expected


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One model's certificate in force, its status, its newest drift record, and which results moved."""

    certificate: CertificateFacts
    status: Status
    drift: DriftFacts | None
    shifted: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Everything that a scan found; `objects` counts documents in the store, `invalid` those that are not shown.

    `unread` counts models whose newest drift record is left to the next scan.
    """

    models: tuple[InForce, ...] = ()
    objects: Mapping[str, int] = field(default_factory=dict)
    invalid: Mapping[Invalid, int] = field(default_factory=dict)
    unread: int = 0


class Scanner:
    """Looks at one store again and again. Not for several threads at a time."""

    def __init__(self, readers: Readers, *, keys: Sequence[VerificationKey]) -> None:
        self._readers, self._held = readers, 0
        self._certificates = Known("certificate", partial(read_certificate, keys=keys), readers=readers)
        self._statuses = Known("status", partial(read_status, keys=keys), readers=readers)
        self._drift = NewestDrift(Known("drift", partial(read_drift, keys=keys), readers=readers))

    def scan(self, *, now: datetime) -> Fleet:
        """What is in force now; StorageError where the store is down, and what was read until then is kept."""
        listing = list_names(self._readers)
        self._refuse_emptied(sum(listing.objects.values()))
        invalid = Counter(listing.stray)
        histories = self._histories(listing, now=now, invalid=invalid)
        in_force = {model: history[0] for model, history in histories.items()}
        stated = self._stated(listing, [item.certificate_sha256 for item in in_force.values()], invalid=invalid)
        drift = self._drift.find(listing, in_force, latest=(now + MOST_SKEW).timestamp())
        invalid.update(drift.invalid)
        models = tuple(
            InForce(
                certificate=item,
                status=stated.get(item.certificate_sha256, ACTIVE).status,
                drift=drift.newest.get(model),
                shifted=shifted(histories[model]),
            )
            for model, item in in_force.items()
        )
        return Fleet(models=models, objects=listing.objects, invalid=invalid, unread=drift.unread)

    def _refuse_emptied(self, held: int) -> None:
        """StorageError where nothing is left of a store: its documents are never all removed, but volumes are."""
        if self._held and not held:
            got, remedy = "an empty one", "mount its volume; where it was emptied on purpose, start the exporter again"
            raise StorageError(expected(f"a store that held {self._held} documents", got=got, remedy=remedy))
        self._held = held

    def _histories(
        self, listing: Listing, *, now: datetime, invalid: Counter[Invalid]
    ) -> dict[Model, list[CertificateFacts]]:
        """Each model's certificates, the one in force first, as robustcert.certificate.published.newest decides."""
        wanted = listing.published
        self._certificates.forget_all_but(wanted)
        self._certificates.doubt(names for names in wanted if names[1] not in listing.certificates)
        models: dict[Model, list[CertificateFacts]] = {}
        for found in self._certificates.look(wanted).values():
            if isinstance(found, Invalid):
                invalid[found] += 1
            elif found.certified_at > (now + MOST_SKEW).timestamp():
                invalid[Invalid("certificate", "early")] += 1
            else:
                models.setdefault((found.name, found.model_sha256), []).append(found)
        return {model: _newest_first(history) for model, history in models.items()}

    def _stated(
        self, listing: Listing, certificates: Iterable[str], *, invalid: Counter[Invalid]
    ) -> dict[str, StatusFacts]:
        """The status of each certificate that somebody spoke about."""
        wanted = {listing.statuses[sha256]: sha256 for sha256 in certificates if sha256 in listing.statuses}
        self._statuses.forget_all_but(wanted)
        stated = {}
        for names, found in self._statuses.look(wanted).items():
            facts = StatusFacts("suspended", found) if isinstance(found, Invalid) else found
            stated[wanted[names]] = facts
            if facts.wrong is not None:
                invalid[facts.wrong] += 1
        return stated


def _newest_first(history: list[CertificateFacts]) -> list[CertificateFacts]:
    superseded = {digest for item in history for digest in item.supersedes}
    return sorted(
        history,
        key=lambda item: (item.certified_at, item.certificate_sha256 not in superseded, item.certificate_sha256),
        reverse=True,
    )
