"""Offline verification: public key and bundle in, findings out. It fails closed, and loads no torch.

The signature comes first; nothing of the payload is parsed before it holds. Then the checks below run in their order,
and the first refusal ends them. What could not be established is said, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from robustcert.certificate import (
    adversarial_checks,
    data_checks,
    evaluation_checks,
    file_checks,
    registration_checks,
    statement_checks,
    status_checks,
)
from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case, Finding
from robustcert.certificate.envelope import open_envelope, parse_canonical
from robustcert.certificate.keys import key_id
from robustcert.certificate.schema import PREDICATE_TYPE, Statement
from robustcert.errors import InputError, RobustcertError, VerificationError, expected

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey

MAX_BYTES = 10 << 20

CHECKS: tuple[Callable[[Case], Finding], ...] = (
    statement_checks.subject,
    statement_checks.registered_text,
    statement_checks.registered_description,
    registration_checks.registered_choices,
    registration_checks.registered_data,
    registration_checks.registered_model,
    statement_checks.registered_terms,
    statement_checks.registered_attacks,
    statement_checks.registered_results,
    statement_checks.validity_period,
    statement_checks.verdicts,
    statement_checks.accepted,
    statement_checks.smoothing_seed,
    statement_checks.sentences,
    file_checks.specification_file,
    file_checks.model_file,
    file_checks.data_file,
    data_checks.data_grid,
    data_checks.data_splits,
    data_checks.data_report_file,
    file_checks.certification_evidence,
    file_checks.evaluation_evidence,
    file_checks.planned_attacks,
    evaluation_checks.coherent_rows,
    evaluation_checks.sanity_checks,
    file_checks.evidence_about_data,
    file_checks.recomputed_results,
    adversarial_checks.adversarials_file,
)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All findings in order, and the statement once its signature held."""

    findings: tuple[Finding, ...]
    statement: Statement | None

    @property
    def refused(self) -> Finding | None:
        """The first thing that is wrong; None when nothing is."""
        return next((finding for finding in self.findings if finding.status == "refused"), None)


def verify(
    files: BundleFiles,
    *,
    key: PublicKey,
    now: datetime,
    checks: tuple[Callable[[Case], Finding], ...] = CHECKS,
    revocation: Callable[[Case], Finding] = status_checks.not_asked,
    more: tuple[Callable[[Case], Finding], ...] = (),
) -> Verification:
    """Runs every check until one refuses; InputError only where the certificate file itself can't be read.

    `checks` are those of a level (`robustcert.certificate.levels`), by default all that need no model. `revocation`
    says whether the certificate is suspended or revoked (`status_checks.asked` of a store).
    """
    try:
        statement = read_statement(_read(files.certificate), key=key)
    except VerificationError as error:
        return Verification(findings=(_refusal("signature", error),), statement=None)
    signed = Finding(check="signature", status="established", message=f"by the key {key_id(key)}")
    case, findings = Case(statement=statement, files=files, now=now), [signed]
    for check in (*checks, revocation, *more):
        findings.append(_outcome(check, case))
        if findings[-1].status == "refused":
            break
    return Verification(findings=tuple(findings), statement=statement)


def read_statement(data: bytes, *, key: PublicKey) -> Statement:
    """The authenticated statement in a certificate's bytes; VerificationError with the first thing that is wrong."""
    payload = open_envelope(data, key)
    document = parse_canonical(payload, what="the payload")
    found = document.get("predicateType")
    if found != PREDICATE_TYPE:
        raise VerificationError(f"predicate type: expected {PREDICATE_TYPE}, got {found!r}; use a newer verifier")
    try:
        return Statement.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise VerificationError(f"schema: {where}: {first['msg']}") from error


def _outcome(check: Callable[[Case], Finding], case: Case) -> Finding:
    try:
        return check(case)
    except RobustcertError as error:
        return _refusal(check.__name__.replace("_", " "), error)


def _refusal(check: str, error: RobustcertError) -> Finding:
    return Finding(check=check, status="refused", message=str(error))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "name the certificate or the bundle's folder"
        raise InputError(expected("a certificate file", got=f"{error.strerror}: {path}", remedy=remedy)) from error
