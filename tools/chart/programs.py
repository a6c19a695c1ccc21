"""Values of the programs: exporter, controller, admission gate, jobs on a schedule, the upload of pipelines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tools.chart.part import Annotations, Cron, Duration, Name, ObjectName, OpenPort, Part, Program, Quantity, Resources
from tools.chart.shared import Key

MEASURED = "Requests and limits, from measurements: docs/sizing.md."


class Service(Part):
    """A Service of type ClusterIP."""

    port: OpenPort = Field(..., description="Port of the Service and of the program.")
    annotations: Annotations = Field(default={}, description="Annotations of the Service.")


class Disruption(Part):
    """A PodDisruptionBudget."""

    enabled: bool = Field(default=True, description="Make it.")
    max_unavailable: int = Field(
        default=1, ge=0, le=1, description="There is one pod: 1 lets nodes be drained, 0 keeps them until it is moved."
    )


class Deployed(Part):
    """Workloads that serve models, so that those without a certificate are found."""

    enabled: bool = Field(default=True, description="Watch Deployments and KServe's InferenceServices.")
    namespaces: list[Name] = Field(
        default=[], max_length=1, description="One namespace, by a Role there; empty for all, by a ClusterRole."
    )


class Exporter(Program):
    """Shows Prometheus what the store holds."""

    enabled: bool = Field(default=True, description="Install it.")
    interval: int = Field(default=30, ge=1, le=3600, description="Seconds between two looks at the store.")
    staleness: int = Field(
        default=900, ge=1, le=86400, description="Seconds that the last values stay while the store is down."
    )
    readers: int = Field(default=64, ge=1, le=128, description="Connections to S3 that read at a time.")
    deployed: Deployed = Field(default=Deployed(), description="What is deployed.")
    service: Service = Field(default=Service(port=9464), description="Its Service.")
    pod_disruption_budget: Disruption = Field(default=Disruption(), description="Its PodDisruptionBudget.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "512Mi"}), description=MEASURED
    )


class Persistence(Part):
    """The volume of the controller's database and audit log; kept when the release is uninstalled."""

    size: Quantity = Field(default="2Gi", description="Its size.")
    storage_class_name: ObjectName = Field(default="", description="The cluster's default where empty.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod"] = Field(
        default="ReadWriteOnce", description="Never shared."
    )
    existing_claim: ObjectName = Field(default="", description="A claim that exists, instead of a new one.")
    annotations: Annotations = Field(default={}, description="Annotations of the claim.")


class DriftRules(Part):
    """What drift may do besides starting a run."""

    suspend_on_gross: bool = Field(default=True, description="Suspend where drift is gross.")
    labels_wait: Duration = Field(default="1d", description="How long a request then waits for labelled rows.")


class Settings(Part):
    """Settings of the controller, docs/recertification-controller.md; times have a unit: 90s, 15m, 6h, 14d."""

    cool_down: Duration = Field(default="6h", description="Pause between two requests of a model version.")
    hysteresis: Duration = Field(
        default="1h", description="An alert that fires anew so soon after a success still fires."
    )
    ineffective_after: Duration = Field(default="30m", description="When people are told that a run did not help.")
    forget_after: Duration = Field(
        default="2d", description="How long an alert that is not delivered any more still fires."
    )
    budget_per_day: int = Field(default=4, ge=1, le=10_000, description="Requests of one model and day (UTC).")
    most_running: int = Field(default=4, ge=1, le=10_000, description="Runs at the same time.")
    most_attempts: int = Field(default=3, ge=1, le=100, description="Runs of one request that may fail.")
    retry_base: Duration = Field(default="1m", description="Wait before the second attempt, then doubled.")
    retry_most: Duration = Field(default="1h", description="Limit of that wait.")
    run_deadline: Duration = Field(default="24h", description="How long a run may take.")
    recertify_before: Duration = Field(
        default="14d", description="How long before its end a certificate is recertified."
    )
    reconcile_interval: Duration = Field(default="15s", description="Between two passes of its loop.")
    scan_interval: Duration = Field(default="60s", description="Between two looks at the store.")
    suspend_on_failure: bool = Field(default=True, description="Suspend where a recertification is dead.")
    drift: DriftRules = Field(default=DriftRules(), description="What drift may do.")


