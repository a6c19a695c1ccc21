"""One question for an exact verifier, and its answer.

Is there an x in a set for which every row of a network's output is at most 0? For a classifier the rows are
e_label - e_other, one question for each other class; for a VNN-LIB property they are one conjunction.

Shapes: D flattened input values, Q rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.bounds.dense import Array, DenseNetwork
from robustcert.bounds.input_set import InputSet
from robustcert.errors import ValidityError, expected

RELATIVE_TOLERANCE = 1e-4

Confirm = Callable[[Array], NDArray[np.float32] | None]
Answer = Literal["none", "found", "open"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """`network` gives the Q rows; there is no counterexample where max over rows > `tolerance` for every x in `region`.

    `confirm` takes a point (D,) and returns it as float32 where the deployed model, given exactly that, is a
    counterexample inside the set; None otherwise.
    """

    network: DenseNetwork
    region: InputSet
    tolerance: float
    confirm: Confirm

    def tried(self, point_D: Array) -> NDArray[np.float32] | None:
        """The point as a confirmed counterexample; the deployed model is asked only where the rows come near 0."""
        near = float(self.network.forward(point_D[None]).max()) <= self.tolerance
        return self.confirm(point_D) if near else None

    def checked(self, outcome: Outcome) -> Outcome:
        """The outcome; ValidityError where it has both a counterexample and a proof that there is none."""
        if outcome.answer == "found" and outcome.bound > self.tolerance:
            got = f"a counterexample, and a lower bound of {outcome.bound:.6g} above {self.tolerance:.3g}"
            remedy = "use no verdict of this run, and report this as a soundness bug"
            raise ValidityError(expected("a counterexample or a proof", got=got, remedy=remedy))
        return outcome


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`none`: no counterexample, `bound` > tolerance; `found`: `witness` float32 (D,); `open`: undecided in time.

    `bound` is a lower bound of the smallest max over rows in the set, `steps` the nodes of the search tree.
    """

    answer: Answer
    bound: float
    steps: int
    witness: NDArray[np.float32] | None = None


def tolerance_of(logits_K: NDArray[np.floating]) -> float:
    """1e-4 max(1, largest |logit|): covers HiGHS's feasibility tolerance and float32 against float64 of the model.

    NaN where a logit is: no bound exceeds that.
    """
    return RELATIVE_TOLERANCE * float(np.maximum(1.0, np.abs(logits_K).max(initial=0.0)))
