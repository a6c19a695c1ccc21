"""Whether a certificate is suspended or revoked: a chain of signed statements beside it in the store.

Type `urn:robustcert:certificate-status:v1`, an in-toto statement about the certificate's file. The documents
`statuses/<certificate SHA-256>/<number>.json` are written once; each names the digest of the one before it, so that
changing, dropping or inserting one shows. The last one counts. That the last ones were cut off no reader can see:
whoever relies on a certificate asks a store that he trusts to be complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import parse_canonical, sign
from robustcert.certificate.keys import SigningKey, VerificationKey
from robustcert.certificate.published import unverified_statement
from robustcert.certificate.schema import Digest, Subject
from robustcert.certificate.trust import open_by_any
from robustcert.document import IssuedPart, Sha256, Text, Timestamp, rfc3339
from robustcert.errors import InputError, StorageError, VerificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.store import Store

STATUS_TYPE: Final = "urn:robustcert:certificate-status:v1"
STATUSES = "statuses/"
MOST_RIVALS = 20  # writers at the same moment, each of whom takes the number that one of the others wanted

Status = Literal["active", "suspended", "revoked"]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class StatusPredicate(IssuedPart):
    """One change of a certificate's status: to what, why, on which evidence, by whom, and after which other change."""

    schema_version: Literal["1"]
    name: str
    certificate_sha256: Sha256
    model_sha256: Sha256
    sequence: Annotated[int, Field(ge=1, le=999_999)]
    status: Status
    reason: ReasonCode
    cause: Text
    evidence: tuple[str, ...]
    request_id: str
    previous_sha256: Sha256 | None
    decided_by: Text
    decided_at: Timestamp


class StatusStatement(IssuedPart):
    """in-toto Statement v1 about a certificate's file."""

    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:robustcert:certificate-status:v1"]
    predicate: StatusPredicate


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """What is to be said: `evidence` are digests or names of documents, `request_id` whoever asked, "" for nobody."""

    status: Status
    reason: str
    cause: str
    decided_by: str
    evidence: tuple[str, ...] = ()
    request_id: str = ""


def write_status(
    store: Store,
    certificate: bytes,
    change: StatusChange,
    *,
    key: SigningKey,
    keys: Sequence[VerificationKey],
    now: datetime,
) -> StatusPredicate:
    """Appends a change to a certificate's chain; the one that counts already is not repeated for the same request.

    `keys` are those that the chain so far may be signed by. InputError where the certificate is revoked, for that is
    final; StorageError where the store does not hold the certificate; VerificationError where the chain is damaged.
    """
    sha256 = sha256_bytes(certificate)
    _require_held(store, certificate, sha256)
    for _ in range(MOST_RIVALS):
        chain, last = _chain(store, sha256, keys=keys)
        if chain and (chain[-1].status, chain[-1].request_id) == (change.status, change.request_id):
            return chain[-1]
        _refuse_after_revocation(chain, change)
        predicate = _predicate(certificate, change, sequence=len(chain) + 1, previous=last, now=now)
        data = sign(canonical_json(_statement(predicate).model_dump(mode="json", by_alias=True)), key)
        if _written(store, status_name(sha256, predicate.sequence), data, keep_until=_end(certificate, now=now)):
            return predicate
    remedy = "find out who writes so many, then try again"
    got = f"another writer's, {MOST_RIVALS} times"
    raise StorageError(expected(f"a free place for a status of {sha256[:12]}", got=got, remedy=remedy))


def read_statuses(store: Store, certificate_sha256: str, *, keys: Sequence[VerificationKey]) -> list[StatusPredicate]:
    """Every change of a certificate's status, the first one first; VerificationError where a link is wrong."""
    chain, _ = _chain(store, certificate_sha256, keys=keys)
    return chain


def chain_of(
    documents: Sequence[bytes], certificate_sha256: str, *, keys: Sequence[VerificationKey]
) -> list[StatusPredicate]:
    """The changes in these documents, given in the order of their numbers; VerificationError where a link is wrong."""
    chain: list[StatusPredicate] = []
    previous: str | None = None
    for sequence, data in enumerate(documents, start=1):
        found = parse_status(data, keys=keys)
        wanted = (certificate_sha256, sequence, previous)
        if (found.certificate_sha256, found.sequence, found.previous_sha256) != wanted:
            raise _broken(f"number {sequence}", "one about another certificate or at another place")
        if chain and chain[-1].status == "revoked":
            raise _broken(f"number {sequence}", "a status after a revocation, which is final")
        chain.append(found)
        previous = sha256_bytes(data)
    return chain


