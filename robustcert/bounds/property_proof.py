"""A VNN-LIB property of a model: sat with a counterexample, unsat, unknown or timeout, as in VNN-COMP.

unsat is a proof for the real-arithmetic network with the solvers' tolerance; sat a float32 input that the deployed
model, and for an ONNX file onnxruntime where it is installed, maps to outputs that hold every condition.

Shapes: D flattened inputs, K outputs, Q rows of one case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robustcert.attacks.fixed_batches import logits_of
from robustcert.bounds.alpha import alpha_bounds
from robustcert.bounds.complete import decided
from robustcert.bounds.dense import Array, DenseNetwork
from robustcert.bounds.dense_folding import fold
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.marabou import refuse_disagreement, solved_by_marabou
from robustcert.bounds.network import Network, UnsupportedOperator
from robustcert.bounds.query import Outcome, Query, tolerance_of
from robustcert.bounds.regions import box
from robustcert.bounds.row_attack import row_attack
from robustcert.bounds.tracing import network_of
from robustcert.bounds.vnnlib import Case, Property
from robustcert.errors import InputError, expected
from robustcert.models.canonical_execution import canonical_execution

ALPHA_ITERATIONS = 30
ARITHMETIC_POINTS = 32
ARITHMETIC_FACTOR = 4.0
FLOAT32_SLACK = 2**-23  # relative; how far the nearest float32 may lie outside a box that holds none

NetAnswer = Literal["sat", "unsat", "unknown", "timeout"]
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class PropertyAnswer:
    """The answer; `reason` of unknown; `inputs` (D,) and `outputs` (K,) float32 of sat."""

    answer: NetAnswer
    reason: str = ""
    inputs: NDArray[np.float32] | None = None
    outputs: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class PropertyTarget:
    """A model to ask about: `module` maps float32 (B, *input_shape); `runs` are others that must agree on a witness."""

    module: nn.Module
    input_shape: tuple[int, ...]
    runs: Sequence[Run] = ()

    def output(self, x_D: NDArray[np.float32]) -> NDArray[np.float32]:
        """The deployed model's outputs (K,)."""
        x = torch.from_numpy(x_D.reshape(1, *self.input_shape))
        return np.asarray(logits_of(self.module, x)[0].numpy(), np.float32)

    def holds(self, case: Case, x_D: NDArray[np.float32]) -> bool:
        """Whether the float32 input is in the case's box and every model's outputs hold all rows."""
        outputs = [self.output(x_D), *(run(x_D.reshape(1, *self.input_shape))[0] for run in self.runs)]
        return in_box(x_D, case) and all(rows_hold(case, output) for output in outputs)


def answered(
    target: PropertyTarget, wanted: Property, *, seconds: float, second_opinion: bool = False
) -> PropertyAnswer:
    """The answer about all cases together within `seconds`; InputError where property and model do not fit.

    With `second_opinion` Marabou is asked about each case as well: ValidityError where it disagrees.
    """
    with canonical_execution():
        size = int(np.prod(target.input_shape))
        outputs = len(target.output(np.zeros(size, np.float32)))
        if (wanted.inputs, wanted.outputs) != (size, outputs):
            what, got = f"a property of {size} inputs and {outputs} outputs", f"{wanted.inputs} and {wanted.outputs}"
            raise InputError(expected(what, got=got, remedy="give the property of this network"))
        search = _Search(target, outputs=outputs, seconds=seconds, second_opinion=second_opinion)
        return search.answer(wanted.cases)


def rows_of(case: Case, outputs: int) -> tuple[Array, Array]:
    """Rows (Q, K) and offsets (Q,): the case's outputs are those with rows.y + offsets <= 0."""
    rows_QK = np.zeros((len(case.rows), outputs))
    for number, (coefficients, _) in enumerate(case.rows):
        for output, value in coefficients.items():
            rows_QK[number, output] = value
    return rows_QK, -np.array([limit for _, limit in case.rows], np.float64)


def rows_hold(case: Case, output_K: NDArray[np.float32]) -> bool:
    """Whether outputs hold every row, in float64; NaN holds none."""
    rows_QK, offsets_Q = rows_of(case, len(output_K))
    return bool(((rows_QK @ output_K.astype(np.float64) + offsets_Q) <= 0).all())


def in_box(x_D: NDArray[np.float32], case: Case) -> bool:
    """Whether every value lies between its limits; where no float32 does, whether it is the nearest one."""
    point, lower, upper = x_D.astype(np.float64), np.array(case.lower), np.array(case.upper)
    outside = np.maximum(lower - point, point - upper)
    return bool((outside <= np.where(nearest(case) == x_D, FLOAT32_SLACK * np.abs(point), 0.0)).all())


def nearest(case: Case) -> NDArray[np.float32]:
    """The float32 point nearest to the box's lower corner, at or above it where the box allows."""
    return inside(np.array(case.lower), case)


