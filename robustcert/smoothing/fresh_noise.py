"""Votes of a certified model under noise that its issuer could not know, on a recorded sample or near it. Needs torch.

Stream SPOT_CHECK of a key of the verifier's own: neither candidate nor radius of a row can have been fitted to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustcert.data.dataset import Dataset
from robustcert.smoothing.certify import Subject, grid_noise
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.votes import Votes, count_votes
from robustcert.specification import Certification


def fresh_votes(
    model: Subject,
    dataset: Dataset,
    sample_id: int,
    *,
    certification: Certification,
    key0: int,
    draws: int,
    x_int: NDArray[np.int32] | None = None,
) -> Votes:
    """`draws` votes on the sample, or on grid point x_int (*shape) in its place; DataError for an unknown id."""
    return count_votes(
        model.module,
        dataset.rows([sample_id]).x_int[0] if x_int is None else x_int,
        noise=grid_noise(dataset, certification, key0=key0),
        sample_id=sample_id,
        stream=Stream.SPOT_CHECK,
        draws=draws,
        n_classes=dataset.n_classes,
        precision=certification.precision or "float32",
    )
