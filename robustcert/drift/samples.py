"""A sample of one side, reference or window, and what the certified model makes of it.

Rows with a missing value are left out here, since the model can't answer them; how many there are is a matter of
quality. Shapes: N rows of the sample, L of them for tests whose cost grows with the cube, X one input, E an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robustcert.data.dataset import Dataset
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.model_outputs import ModelOutputs, embedding_of, model_outputs
from robustcert.drift.policy import SamplePolicy
from robustcert.drift.reference import distances
from robustcert.drift.row_batch import RowBatch
from robustcert.errors import DataError, expected
from robustcert.models.model import LoadedModel

MOST_VALUES = 1 << 25  # of a sample's inputs: 256 MiB of float64

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Centre and scale of each input coordinate, (D,), by which a distance is measured."""

    centre: Float64
    scale: Float64


@dataclass(frozen=True, kw_only=True)
class Sample:
    """columns: name -> (N,); outputs of N rows; distances: (N,); embedding: (L, E); features: (L, F).

    labels: int64 (N,), of certified rows only.
    """

    columns: Mapping[str, Float64]
    outputs: ModelOutputs
    distances: Float64
    embedding: Float64
    features: Float64
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.outputs)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Makes samples of both sides alike."""

    columns: FeatureColumns
    model: LoadedModel
    standard: Standard
    sizes: SamplePolicy

    @property
    def rows(self) -> int:
        """Rows of a sample: as many as the policy says, fewer where inputs are so large that memory would run out."""
        width = math.prod(self.columns.dataset.card.shape)
        return max(1, min(self.sizes.outputs, MOST_VALUES // width))

    def of_dataset(self, rows: Dataset) -> Sample:
        """A sample of the certified test split; all of it where it is small."""
        chosen = rows.rows(rows.sample_ids[self._places(len(rows), self.rows)])
        return replace(self._sample(chosen.x(), self.columns.of_dataset(chosen)), labels=chosen.y)

    def complete(self, batch: RowBatch) -> NDArray[np.bool_]:
        """Which rows of a batch have every value that the model needs."""
        x_NX = self.columns.inputs(batch)
        return np.asarray(np.isfinite(x_NX.reshape(len(x_NX), -1)).all(axis=1))

    def of_batch(self, batch: RowBatch) -> Sample:
        """All rows of a batch; DataError where it holds none, or one that is not complete."""
        if not len(batch) or not self.complete(batch).all():
            remedy = "leave incomplete rows out"
            raise DataError(expected("rows without a missing value", got=f"others of {len(batch)}", remedy=remedy))
        return self._sample(self.columns.inputs(batch), self.columns.of_batch(batch))

    def _sample(self, x_NX: Float64, columns: Mapping[str, Float64]) -> Sample:
        places_L = self._places(len(x_NX), self.sizes.tests)
        x_ND = x_NX.reshape(len(x_NX), -1)
        return Sample(
            columns=columns,
            outputs=model_outputs(self.model, x_NX),
            distances=distances(x_ND, centre_D=self.standard.centre, scale_D=self.standard.scale),
            embedding=embedding_of(self.model, x_NX[places_L]),
            features=np.column_stack([values[places_L] for values in columns.values()]),
        )

    def _places(self, rows: int, most: int) -> NDArray[np.int64]:
        """Which of `rows` rows are taken, ascending."""
        chosen = np.random.default_rng(self.sizes.seed).permutation(rows)[:most]
        return np.sort(chosen)