def inside(point_D: Array, case: Case) -> NDArray[np.float32]:
    """The point as float32 in the box: rounded inward, or to the nearest where the box holds no float32."""
    lower, upper = np.array(case.lower), np.array(case.upper)
    near = np.clip(point_D, lower, upper).astype(np.float32)
    up, down = np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))
    moved = np.where(near < lower, up, np.where(near > upper, down, near))
    fits = (moved >= lower) & (moved <= upper)
    return np.asarray(np.where(fits, moved, lower.astype(np.float32)), np.float32)


class _Search:
    """The cases one after the other, until one is satisfiable or the time is up."""

    def __init__(self, target: PropertyTarget, *, outputs: int, seconds: float, second_opinion: bool) -> None:
        self._target, self._outputs, self._seconds = target, outputs, seconds
        self._end = time.monotonic() + seconds
        self._second_opinion = second_opinion
        self._network: Network | None = None
        self._dense: DenseNetwork | None = None
        self._unsupported = ""
        try:
            self._network = network_of(target.module, input_shape=target.input_shape)
            self._dense = fold(self._network)
        except UnsupportedOperator as error:
            self._unsupported = f"operator {error.operator}"

    def answer(self, cases: Sequence[Case]) -> PropertyAnswer:
        reasons = []
        for case in cases:
            outcome = self._decided(case)
            if outcome.witness is not None:
                output = self._target.output(outcome.witness)
                return PropertyAnswer(answer="sat", inputs=outcome.witness, outputs=output)
            if outcome.answer == "open":
                reasons.append(self._reason())
        if not reasons:
            return PropertyAnswer(answer="unsat")
        return PropertyAnswer(answer="timeout" if not reasons[0] else "unknown", reason=reasons[0])

    def _reason(self) -> str:
        """Why a case is open; empty where the time is up."""
        if self._unsupported:
            return self._unsupported
        return "" if time.monotonic() >= self._end else "a bound within the tolerance of 0"

    def _decided(self, case: Case) -> Outcome:
        rows_QK, offsets_Q = rows_of(case, self._outputs)
        middle = inside((np.array(case.lower) + np.array(case.upper)) / 2, case)
        tolerance = max(tolerance_of(self._target.output(middle)), ARITHMETIC_FACTOR * self._distance(case))
        if self._dense is None:
            found = self._attacked(case, middle)
            return found or self._bounded(case, rows_QK, offsets_Q, tolerance=tolerance)
        query = Query(
            network=self._dense.with_rows(rows_QK, offsets_Q),
            region=InputSet.box(np.array(case.lower), np.array(case.upper)),
            tolerance=tolerance,
            confirm=lambda point_D: self._confirmed(point_D, case),
        )
        outcome = self._attacked(case, middle) or decided(query, seconds=max(0.0, self._end - time.monotonic()))[0]
        if self._second_opinion:
            refuse_disagreement(query, outcome, solved_by_marabou(query, seconds=self._seconds))
        return outcome

    def _distance(self, case: Case) -> float:
        """How far the deployed float32 model was seen from the float64 network, at a few points of the box."""
        if self._network is None:
            return 0.0
        lower, upper = np.array(case.lower), np.array(case.upper)
        shares_BD = np.random.Generator(np.random.Philox(0)).random((ARITHMETIC_POINTS, len(lower)))
        points_BD = lower * (1 - shares_BD) + upper * shares_BD
        x_BX = torch.from_numpy(points_BD).float().reshape(-1, *self._target.input_shape)
        with torch.no_grad():
            gap_BK = logits_of(self._target.module, x_BX).double() - self._network.forward(x_BX)
        gap = float(gap_BK.abs().max())
        return gap if np.isfinite(gap) else float("inf")

    def _attacked(self, case: Case, middle: NDArray[np.float32]) -> Outcome | None:
        tried = [
            middle,
            *row_attack(self._target.module, case, rows_of(case, self._outputs), shape=self._target.input_shape),
        ]
        found = next((point for point in tried if self._target.holds(case, point)), None)
        return None if found is None else Outcome(answer="found", bound=-np.inf, steps=0, witness=found)

    def _confirmed(self, point_D: Array, case: Case) -> NDArray[np.float32] | None:
        point = inside(point_D, case)
        return point if self._target.holds(case, point) else None

    def _bounded(self, case: Case, rows_QK: Array, offsets_Q: Array, *, tolerance: float) -> Outcome:
        """What bounds alone say, of a network without an exact form."""
        bound = -np.inf
        if self._network is not None and len(rows_QK):
            shape = (1, *self._target.input_shape)
            corners = (torch.tensor(corner, dtype=torch.float64).reshape(shape) for corner in (case.lower, case.upper))
            specification = torch.from_numpy(rows_QK)[None]
            lower_Q = alpha_bounds(self._network, box(*corners), specification, iterations=ALPHA_ITERATIONS)[0].numpy()
            bound = float((lower_Q + offsets_Q).max())
        return Outcome(answer="none" if bound > tolerance else "open", bound=bound, steps=0)
