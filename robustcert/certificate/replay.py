"""Replay: a verifier with torch repeats some samples and compares votes (levels as in docs/certificate.md).

Samples are drawn from the verifier's own randomness, after the certificate was published, so that an issuer can't know
which rows have to be right. Equal environments must give equal votes; others may differ by the fragile votes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from robustcert.certificate.case import Case, Finding, established, not_established, present, require

CHECK = "replay"


def replay_check(samples: int, *, factory: str | None) -> Callable[[Case], Finding]:
    """A check that repeats `samples` rows of the certification, all where there are fewer."""

    def replay(case: Case) -> Finding:
        files = case.files
        if files.model is None or files.dataset is None or files.certification is None:
            return not_established(CHECK, "needs the model, the data set and the certification evidence")
        return _repeat(case, samples, factory)

    return replay


def _repeat(case: Case, samples: int, factory: str | None) -> Finding:
    from robustcert.models.execution_device import on_this_machine
    from robustcert.models.files import load_model
    from robustcert.provenance.environment import environment
    from robustcert.smoothing.replay import replay_sample, rows_agree

    rows = case.certification_rows
    chosen = secrets.SystemRandom().sample(rows, min(samples, len(rows)))
    model = on_this_machine(load_model(present(case.files.model), factory=factory))
    bit_exact = _same_machine(environment(), case.predicate.environment)
    for row in chosen:
        repeated = replay_sample(
            model,
            case.dataset,
            row["sample"],
            certification=case.specification.certification,
            key0=int(case.predicate.certification.key0),
        )
        difference = rows_agree(row, repeated, bit_exact=bit_exact)
        require(difference is None, f"replay: {difference}")
    level = "bit for bit" if bit_exact else "within their fragile votes (another environment)"
    return established(CHECK, f"{len(chosen)} of {len(rows)} samples repeated, votes equal {level}")


def _same_machine(here: dict[str, object], there: dict[str, object]) -> bool:
    """Whether equal votes can be asked for: same versions and processor; the code's own digest may differ."""
    ignored = {"codeSha256", "robustcert"}
    return {key: here[key] for key in here if key not in ignored} == {
        key: there[key] for key in there if key not in ignored
    }
