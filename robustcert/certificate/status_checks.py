"""Verification's last question: is the certificate suspended or revoked?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.case import Case, Finding, established, not_established, require
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.status import StatusPredicate, printable, read_statuses
from robustcert.errors import InputError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store

CHECK = "revocation"


def not_asked(case: Case) -> Finding:
    """The answer where nobody gave a place to look."""
    return not_established(
        CHECK, "no store was asked; give --statuses, or ask the issuer whether this certificate is suspended or revoked"
    )


def asked(store: Store, keys: Sequence[VerificationKey]) -> Callable[[Case], Finding]:
    """A check that asks `store`, whose status statements one of `keys` must have signed.

    Refused where the store does not hold the certificate, for then its silence would mean nothing.
    """

    def revocation(case: Case) -> Finding:
        sha256 = sha256_bytes(case.files.certificate.read_bytes())
        if store.read_document(certificate_name(sha256)) is None:
            remedy = "name the store that it was issued into"
            raise InputError(expected(f"certificate {sha256[:12]} in '{store.uri}'", got="none there", remedy=remedy))
        return _finding(read_statuses(store, sha256, keys=keys))

    return revocation


def _finding(chain: Sequence[StatusPredicate]) -> Finding:
    if not chain:
        return established(CHECK, "active: the store that was asked holds no statement against it")
    last = chain[-1]
    said = f"{last.status} since {last.decided_at} ({last.reason}): {printable(last.cause)}"
    require(last.status == "active", said)
    return established(CHECK, said)
