"""The embedded data sets, from scikit-learn's own files; no network."""

from __future__ import annotations

import numpy as np

from robustcert.data.raw import Samples
from robustcert.errors import DataError, expected
from robustcert.provenance.digests import sha256_bytes

# SHA-256 of the values as little-endian float64, then the labels as little-endian int64.
PUBLISHED_SHA256 = {
    "digits": "f6d9e39f37dc45d327f6db33428ee58970ccceabb2535a5c179de35886b70443",
    "breast-cancer": "25e2eb7b7a8745b1bde5ba18bc4969983d2e2f403291ecd5bde4a29ef30c3859",
}


def read_builtin(name: str) -> tuple[Samples, str]:
    """The samples and their SHA-256; DataError where the installed copy is not the published one."""
    samples = _read_digits() if name == "digits" else _read_breast_cancer()
    digest = samples_sha256(samples)
    if digest != PUBLISHED_SHA256[name]:
        what = f"{name} with SHA-256 {PUBLISHED_SHA256[name]}"
        raise DataError(expected(what, got=digest, remedy="install the pinned version of scikit-learn"))
    return samples, digest


def samples_sha256(samples: Samples) -> str:
    """SHA-256 of the values as little-endian float64, then the labels as little-endian int64."""
    return sha256_bytes(samples.values.astype("<f8").tobytes() + samples.labels.astype("<i8").tobytes())


def _read_digits() -> Samples:
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    return Samples(
        values=values.astype(np.uint8).reshape(-1, 1, 8, 8),
        labels=labels.astype(np.int64),
        sample_ids=np.arange(len(labels), dtype=np.int64),
    )


def _read_breast_cancer() -> Samples:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Samples(
        values=bunch.data.astype(np.float64),
        labels=bunch.target.astype(np.int64),
        sample_ids=np.arange(len(bunch.target), dtype=np.int64),
        columns=tuple(str(name) for name in bunch.feature_names),
    )
