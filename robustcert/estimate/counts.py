"""How often each step calls the model, from the specification and the sizes of the splits alone. No torch here.

Calls are of batches: FIXED_ROWS rows in attacks and certification, batchSize in training. Counted is what runs when
every sample is right and no attack succeeds: a sample that is wrong is not attacked, and one that is broken is attacked
no more, so that real counts are these or lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from robustcert.evaluation.curve import curve_of
from robustcert.evaluation.suites import AttackConfig, Suite, allowed_attacks
from robustcert.smoothing.adaptive_pilot import FIRST_PILOT
from robustcert.smoothing.decisions import ADAPTIVE_PILOT, GROUP_SEQUENTIAL, looks_of, method_of, plans_of
from robustcert.smoothing.forecast import most_draws, typical_draws
from robustcert.smoothing.group_sequential import decide
from robustcert.specification import Certification, Specification, Training

FIXED_ROWS = 256
VALIDATED = 1000  # validation samples on which an epoch is judged, at most
VALIDATION_STEPS = 10
PROBE_FORWARDS = 5  # what is checked on a model before its votes count, once a block


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Samples of the training split, of those validated, evaluated and certified."""

    train: int
    validated: int
    evaluated: int
    certified: int


@dataclass(frozen=True, kw_only=True)
class TrainingCalls:
    """Of a whole training: optimizer steps, input gradients of its attack, and calls of the validations."""

    epochs: int
    updates: int
    gradients: int
    validation_gradients: int
    validation_forwards: int


@dataclass(frozen=True, kw_only=True)
class EvaluationCalls:
    """Of a whole evaluation: input gradients, forward passes, and random starting points of single samples."""

    gradients: int
    forwards: int
    starts: int


@dataclass(frozen=True, kw_only=True)
class CertificationCalls:
    """Of all shards together: blocks, and forward passes of votes and of probes of the model.

    With a fixed number of votes the least and the most are as many. With the others `vote_forwards` is a guess
    (`robustcert.smoothing.forecast.typical_draws`), the most are those of samples that are decided by the last vote
    allowed, the least those of samples whose votes are all for one class (group-sequential), or of pilots that plan as
    few votes as pilots may (adaptive-pilot).
    """

    blocks: int
    vote_forwards: int
    least_vote_forwards: int
    most_vote_forwards: int
    probe_forwards: int


def sizes_of(specification: Specification, *, train: int, validation: int, test: int) -> Sizes:
    """What is used of splits of these lengths."""
    return Sizes(
        train=train,
        validated=min(VALIDATED, validation),
        evaluated=min(specification.evaluation.samples or test, test),
        certified=min(specification.certification.samples or test, test),
    )


def training_calls(training: Training, sizes: Sizes) -> TrainingCalls:
    """Calls of PGD adversarial or standard training."""
    updates = training.epochs * ceil(sizes.train / training.batch_size)
    batches = training.epochs * ceil(sizes.validated / FIXED_ROWS)
    return TrainingCalls(
        epochs=training.epochs,
        updates=updates,
        gradients=updates * training.steps if training.method == "pgd" else 0,
        validation_gradients=batches * VALIDATION_STEPS,
        validation_forwards=batches * 2,
    )


def evaluation_calls(specification: Specification, suite: Suite, sizes: Sizes) -> EvaluationCalls:
    """Calls of all attacks at all epsilons, and of the evaluation's checks of itself."""
    parts = list(_evaluation_parts(specification, suite, sizes.evaluated))
    return EvaluationCalls(
        gradients=sum(part.gradients for part in parts),
        forwards=sum(part.forwards for part in parts),
        starts=sum(part.starts for part in parts),
    )


def evaluation_rows(specification: Specification, suite: Suite, sizes: Sizes) -> int:
    """Rows of evidence: for each threat and sample a clean one, and one for each attack and epsilon."""
    runs = (
        1 + len(curve_of(threat, specification.evaluation.curve)) * len(allowed_attacks(suite, threat))
        for threat in specification.threat_models
    )
    return sizes.evaluated * sum(runs)


def certification_calls(certification: Certification, *, blocks: Sequence[int]) -> CertificationCalls:
    """Calls for the votes of blocks of these lengths; batches mix the samples of a block."""
    least, most = draws_of(certification)

    def forwards(draws: int) -> int:
        return sum(ceil(length * draws / FIXED_ROWS) for length in blocks)

    return CertificationCalls(
        blocks=len(blocks),
        vote_forwards=forwards(typical_draws(certification)),
        least_vote_forwards=forwards(least),
        most_vote_forwards=forwards(most),
        probe_forwards=len(blocks) * PROBE_FORWARDS,
    )


def draws_of(certification: Certification) -> tuple[int, int]:
    """Votes that one sample takes, of all streams, at least and at most (`CertificationCalls`)."""
    most, method = most_draws(certification), method_of(certification)
    if method == ADAPTIVE_PILOT:
        return FIRST_PILOT, most
    return (most - certification.n + _unanimous(certification) if method == GROUP_SEQUENTIAL else most), most


def _unanimous(certification: Certification) -> int:
    """Votes after which a sequential method has decided every radius where no vote ever fails."""
    at = looks_of(certification)
    return at[decide(plans_of(certification), [0] * len(at)).looks - 1]


def attack_calls(attack: AttackConfig, rows: int, *, restarts: int | None = None) -> EvaluationCalls:
    """Calls of one attack on `rows` rows, with another number of restarts where one is given."""
    batches = ceil(rows / FIXED_ROWS)
    wanted = int(attack.parameters.get("restarts", 1)) if restarts is None else restarts
    steps = int(attack.parameters.get("steps", 1))
    return EvaluationCalls(gradients=batches * wanted * steps, forwards=batches * wanted, starts=rows * (wanted - 1))


def _evaluation_parts(specification: Specification, suite: Suite, rows: int) -> Iterator[EvaluationCalls]:
    batches = ceil(rows / FIXED_ROWS)
    yield EvaluationCalls(gradients=batches, forwards=batches, starts=0)  # zero gradients, and the clean pass
    for threat in specification.threat_models:
        for attack in allowed_attacks(suite, threat):
            for _ in curve_of(threat, specification.evaluation.curve):
                yield attack_calls(attack, rows)
                yield EvaluationCalls(gradients=0, forwards=1, starts=0)  # what broke, confirmed: here nothing
            yield attack_calls(attack, rows, restarts=1)  # at epsilon 0
            yield EvaluationCalls(gradients=0, forwards=batches, starts=0)
            yield attack_calls(attack, min(rows, FIXED_ROWS), restarts=1)  # with the whole range as epsilon
