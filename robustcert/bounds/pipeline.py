"""From a model and a data set to one verdict per sample: attack first, then cheap bounds, then exact verifiers.

wrong -> PGD -> interval bounds -> CROWN -> alpha-CROWN -> MILP or branch and bound. A sample is verified iff every
lower bound exceeds the tolerance. Bounds are also taken of falsified samples, so that any two stages can contradict
each other, which ends the run as a soundness bug.

Shapes: N samples, X the shape of one input, K classes, Q = K - 1 rows, D flattened input values.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from robustcert.attacks.fixed_batches import logits_of
from robustcert.bounds.bound_stages import BOUND_STAGES, BoundStages
from robustcert.bounds.complete import decided
from robustcert.bounds.dense import Array
from robustcert.bounds.proof_attack import Samples, attacked
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.query import Query
from robustcert.bounds.verdict import SampleVerdict, margins, refuse_below, refuse_both
from robustcert.data.dataset import Dataset
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.model import LoadedModel

CHUNK = 64
OUT_OF_TIME = "time limit"
TOO_CLOSE = "a bound within the tolerance of 0"


@dataclass(frozen=True, kw_only=True)
class ProofConfig:
    """`time_limit` is in seconds and for the exact verifiers of one sample; attack and bounds come before."""

    time_limit: float = 30.0
    steps: int = 50
    restarts: int = 5
    alpha_iterations: int = 30
    seed: int = 0


class Prover:
    """Gives verdicts about one model under one threat; the same each time, but for what the time limit leaves open."""

    def __init__(self, model: LoadedModel, threat: ProofThreat, config: ProofConfig) -> None:
        self._module, self._threat, self._config = model.module, threat, config
        self._rows = len(model.card.classes) - 1
        self.stages = BoundStages(model.module, input_shape=model.card.input_shape, threat=threat)

    def verdicts(self, dataset: Dataset) -> Iterator[SampleVerdict]:
        """One verdict for each sample, in order. Raises ValidityError where stages contradict each other."""
        for start in range(0, len(dataset), CHUNK):
            ids = dataset.sample_ids[start : start + CHUNK]
            with canonical_execution():
                yield from self._chunk(Samples.of(self._module, dataset.rows(ids)))

    def _chunk(self, samples: Samples) -> Iterator[SampleVerdict]:
        correct_N = samples.correct
        proofs = self._proofs(samples.rows(correct_N)) if correct_N.any() else iter(())
        for row in range(len(samples)):
            yield next(proofs) if correct_N[row] else replace(samples.facts(row), verdict="wrong", stage="clean")

    def _proofs(self, samples: Samples) -> Iterator[SampleVerdict]:
        config = self._config
        found = attacked(
            self._module,
            samples,
            threat=self._threat,
            steps=config.steps,
            restarts=config.restarts,
            seed=config.seed,
        )
        bounds_NQ, stage_N = self._bounds(samples, found.broken_N)
        lowest_NQ = np.minimum(found.margins_NQ, samples.all_margins())
        for row in range(len(samples)):
            facts = replace(samples.facts(row), bounds_Q=bounds_NQ[row])
            _refuse_point(facts, lowest_NQ[row], stage="the attack")
            if found.broken_N[row]:
                yield falsified(facts, found.points_NX[row], stage="attack", proved=stage_N[row])
            elif stage_N[row]:
                yield replace(facts, verdict="verified", stage=stage_N[row])
            else:
                yield self._exact(facts, samples.x_NX[row])

    def _bounds(self, samples: Samples, broken_N: NDArray[np.bool_]) -> tuple[Array, list[str]]:
        """The best bounds (N, Q) of the cheap stages, and the first stage that verifies each sample, else empty.

        alpha-CROWN runs only where nothing has decided yet.
        """
        bounds_NQ, stage_N = np.full((len(samples), self._rows), -np.inf), [""] * len(samples)
        for stage in BOUND_STAGES:
            rows = np.array([row for row, found in enumerate(stage_N) if not found], np.int64)
            rows = rows[~broken_N[rows]] if stage == "alpha-crown" else rows
            if len(rows) and self.stages.network is not None:
                x_RX, y_R = samples.x_NX[rows], samples.dataset.y[rows]
                lower_RQ = self.stages.lower(stage, x_RX, y_R, iterations=self._config.alpha_iterations)
                bounds_NQ[rows] = np.maximum(bounds_NQ[rows], lower_RQ)
            for row in rows:
                if (bounds_NQ[row] > samples.tolerances[row]).all():
                    stage_N[row] = stage
        return bounds_NQ, stage_N

    def _exact(self, facts: SampleVerdict, x_X: Array) -> SampleVerdict:
        """One query for each class that is not proved, the lowest bound first, until the time is up."""
        if self.stages.dense is None or facts.bounds_Q is None:
            return replace(facts, reason=self.stages.reason)
        end = time.monotonic() + self._config.time_limit
        bounds_Q, stages, reason = facts.bounds_Q.copy(), [], ""
        for row in np.argsort(bounds_Q, kind="stable"):
            if bounds_Q[row] > facts.tolerance:
                continue
            outcome, stage = decided(self._query(facts, x_X, int(row)), seconds=max(0.0, end - time.monotonic()))
            stages.append(stage)
            bounds_Q[row] = max(bounds_Q[row], outcome.bound)
            facts = replace(facts, bounds_Q=bounds_Q)
            if outcome.witness is not None:
                return self._witnessed(facts, outcome.witness.reshape(x_X.shape), stage=stage)
            if outcome.answer == "open":
                reason = OUT_OF_TIME if time.monotonic() >= end else reason or TOO_CLOSE
        if reason:
            return replace(facts, reason=reason)
        return replace(facts, verdict="verified", stage=max(stages))  # milp where any class needed it

    def _witnessed(self, facts: SampleVerdict, witness: NDArray[np.float32], *, stage: str) -> SampleVerdict:
        logits_K = logits_of(self._module, torch.from_numpy(witness)[None])[0].numpy()
        _refuse_point(facts, margins(logits_K, label=facts.label), stage=stage)
        return falsified(facts, witness, stage=stage, proved="")

    def _query(self, facts: SampleVerdict, x_X: Array, row: int) -> Query:
        assert self.stages.dense is not None
        return Query(
            network=self.stages.dense.with_rows(self.stages.rows(facts.label)[row : row + 1], np.zeros(1)),
            region=self._threat.input_set(x_X),
            tolerance=facts.tolerance,
            confirm=lambda point_D: self._confirmed(point_D, x_X, facts.label),
        )

    def _confirmed(self, point_D: Array, x_X: Array, label: int) -> NDArray[np.float32] | None:
        """The point inside the ball as float32, where the deployed model misclassifies exactly that."""
        point_X = self._threat.projected(point_D.reshape(1, *x_X.shape), x_X[None])
        wrong = int(logits_of(self._module, torch.from_numpy(point_X))[0].argmax()) != label
        inside = bool(self._threat.contains(point_X, x_X[None])[0])
        return point_X.ravel() if wrong and inside else None


def falsified(facts: SampleVerdict, witness: NDArray[np.float32], *, stage: str, proved: str) -> SampleVerdict:
    """The verdict of a confirmed witness; ValidityError where the stage `proved` verified the sample."""
    if proved:
        refuse_both(facts.sample, verified=proved, falsified=stage)
    return replace(facts, verdict="falsified", stage=stage, witness=witness)


def _refuse_point(facts: SampleVerdict, margins_Q: Array, *, stage: str) -> None:
    if facts.bounds_Q is not None:
        refuse_below(margins_Q, facts.bounds_Q, sample=facts.sample, tolerance=facts.tolerance, stage=stage)
