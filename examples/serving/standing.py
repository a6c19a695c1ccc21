"""How the certificate of a served model stands: in force, suspended, revoked, expired, or not to be verified.

Looked up again and again, because a certificate can be suspended, and a recertification can put another in its place.
The store's pointers prove nothing; a certificate counts where a trusted key signed it. While the store can't be read,
what was known last holds; that a certificate expires needs no store.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Literal

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import MOST_SKEW, PUBLISHED, unverified_statement
from robustcert.certificate.schema import Predicate
from robustcert.certificate.status import Status, read_statuses, status_in_force
from robustcert.certificate.trust import open_by_any
from robustcert.errors import ClaimError, VerificationError, WorldError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store

_LOG = logging.getLogger(__name__)
_POINTER = re.compile(r".*/([0-9a-f]{64})\.json")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The certificate in force of the served model, and how it stands."""

    certificate_sha256: str
    not_after: datetime
    status: Status | Literal["expired", "unverified"]


def open_trusted(store: Store, certificate: str, *, keys: Sequence[VerificationKey]) -> Certified:
    """The certificate of that digest or published name, signed by one of `keys`; VerificationError otherwise."""
    record = find_certificate(store, certificate)
    certified = open_certified(store, record, trusted=None)
    _signed(store, certified.sha256, keys=keys)
    return certified


class CertificateWatch:
    """Follows the certificate of one model; `standing()` is cheap, `check()` reads the store."""

    def __init__(
        self,
        store: Store,
        certified: Certified,
        *,
        keys: Sequence[VerificationKey],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._keys, self._clock = store, tuple(keys), clock
        self._first, self._trusted = certified, {certified.sha256: certified.predicate}
        self._known = self._read()
        self._stopped = Event()

    def standing(self) -> Standing:
        """How the certificate stands at this moment, as far as was known at the last check."""
        known = self._known
        if known.status == "active" and self._clock() >= known.not_after:
            return Standing(certificate_sha256=known.certificate_sha256, not_after=known.not_after, status="expired")
        return known

    def check(self) -> None:
        """Looks the certificate and its status up again; a store that can't be read changes nothing."""
        try:
            self._known = self._read()
        except WorldError as error:
            _LOG.warning("certificate status unchanged: %s", error)

    def start(self, *, seconds: float) -> None:
        """Checks every so often, on a thread of its own, until `stop`."""
        Thread(target=self._check_until_stopped, args=(seconds,), name="certificate-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the checks."""
        self._stopped.set()

    def _check_until_stopped(self, seconds: float) -> None:
        while not self._stopped.wait(seconds):
            self.check()

    def _read(self) -> Standing:
        sha256, predicate = self._in_force()
        not_after = datetime.fromisoformat(predicate.not_after)
        try:
            status: Status | Literal["unverified"] = status_in_force(
                read_statuses(self._store, sha256, keys=self._keys)
            )
        except VerificationError as error:
            _LOG.warning("the status of certificate %s is not to be trusted: %s", sha256[:12], error)
            status = "unverified"
        return Standing(certificate_sha256=sha256, not_after=not_after, status=status)

    def _in_force(self) -> tuple[str, Predicate]:
        """The newest certificate of the same model that a trusted key signed: the first one, or one published since.

        Of the store's pointers only the names are used, and what was once verified stays known: so nobody hides a
        suspension by writing something else there.
        """
        for sha256 in self._published():
            if sha256 not in self._trusted:
                self._trust(sha256)
        superseded = {digest for predicate in self._trusted.values() for digest in predicate.supersedes}
        return max(self._trusted.items(), key=lambda item: (item[1].certified_at, item[0] not in superseded, item[0]))

    def _published(self) -> list[str]:
        model = f"{PUBLISHED}{self._first.predicate.name}/{self._first.predicate.model.sha256}/"
        try:
            names = self._store.list_documents(model)
        except WorldError as error:
            _LOG.warning("the published certificates can't be read: %s", error)
            return []
        return [match[1] for name in names if (match := _POINTER.fullmatch(name))]

    def _trust(self, sha256: str) -> None:
        """Adds a published certificate to those known, where a trusted key signed it for this model and by now."""
        first = self._first.predicate
        try:
            found = _signed(self._store, sha256, keys=self._keys)
        except (ClaimError, WorldError) as error:
            _LOG.warning("published certificate %s is not used: %s", sha256[:12], error)
            return
        early = datetime.fromisoformat(found.certified_at) > self._clock() + MOST_SKEW
        if (found.name, found.model.sha256) == (first.name, first.model.sha256) and not early:
            self._trusted[sha256] = found


def _signed(store: Store, sha256: str, *, keys: Sequence[VerificationKey]) -> Predicate:
    """The content of a certificate that one of `keys` signed and that was accepted; VerificationError otherwise."""
    data = store.read_document(certificate_name(sha256)) or b""
    open_by_any(data, keys)
    predicate = unverified_statement(data).predicate
    if predicate.verdict != "accepted" or sha256_bytes(data) != sha256:
        remedy = "name one that was accepted, as it was issued"
        raise VerificationError(expected("an accepted certificate", got="a rejection or another file", remedy=remedy))
    return predicate