def parse_status(data: bytes, *, keys: Sequence[VerificationKey]) -> StatusPredicate:
    """The change in a document's bytes, its signature by one of `keys`; VerificationError otherwise."""
    payload = open_by_any(data, keys)
    parse_canonical(payload, what="the payload")
    try:
        statement = StatusStatement.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        raise _broken("statement", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if statement.subject[0].digest.sha256 != statement.predicate.certificate_sha256:
        raise _broken("statement", "one whose subject is another certificate than its content's")
    return statement.predicate


def status_in_force(chain: Sequence[StatusPredicate]) -> Status:
    """The last status of a chain; a certificate that nobody spoke about is active."""
    return chain[-1].status if chain else "active"


def not_after_of(certificate: bytes) -> datetime:
    """When a certificate ends, as it says itself; VerificationError for what is none."""
    return datetime.fromisoformat(unverified_statement(certificate).predicate.not_after)


def printable(text: str) -> str:
    """What a statement says as one line for a terminal: no line of its own, no control character.

    >>> printable("repaired\\n2026: active")
    'repaired 2026: active'
    """
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def statuses_prefix(certificate_sha256: str) -> str:
    """What the names of a certificate's status documents start with."""
    return f"{STATUSES}{certificate_sha256}/"


def status_name(certificate_sha256: str, sequence: int) -> str:
    """Name of a status document in the store.

    >>> status_name("ab", 7)
    'statuses/ab/000007.json'
    """
    return f"{statuses_prefix(certificate_sha256)}{sequence:06d}.json"


def _chain(
    store: Store, certificate_sha256: str, *, keys: Sequence[VerificationKey]
) -> tuple[list[StatusPredicate], str | None]:
    """The verified chain, and the digest of its last document."""
    names = store.list_documents(statuses_prefix(certificate_sha256))
    wanted = [status_name(certificate_sha256, sequence) for sequence in range(1, len(names) + 1)]
    if names != wanted:
        raise _broken("list", f"names other than {len(names)} in a row, the first {(set(names) - set(wanted)).pop()!r}")
    documents = [_read(store, name) for name in names]
    return chain_of(documents, certificate_sha256, keys=keys), sha256_bytes(documents[-1]) if documents else None


def _read(store: Store, name: str) -> bytes:
    data = store.read_document(name)
    if data is None:
        raise StorageError(
            expected(f"the store's '{name}'", got="none", remedy="read again; it was there a moment ago")
        )
    return data


def _require_held(store: Store, certificate: bytes, sha256: str) -> None:
    if store.read_document(certificate_name(sha256)) != certificate:
        remedy = "name the store that it was issued into"
        raise StorageError(expected(f"certificate {sha256} in the store", got="none there", remedy=remedy))


def _refuse_after_revocation(chain: Sequence[StatusPredicate], change: StatusChange) -> None:
    if status_in_force(chain) == "revoked":
        got = f"one revoked at {chain[-1].decided_at} ({chain[-1].reason})"
        what = f"a certificate that can become {change.status}"
        raise InputError(expected(what, got=got, remedy="revocation is final: certify the model again"))


def _predicate(
    certificate: bytes, change: StatusChange, *, sequence: int, previous: str | None, now: datetime
) -> StatusPredicate:
    about = unverified_statement(certificate).predicate
    try:
        return StatusPredicate(
            schema_version="1",
            name=about.name,
            certificate_sha256=sha256_bytes(certificate),
            model_sha256=about.model.sha256,
            sequence=sequence,
            status=change.status,
            reason=change.reason,
            cause=change.cause,
            evidence=change.evidence,
            request_id=change.request_id,
            previous_sha256=previous,
            decided_by=change.decided_by,
            decided_at=rfc3339(now),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        remedy = "a reason is a code such as key-compromise, a cause a sentence of at most 4,000 characters"
        raise InputError(expected(f"a status change with a valid {where}", got=first["msg"], remedy=remedy)) from error


def _statement(predicate: StatusPredicate) -> StatusStatement:
    subject = Subject(
        name=certificate_name(predicate.certificate_sha256), digest=Digest(sha256=predicate.certificate_sha256)
    )
    return StatusStatement(
        type_="https://in-toto.io/Statement/v1", subject=(subject,), predicate_type=STATUS_TYPE, predicate=predicate
    )


def _end(certificate: bytes, *, now: datetime) -> datetime | None:
    """When the certificate ends: until then a bucket with object lock lets nobody delete what was said about it."""
    end = not_after_of(certificate)
    return end if end > now else None


def _written(store: Store, name: str, data: bytes, *, keep_until: datetime | None) -> bool:
    """Whether the document is ours now; False where another writer took its name first."""
    try:
        store.write_document_once(name, data, keep_until=keep_until)
    except StorageError:
        if store.read_document(name) is None:
            raise
        return False
    return True


def _broken(what: str, got: str) -> VerificationError:
    remedy = "restore the store's status documents; until then take the certificate for suspended"
    return VerificationError(expected(f"the status {what} as it was signed", got=got, remedy=remedy))
