"""Verdicts of a tree ensemble on the samples of a data set, as rows that anyone can check.

JSON lines, canonical (sorted keys, integers and decimal strings): the first says what was asked, each other one is a
sample. A witness stands in its row, one shortest decimal per feature, which reads back as the same float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.document import IssuedPart, Sha256
from robustcert.errors import InputError, ModelError, expected
from robustcert.provenance.digests import canonical_json
from robustcert.threat_model import Unit
from robustcert.trees.onnx_trees import OnnxTrees
from robustcert.trees.verify import Effort, TreeVerdict, verify_sample


class TreeProofHeader(IssuedPart):
    """What was asked; `model` and `dataset` are SHA-256 of the files, `epsilon` and `threshold` decimals ("": none)."""

    version: Literal["robustcert-tree-proof/v1"] = "robustcert-tree-proof/v1"
    model: Sha256
    dataset: Sha256
    norm: Literal["linf"] = "linf"
    epsilon: str
    unit: Unit
    threshold: str
    nodes: int
    leaves: int


@dataclass(frozen=True, kw_only=True)
class TreeProver:
    """A question about a data set: `epsilon_D` in input units, 0 for immutable features, `lower_D` ... `upper_D`."""

    trees: OnnxTrees
    labels: tuple[int, ...]
    epsilon_D: NDArray[np.float64]
    lower_D: NDArray[np.float64]
    upper_D: NDArray[np.float64]
    effort: Effort

    def rows(self, samples: Dataset) -> Iterator[dict[str, Any]]:
        """A row per sample, in order."""
        x_ND = samples.x().reshape(len(samples), -1)
        for at, x_D in enumerate(x_ND):
            label = int(samples.y[at])
            verdict = verify_sample(
                self.trees.ensemble,
                x_D,
                self.labels[label],
                self.epsilon_D,
                lower_D=self.lower_D,
                upper_D=self.upper_D,
                predict=self.trees.predict,
                effort=self.effort,
            )
            yield self._row(verdict, sample=int(samples.sample_ids[at]), x_int=samples.x_int[at], label=label)

    def _row(self, verdict: TreeVerdict, *, sample: int, x_int: NDArray[np.int32], label: int) -> dict[str, Any]:
        undecided = verdict.verdict == "unknown"
        return {
            "sample": sample,
            "input": sample_sha256(x_int),
            "label": label,
            "verdict": verdict.verdict,
            "stage": "" if undecided else verdict.stage,
            "reason": verdict.stage if undecided else "",
            "class": "" if verdict.found is None else self.trees.classes[verdict.found],
            "witness": [] if verdict.witness is None else [repr(float(value)) for value in verdict.witness],
        }


def tree_prover(trees: OnnxTrees, dataset: Dataset, *, epsilon: str, unit: Unit, effort: Effort) -> TreeProver:
    """The prover of a model on a data set within the ranges of its contract.

    Raises ModelError for a model of other features or classes, InputError for an epsilon that is no positive number.
    """
    shape, D = dataset.card.shape, trees.ensemble.n_features
    if int(np.prod(shape)) != D:
        remedy = "give the data set that the model was fitted on"
        raise ModelError(expected(f"a model of {int(np.prod(shape))} features", got=f"one of {D}", remedy=remedy))
    return TreeProver(
        trees=trees,
        labels=labels_of(trees.classes, dataset.card.classes),
        epsilon_D=(_positive(epsilon) * dataset.perturbation_scale(unit)).ravel(),
        lower_D=dataset.lower.ravel(),
        upper_D=dataset.upper.ravel(),
        effort=effort,
    )


def labels_of(model: tuple[str, ...], dataset: tuple[str, ...]) -> tuple[int, ...]:
    """The model's class for each class of the data set: by name, or by number where the model has numbers 0 ... K - 1.

    >>> labels_of(("ill", "well"), ("well", "ill")), labels_of(("0", "1"), ("ill", "well"))
    ((1, 0), (0, 1))
    """
    if sorted(model) == sorted(dataset):
        return tuple(model.index(name) for name in dataset)
    if len(model) == len(dataset) and model == tuple(str(number) for number in range(len(model))):
        return tuple(range(len(model)))
    remedy = "fit it on these names, or on 0, 1, ... in their order"
    raise ModelError(expected(f"a model of the classes {', '.join(dataset)}", got=", ".join(model), remedy=remedy))


def proof_bytes(header: TreeProofHeader, rows: list[dict[str, Any]]) -> bytes:
    """The file: the header's line, then a line per row."""
    lines = [header.model_dump(mode="json", by_alias=True), *rows]
    return b"".join(canonical_json(line) + b"\n" for line in lines)


def _positive(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size < float("inf"):
        raise InputError(expected("an epsilon above 0", got=repr(text), remedy="write a decimal such as 0.1"))
    return size
