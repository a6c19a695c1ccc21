"""The Philox key of a certification: derived from model, data and configuration, so that no seed can be chosen.

Whoever certifies several files, or configurations, draws several times; each has digests of its own.
"""

from __future__ import annotations

from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.smoothing.noise import derive_seed, key0
from robustcert.specification_file import LoadedSpecification


def smoothing_key(loaded: LoadedSpecification, *, model_sha256: str, dataset_sha256: str) -> int:
    """First word of the Philox key, 64 bits; the second word is the sample id (docs/certificate.md)."""
    configuration = sha256_bytes(canonical_json(loaded.canonical_part("certification")))
    return key0(derive_seed(model_sha256, dataset_sha256, configuration))
