"""A drift record that tests change; every digest in it stands for itself."""

from __future__ import annotations

from typing import Any

from robustcert.drift.record import DriftRecord

MODEL, CERTIFICATE, DATASET, OTHER = "a" * 64, "b" * 64, "c" * 64, "d" * 64


def drift_record(**changes: Any) -> DriftRecord:
    """A clean record of a digits model's window; `changes` replace top-level keys, in camelCase."""
    document: dict[str, Any] = {
        "schemaVersion": "1",
        "name": "digits",
        "modelSha256": MODEL,
        "certificateSha256": CERTIFICATE,
        "reference": {"datasetSha256": DATASET, "split": "test", "rows": 449},
        "window": {
            "source": "window.parquet",
            "sha256": OTHER,
            "rows": 1000,
            "firstAt": "2026-11-20T00:00:00Z",
            "lastAt": "2026-11-21T00:00:00Z",
            "labelled": 0,
            "servedVersions": (MODEL[:12],),
        },
        "policySha256": OTHER,
        "policy": {"alpha": "0.01"},
        "signals": (
            {
                "signal": "embedding",
                "method": "mmd",
                "score": "0.001",
                "threshold": "0.004",
                "n": 449,
                "m": 1000,
                "drifted": False,
            },
        ),
        "tests": (),
        "featuresTested": 64,
        "featuresDrifted": 0,
        "quality": (),
        "qualityRatio": "1.000000",
        "estimate": None,
        "realised": None,
        "segments": (),
        "hints": (),
        "verdict": "clean",
        "summary": "no signal is above its threshold",
        "reportSha256": OTHER,
        "evidentlySha256": None,
        "evaluatedAt": "2026-11-21T01:00:00Z",
    }
    return DriftRecord.model_validate(document | changes)
