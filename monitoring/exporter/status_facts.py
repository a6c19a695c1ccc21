"""A certificate's status, read from its chain of signed statements: whatever is wrong in a chain weakens the claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.exporter.invalid import Invalid, InvalidError, Reason, refusal
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.status import Status, chain_of, parse_status, status_in_force, status_name
from robustcert.errors import VerificationError
from robustcert.storage.store import Store


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """The status to show, and what is wrong with the chain that says so."""

    status: Status
    wrong: Invalid | None = None


ACTIVE = StatusFacts("active")


def read_status(store: Store, names: Sequence[str], *, keys: Sequence[VerificationKey]) -> StatusFacts:
    """The status in the documents of one certificate's chain, sorted by name.

    A chain that does not verify suspends, as docs/certificate.md says, unless one of its signed links revokes.
    """
    certificate = names[0].split("/")[1]
    documents = [store.read_document(name) for name in names]
    present = [data for data in documents if data is not None]
    wanted = [status_name(certificate, sequence) for sequence in range(1, len(names) + 1)]
    try:
        if list(names) != wanted or len(present) != len(names):
            raise InvalidError("status", "chain")
        return StatusFacts(status_in_force(chain_of(present, certificate, keys=keys)))
    except VerificationError:
        wrong = Invalid("status", _reason(present, keys=keys))
    except InvalidError as error:
        wrong = error.found
    revoked = any(_revokes(data, certificate, keys=keys) for data in present)
    return StatusFacts("revoked" if revoked else "suspended", wrong)


def _revokes(data: bytes, certificate: str, *, keys: Sequence[VerificationKey]) -> bool:
    try:
        found = parse_status(data, keys=keys)
    except VerificationError:
        return False
    return (found.certificate_sha256, found.status) == (certificate, "revoked")


def _reason(documents: Sequence[bytes], *, keys: Sequence[VerificationKey]) -> Reason:
    """Of the first document that does not verify by itself; "chain" where each does."""
    for data in documents:
        try:
            parse_status(data, keys=keys)
        except VerificationError:
            return refusal(data, keys=keys)
    return "chain"
