"""Objects that the exporter does not show: of which kind, and why. They are counted, and never taken for valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from robustcert.certificate.envelope import MAX_BYTES, parse_canonical
from robustcert.certificate.keys import VerificationKey, key_id
from robustcert.errors import ClaimError, VerificationError

Kind = Literal["published", "certificate", "status", "drift"]
Reason = Literal[
    "unsigned",  # nobody signed it
    "foreign",  # signed by a key that is not among the trusted ones
    "signature",  # names a trusted key, and that key did not sign these bytes
    "form",  # no document of its kind, or of a version that this program does not know
    "damaged",  # other bytes than were stored
    "mismatch",  # another document than its name says
    "missing",  # named by another document, and not there
    "rejected",  # records that a model did not meet its criteria
    "early",  # certified or evaluated in the future: some clock is wrong
    "chain",  # a status chain with a gap, or with a link to another document
    "unreadable",  # the store answered everything else, and not this
]
KINDS: tuple[Kind, ...] = get_args(Kind)
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Invalid:
    """An object that is not shown."""

    kind: Kind
    reason: Reason


class InvalidError(ClaimError):
    """What was read is not shown; `found` says why."""

    def __init__(self, kind: Kind, reason: Reason) -> None:
        super().__init__(f"{kind}: {reason}")
        self.found = Invalid(kind, reason)


def refusal(data: bytes, *, keys: Sequence[VerificationKey]) -> Reason:
    """Why an envelope was refused that none of `keys` vouches for."""
    if len(data) > MAX_BYTES:
        return "form"
    try:
        envelope = parse_canonical(data.removesuffix(b"\n"), what="the envelope")
    except VerificationError:
        return "form"
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or not signatures:
        return "unsigned"
    named = signatures[0].get("keyid") if isinstance(signatures[0], dict) else None
    if named not in {key_id(key) for key in keys}:
        return "foreign"
    return "signature" if _is_of_any(data, keys) is None else "form"


def _is_of_any(data: bytes, keys: Sequence[VerificationKey]) -> bytes | None:
    from robustcert.certificate.trust import open_by_any

    try:
        return open_by_any(data, keys)
    except VerificationError:
        return None
