"""drift_monitoring: one window of production data against one certificate, as a scheduled run does it.

One step. The run succeeds whatever the verdict is: it leaves a signed record in the store, which the exporter reads,
and alerts decide what follows. It signs with a key of its own, so that a job which meets production data can issue no
certificate.
"""

from dataclasses import dataclass, field
from typing import Any

from kfp import kubernetes
from kfp.dsl import PipelineTask

from components.drift_monitoring.component import drift_monitoring as drift_monitoring_step
from pipelines.input_group import InputGroup, form, pipeline
from pipelines.node_pool import PASSPHRASE, CompileTime, NodePool, on_gpu_pool, opens_store

KEY_FOLDER = "/var/run/secrets/robustcert/drift-key"


@dataclass(frozen=True, kw_only=True)
class Window(InputGroup):
    """Which certificate, which rows, judged how."""

    certificate: str = field(
        metadata=form("The certificate: its SHA-256, 8 digits of it or more, or the name it is published under.")
    )
    store: str = field(metadata=form("The content-addressed store: an s3:// URI, or a folder that every step sees."))
    window_uri: str = field(
        metadata=form("Rows of production data: an s3:// URI of a file or of a folder of Parquet files, or a path.")
    )
    labels_uri: str = field(
        default="", metadata=form("Labels that came later, with columns id and label: an s3:// URI or a path.")
    )
    reference_window_uri: str = field(
        default="", metadata=form("An earlier window to compare with; empty for the certified test data.")
    )
    policy: str = field(
        default="", metadata=form("What counts as drift: an s3:// URI, a path, or YAML of several lines; or empty.")
    )
    trusted_key: str = field(
        default="",
        metadata=form("Public key that must have signed the certificate, as PEM text or a path; empty for any."),
    )
    last_hours: int = field(
        default=0, metadata=form("Only rows of so many hours before the run, such as 24; 0 for all of them.")
    )


@dataclass(frozen=True, kw_only=True)
class Records(InputGroup):
    """Which key signs the records."""

    record_key: str = field(
        default=f"{KEY_FOLDER}/key",
        metadata=form("Path of the private key inside the container; by default that of the drift secret."),
    )


@dataclass(frozen=True, kw_only=True)
class RecordSecret(InputGroup):
    """Where that key comes from."""

    drift_secret: str = field(
        default="robustcert-drift-key",
        metadata=form("Secret with the key that signs drift records under `key` and, where locked, its `passphrase`."),
    )


def drift_monitoring_pipeline(fixed: CompileTime) -> Any:
    """The pipeline with other settings than those of the committed file; compile it with kfp.compiler."""

    @pipeline(name="drift-monitoring")
    def drift_monitoring(window: Window, records: Records, secret: RecordSecret, pool: NodePool) -> None:
        """Compares production data with what was certified, and leaves a signed record; nothing is deployed by it."""
        chosen = fixed.on(pool)
        task = drift_monitoring_step(**window.parameters(), record_key=records.record_key)
        signs_records(opens_store(on_gpu_pool(task, chosen, fixed), chosen), secret)

    return drift_monitoring


def signs_records(task: PipelineTask, secret: RecordSecret) -> PipelineTask:
    """The key of drift records as a mounted file, its passphrase as an environment variable."""
    kubernetes.use_secret_as_env(task, secret.drift_secret, secret_key_to_env=PASSPHRASE, optional=True)
    return kubernetes.use_secret_as_volume(task, secret.drift_secret, mount_path=KEY_FOLDER, optional=True)


drift_monitoring = drift_monitoring_pipeline(CompileTime())
