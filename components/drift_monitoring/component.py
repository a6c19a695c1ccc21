"""Kubeflow component: compares a window of production data with what was certified, and signs a drift record."""

from typing import Any, NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def drift_monitoring(
    store: str,
    certificate: str,
    window_uri: str,
    record_key: str,
    report: dsl.Output[dsl.HTML],
    evidence: dsl.Output[dsl.HTML],
    record: dsl.Output[dsl.Artifact],
    labels_uri: str = "",
    reference_window_uri: str = "",
    policy: str = "",
    trusted_key: str = "",
    last_hours: int = 0,
) -> NamedTuple("Outputs", [("verdict", str), ("summary", str), ("document", str)]):  # type: ignore[valid-type]
    """Tests a window for drift; drift is an outcome and no failure, and what comes of it is decided by alerts.

    Args:
        store: Folder or s3:// URI of the content-addressed store.
        certificate: SHA-256 of the certificate, 8 of its digits or more, or the name it is published under.
        window_uri: Rows of production data: a file or a folder of Parquet files, a path or an s3:// URI.
        record_key: Path of the private key that signs records; its passphrase is read from ROBUSTCERT_KEY_PASSPHRASE.
        labels_uri: Labels that came later, with columns id and label; empty for none.
        reference_window_uri: An earlier window to compare with; empty for the certified test data.
        policy: What counts as drift: YAML of several lines, a path or an s3:// URI; empty for the default.
        trusted_key: Public key that must have signed the certificate, as PEM text or as a path; empty for any.
        last_hours: Only rows of so many hours before now; 0 for all of them.

    Returns:
        report: The page for people.
        evidence: Evidently's page about a sample; empty where there is none.
        record: The signed drift record.
        verdict: clean, drifted, gross or undecided.
        summary: One line that says why.
        document: Name of the record in the store.
    """
    import os
    from pathlib import Path

    from robustcert.steps.drift_monitoring import DriftFiles, DriftOrder, monitor_drift

    made = {"report": report, "evidence": evidence, "record": record}
    files = DriftFiles(**{name: Path(artifact.path) for name, artifact in made.items()})
    given: dict[str, Any] = {"store": store, "certificate": certificate, "window": window_uri, "labels": labels_uri}
    given |= {"reference_window": reference_window_uri, "policy": policy, "trusted_key": trusted_key}
    order = DriftOrder(**given, last_hours=last_hours)
    passphrase = os.environ.get("ROBUSTCERT_KEY_PASSPHRASE")
    found = monitor_drift(order, signing_key=record_key, passphrase=passphrase, files=files)
    return found.record.verdict, found.record.summary, found.document