class Issuer(Part):
    """An Issuer of cert-manager."""

    name: ObjectName = Field(default="", description="Its name; empty for none.")
    kind: Literal["Issuer", "ClusterIssuer"] = Field(default="ClusterIssuer", description="Its kind.")


class Tls(Part):
    """TLS of the controller's interface: by cert-manager or by a Secret with tls.crt and tls.key."""

    enabled: bool = Field(default=False, description="Serve HTTPS.")
    secret_name: ObjectName = Field(default="", description="The Secret; made by cert-manager where `issuer` is named.")
    issuer: Issuer = Field(default=Issuer(), description="Who issues the server's certificate.")
    duration: str = Field(default="2160h", pattern=r"^[0-9]+h$", description="How long it holds.")
    renew_before: str = Field(default="720h", pattern=r"^[0-9]+h$", description="When it is replaced.")
    client_ca: Key = Field(
        default=Key(key="ca.crt"), description="Secret with the authority of the certificates that clients must show."
    )


class Controller(Program):
    """Turns alerts, schedules and people's requests into exactly one recertification each. One pod, by design."""

    enabled: bool = Field(default=True, description="Install it.")
    settings: Settings = Field(default=Settings(), description="How it decides.")
    status_key: Key = Field(
        default=Key(key="key"),
        description="Secret with the key that signs suspensions; without a name it never suspends.",
    )
    tokens: Key = Field(
        default=Key(name="robustcert-controller-tokens", key="tokens"),
        description="Secret with who may ask: lines NAME SCOPES TOKEN. Alertmanager and schedules have theirs in it.",
    )
    schedule_token: Key = Field(
        default=Key(name="robustcert-schedule-token", key="token"),
        description="Secret with the token that the schedules show.",
    )
    grafana: Key = Field(default=Key(key="secret"), description="Secret that Grafana signs its webhooks with.")
    tls: Tls = Field(default=Tls(), description="TLS of its interface.")
    persistence: Persistence = Field(default=Persistence(), description="Its volume.")
    service: Service = Field(default=Service(port=8090), description="Its Service.")
    metrics_port: OpenPort = Field(default=8091, description="Port of /metrics, inside the cluster only.")
    pod_disruption_budget: Disruption = Field(default=Disruption(), description="Its PodDisruptionBudget.")
    termination_grace_period_seconds: int = Field(
        default=60, ge=10, le=600, description="Time to answer what is in progress."
    )
    resources: Resources = Field(
        default=Resources(requests={"cpu": "100m", "memory": "192Mi"}, limits={"memory": "384Mi"}), description=MEASURED
    )


class AdmissionGate(Part):
    """Refuses workloads whose model has no certificate in force. Not in this release: `true` is refused."""

    enabled: Literal[False] = Field(default=False, description="Off until the gate exists.")


class Job(Part):
    """When a job runs; the words of batch/v1 CronJob."""

    schedule: Cron = Field(..., description="Five fields of cron.")
    time_zone: str = Field(
        default="Etc/UTC", pattern=r"^[A-Za-z][A-Za-z0-9_+/-]+$", description="Time zone of the schedule."
    )
    suspend: bool = Field(default=False, description="Pause it.")
    starting_deadline_seconds: int = Field(default=3600, ge=60, description="How late it may still start.")
    active_deadline_seconds: int = Field(default=3600, ge=60, description="How long it may take.")
    successful_jobs_history_limit: int = Field(default=3, ge=0, le=100, description="Finished jobs that are kept.")
    failed_jobs_history_limit: int = Field(default=3, ge=0, le=100, description="Failed jobs that are kept.")
    backoff_limit: int = Field(default=2, ge=0, le=20, description="Attempts after the first.")


