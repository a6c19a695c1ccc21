"""A row of a proof, checked again against model and data: level L2 for deterministic rows.

verified: bounds are computed again and must reach what the row claims within 1e-6; where the cheap stages do not,
the exact verifiers must. falsified: the witness is evaluated as stored. unknown claims nothing.

Shapes: X one input, Q rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import from_numpy

from robustcert.attacks.fixed_batches import logits_of
from robustcert.bounds.bound_stages import BOUND_STAGES, BoundStages
from robustcert.bounds.complete import decided
from robustcert.bounds.dense import Array
from robustcert.bounds.proof_file import ProofHeader
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.query import Query, tolerance_of
from robustcert.bounds.verdict import VERDICTS, witness_sha256
from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.model import LoadedModel

SLACK = 1e-6
TOLERANCE_SLACK = 2e-9  # two units of the last digit that a row holds

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """One row and what it is about: x (*X) float64, logits (K,) float32 of the deployed model."""

    row: Row
    x_X: Array
    input_sha256: str
    label: int
    logits_K: NDArray[np.float32]
    witness: NDArray[np.float32] | None


class Rechecker:
    """Checks rows of one proof; the network is traced once."""

    def __init__(self, model: LoadedModel, dataset: Dataset, header: ProofHeader, *, time_limit: float = 60.0) -> None:
        self._model, self._dataset, self._header = model, dataset, header
        self._threat = ProofThreat.of(dataset, norm=header.norm, epsilon=header.epsilon, unit=header.unit)
        self._stages = BoundStages(model.module, input_shape=model.card.input_shape, threat=self._threat)
        self._time_limit = time_limit

    def reason(self, row: Row, *, witness: NDArray[np.float32] | None = None) -> str | None:
        """Why the row does not hold; None where it does. DataError for a sample that the data set lacks."""
        with canonical_execution():
            facts = self._facts(row, witness)
            return next((reason for check in self._checks() if (reason := check(facts))), None)

    def _checks(self) -> tuple[Callable[[_Facts], str | None], ...]:
        return (_identity, _tolerance, _clean, self._witness, self._bounds)

    def _facts(self, row: Row, witness: NDArray[np.float32] | None) -> _Facts:
        chosen = self._dataset.rows([int(row["sample"])])
        x_X = chosen.x()[0]
        return _Facts(
            row=row,
            x_X=x_X,
            input_sha256=sample_sha256(chosen.x_int[0]),
            label=int(chosen.y[0]),
            logits_K=logits_of(self._model.module, from_numpy(x_X)[None])[0].numpy(),
            witness=witness,
        )

    def _witness(self, facts: _Facts) -> str | None:
        if facts.row["verdict"] != "falsified":
            return None
        point = facts.witness
        if point is None or point.shape != facts.x_X.shape or point.dtype != np.float32:
            return "falsified without a witness of the input's shape"
        if witness_sha256(point) != facts.row["witness"]:
            return "a witness other than the one in the row"
        if not bool(self._threat.contains(point[None], facts.x_X[None])[0]):
            return "a witness outside the ball"
        label = int(logits_of(self._model.module, from_numpy(point)[None])[0].argmax())
        return "a witness that the model classifies as labelled" if label == facts.label else None

    def _bounds(self, facts: _Facts) -> str | None:
        if facts.row["verdict"] != "verified":
            return None
        claimed_Q = _claimed(facts)
        if claimed_Q is None or not (claimed_Q > tolerance_of(facts.logits_K)).all():
            return "verified with a bound that does not exceed the tolerance"
        if self._stages.network is None:
            return f"verified though the model has the {self._stages.reason}"
        found_Q = self._recomputed(facts, str(facts.row["stage"]))
        for row in np.flatnonzero(found_Q < claimed_Q - SLACK):
            if facts.row["stage"] in BOUND_STAGES[:2] or not self._exact(facts, int(row), float(claimed_Q[row])):
                return f"a claimed bound of {claimed_Q[row]:.9f} where {found_Q[row]:.9f} is found again"
        return None

    def _recomputed(self, facts: _Facts, last: str) -> Array:
        """The best bounds of the cheap stages up to the one that the row names."""
        stages = BOUND_STAGES[: BOUND_STAGES.index(last) + 1] if last in BOUND_STAGES else BOUND_STAGES
        labels = np.array([facts.label], np.int64)
        iterations = self._header.alpha_iterations
        found = [self._stages.lower(stage, facts.x_X[None], labels, iterations=iterations)[0] for stage in stages]
        return np.asarray(np.max(found, axis=0), np.float64)

    def _exact(self, facts: _Facts, row: int, claimed: float) -> bool:
        """Whether the exact verifiers reach the claimed bound again."""
        if self._stages.dense is None:
            return False
        rows_QK = self._stages.rows(facts.label)[row : row + 1]
        query = Query(
            network=self._stages.dense.with_rows(rows_QK, np.zeros(1)),
            region=self._threat.input_set(facts.x_X),
            tolerance=claimed - SLACK,
            confirm=lambda _: None,
        )
        return decided(query, seconds=self._time_limit)[0].answer == "none"


def recheck(
    row: Row,
    *,
    model: LoadedModel,
    dataset: Dataset,
    header: ProofHeader,
    witness: NDArray[np.float32] | None = None,
) -> str | None:
    """Why one row does not hold; None where it does. For many rows make one `Rechecker`."""
    return Rechecker(model, dataset, header).reason(row, witness=witness)


def _identity(facts: _Facts) -> str | None:
    if facts.row["verdict"] not in VERDICTS:
        return f"an unknown verdict {facts.row['verdict']!r}"
    if facts.row["input"] != facts.input_sha256:
        return "an input other than the data set's"
    return None if facts.row["label"] == facts.label else "a label other than the data set's"


def _tolerance(facts: _Facts) -> str | None:
    wanted = tolerance_of(facts.logits_K)
    return (
        None
        if abs(float(facts.row["tolerance"]) - wanted) <= TOLERANCE_SLACK
        else f"a tolerance other than {wanted:.9f}"
    )


def _clean(facts: _Facts) -> str | None:
    right = int(facts.logits_K.argmax()) == facts.label
    if right == (facts.row["verdict"] != "wrong"):
        return None
    return "wrong though classified as labelled" if right else f"{facts.row['verdict']} though classified wrongly"


def _claimed(facts: _Facts) -> Array | None:
    """The row's bounds (Q,); None where one is missing."""
    texts = [text for other, text in enumerate(facts.row["bounds"]) if other != facts.label]
    if len(facts.row["bounds"]) != len(facts.logits_K) or not all(texts):
        return None
    return np.array([float(text) for text in texts])
