"""Replay: a verifier with torch repeats some samples and compares votes (levels as in docs/verification-levels.md).

Samples are drawn from the verifier's own randomness, after the certificate was published, so that an issuer can't know
which rows have to be right; or from a nonce, so that issuer and auditor can repeat the choice. Equal environments must
give equal votes; others may differ by the fragile votes. In bfloat16 logits of two environments differ by more than the
gap that makes a vote fragile: there, only an equal environment can say anything.
"""

from __future__ import annotations

import heapq
import math
import secrets
from collections.abc import Callable, Sequence

from robustcert.certificate.case import Case, Finding, Row, established, not_established, present, require
from robustcert.errors import InputError, expected
from robustcert.provenance.digests import sha256_bytes

CHECK = "replay"
CHOICE_DOMAIN = "rcert-replay-v1"
MISSED = 0.05  # probability that none of the chosen rows is among the wrong ones


def replay_check(samples: int, *, factory: str | None, nonce: str | None = None) -> Callable[[Case], Finding]:
    """A check that repeats `samples` rows of the certification, all where there are fewer; `nonce` chooses which."""

    def replay(case: Case) -> Finding:
        files = case.files
        if files.model is None or files.dataset is None or files.certification is None:
            return not_established(CHECK, "needs the model, the data set and the certification evidence")
        return _repeat(case, chosen_rows(case, samples, nonce=nonce or secrets.token_hex(16)), factory, nonce)

    return replay


def rows_for(undetected_share: float) -> int:
    """Rows to repeat so that a larger share of wrong ones is missed with probability 0.05 at most.

    >>> rows_for(0.05), rows_for(0.01)
    (59, 299)
    """
    if not 0 < undetected_share < 1:
        remedy = "give the share of wrong rows that may stay undetected, such as 0.05"
        raise InputError(expected("0 < undetected share < 1", got=undetected_share, remedy=remedy))
    return math.ceil(math.log(MISSED) / math.log1p(-undetected_share))


def chosen_rows(case: Case, samples: int, *, nonce: str) -> list[Row]:
    """The rows whose SHA-256 of domain, nonce, evidence root and sample id is smallest; ascending samples."""
    root = case.predicate.certification.evidence.merkle_root

    def place(row: Row) -> str:
        return sha256_bytes("\0".join((CHOICE_DOMAIN, nonce, root, str(row["sample"]))).encode())

    rows: Sequence[Row] = case.certification_rows
    return sorted(heapq.nsmallest(samples, rows, key=place), key=lambda row: int(row["sample"]))


def _repeat(case: Case, chosen: list[Row], factory: str | None, nonce: str | None) -> Finding:
    from robustcert.models.execution_device import on_this_machine
    from robustcert.models.files import load_model
    from robustcert.provenance.environment import environment
    from robustcert.smoothing.replay import replay_sample, rows_agree

    bit_exact = _same_machine(environment(), case.predicate.environment)
    if not bit_exact and case.specification.certification.precision == "bfloat16":
        return not_established(CHECK, "out of scope: bfloat16 votes repeat only where versions and processor are equal")
    model = on_this_machine(load_model(present(case.files.model), factory=factory))
    for row in chosen:
        repeated = replay_sample(
            model,
            case.dataset,
            row["sample"],
            certification=case.specification.certification,
            key0=int(case.predicate.certification.key0),
            recorded=row,
        )
        difference = rows_agree(row, repeated, bit_exact=bit_exact)
        require(difference is None, f"replay: {difference}")
    level = "bit for bit" if bit_exact else "within their fragile votes (another environment)"
    choice = "" if nonce is None else f"; chosen by nonce {nonce}"
    return established(
        CHECK, f"{len(chosen)} of {len(case.certification_rows)} samples repeated, votes equal {level}{choice}"
    )


def _same_machine(here: dict[str, object], there: dict[str, object]) -> bool:
    """Whether equal votes can be asked for: same versions and processor; the code's own digest may differ."""
    ignored = {"codeSha256", "robustcert"}
    return {key: here[key] for key in here if key not in ignored} == {
        key: there[key] for key in there if key not in ignored
    }