class DriftJob(Job):
    """One model's drift, judged regularly: `robustcert drift`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$")] = Field(
        ..., description="Name of the job, 20 characters at most."
    )
    certificate: str = Field(
        ...,
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$",
        description="Name under which the certificate is published, or its SHA-256.",
    )
    window: str = Field(..., min_length=1, description="Rows of production data: s3://... or a path in a volume.")
    labels: str = Field(default="", description="Labels that came later: s3://... or a path.")
    reference_window: str = Field(default="", description="An earlier window; the certified test data where empty.")
    last_hours: int = Field(default=24, ge=0, description="Only rows of so many hours; 0 for all.")
    policy: str = Field(
        default="", description="What counts as drift: the YAML, docs/drift.md; the defaults where empty."
    )
    resources: Resources | None = Field(default=None, description="Other requests and limits than `drift.resources`.")


class Drift(Program):
    """Drift of each model, judged on a schedule by CronJobs. They sign with a key of their own."""

    key: Key = Field(
        default=Key(name="robustcert-drift-key", key="key"), description="Secret with the key that signs drift records."
    )
    jobs: list[DriftJob] = Field(
        default=[],
        description="A CronJob each.",
        examples=[
            [{"name": "digits", "certificate": "digits", "window": "s3://logs/digits/", "schedule": "15 * * * *"}]
        ],
    )
    temporary_size: Quantity = Field(
        default="8Gi",
        description="Limit of /tmp, where a window from S3, the certified data and the model lie meanwhile.",
    )
    resources: Resources = Field(
        default=Resources(requests={"cpu": "1", "memory": "1Gi"}, limits={"memory": "2Gi"}), description=MEASURED
    )


class Schedule(Job):
    """One model's recertification, asked for regularly: `robustcert requests create`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$")] = Field(
        ..., description="Name of the job, 20 characters at most."
    )
    model: str = Field(
        ...,
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$",
        description="Name under which the certificate is published.",
    )
    text: str = Field(default="", max_length=300, description="Why, for the audit log.")
    active_deadline_seconds: int = Field(
        default=1800, ge=60, description="How long asking may take, all attempts; the run goes on by itself."
    )
    backoff_limit: int = Field(
        default=6, ge=0, le=20, description="Attempts after the first: 6 outlast a controller away for ten minutes."
    )


class Recertification(Program):
    """Recertification on a schedule: CronJobs that ask the controller, each slot once."""

    schedules: list[Schedule] = Field(
        default=[],
        description="A CronJob each.",
        examples=[[{"name": "digits", "model": "digits", "schedule": "0 3 * * 0"}]],
    )
    resources: Resources = Field(
        default=Resources(requests={"cpu": "50m", "memory": "96Mi"}, limits={"memory": "192Mi"}), description=MEASURED
    )


class Upload(Program):
    """A Job after each installation and upgrade that puts the pipelines in place; doing so again changes nothing."""

    enabled: bool = Field(default=True, description="Run it.")
    by_uri: bool = Field(default=False, description="Also the pipelines that run one component alone.")
    backoff_limit: int = Field(
        default=5, ge=0, le=20, description="Attempts after the first: Kubeflow may still be starting."
    )
    active_deadline_seconds: int = Field(default=600, ge=60, description="How long all attempts may take.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "50m", "memory": "96Mi"}, limits={"memory": "192Mi"}), description=MEASURED
    )


class CustomResources(Part):
    """Pipelines as Pipeline and PipelineVersion objects, for Kubeflow's Kubernetes native API mode."""

    enabled: bool = Field(default=False, description="Make them, instead of the upload.")


class Pipelines(Part):
    """How the compiled pipelines of this release get into Kubeflow."""

    upload: Upload = Field(default=Upload(), description="By Kubeflow's REST interface.")
    custom_resources: CustomResources = Field(default=CustomResources(), description="By objects of Kubernetes.")
