"""Values that more than one program needs: images, the store, keys, Kubeflow, where runs compute."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tools.chart.part import Digest, Labels, Name, Object, ObjectName, OptionalQuantity, Part, Toleration


def _fixed(tag: str) -> str:
    if tag == "latest":
        raise ValueError("expected a tag that does not move")
    return tag


SERVER = r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?"  # an IPv6 address is in brackets
Tag = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$", json_schema_extra={"not": {"const": "latest"}}),
    AfterValidator(_fixed),
]


class Image(Part):
    """One image. A digest goes before a tag."""

    repository: str = Field(
        ...,
        pattern=r"^([a-z0-9][a-z0-9.-]*(:[0-9]+)?/)?[a-z0-9][a-z0-9._-]*(/[a-z0-9._-]+)*$",
        description="Registry and name, without a tag.",
    )
    tag: Tag = Field(default="", description="The release of the chart where empty; never latest, which moves.")
    digest: Digest = Field(default="", description="sha256:..., which pins it for ever.")


class Images(Part):
    """Where images come from."""

    registry: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*/?)?$",
        description="Registry that replaces ghcr.io, such as a mirror; a repository elsewhere stays.",
    )
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = Field(default="IfNotPresent", description="As in a pod.")
    pull_secrets: list[ObjectName] = Field(default=[], description="Names of Secrets with the registry's credentials.")
    require_digest: bool = Field(default=False, description="Refuse to render where an image has no digest.")
    monitoring: Image = Field(
        default=Image(repository="ghcr.io/robustcert/robustcert-monitoring"),
        description="Exporter, controller, upload, schedules: without torch.",
    )
    steps: Image = Field(
        default=Image(repository="ghcr.io/robustcert/robustcert"), description="Drift jobs, and the steps of runs."
    )


class Key(Part):
    """A key of a ConfigMap or Secret that exists."""

    name: ObjectName = Field(default="", description="Name of the object; empty for none.")
    key: str = Field(..., pattern=r"^[-._a-zA-Z0-9]*[-_a-zA-Z0-9][-._a-zA-Z0-9]*$", description="Key in it.")


class Store(Part):
    """Where certificates, evidence and records are: a bucket, or a volume that all can mount."""

    uri: str = Field(
        default="",
        pattern=r"^(s3://[a-z0-9][a-z0-9.-]+(/[^?\s@]*)?(\?[^\s@]*)?|file:///[^\s]*|)$",
        description="s3://bucket/prefix, or file:///store on `persistentVolumeClaim`. Required.",
    )
    endpoint: str = Field(default="", pattern=rf"^({SERVER})?$", description="S3 server; Amazon's where empty.")
    region: str = Field(
        default="", pattern=r"^[a-z0-9-]*$", description="The bucket's region; the server is asked where empty."
    )
    secret_name: ObjectName = Field(
        default="robustcert-store",
        description="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; empty where a mounted file has them.",
    )
    read_only_secret_name: ObjectName = Field(default="", description="One that may only read, for the exporter.")
    ca: Key = Field(default=Key(key="ca.crt"), description="ConfigMap with the authorities of the server, in PEM.")
    persistent_volume_claim: ObjectName = Field(
        default="", description="A claim that exists (ReadWriteMany), mounted at /store."
    )


class TrustedKeys(Part):
    """Public keys of whoever may sign: the issuer, the controller, drift jobs. One of the two is required."""

    keys: dict[str, str] = Field(
        default={},
        description="File name ending in .pub or .pem, such as issuer.pub -> its text, in PEM; becomes a ConfigMap.",
    )
    config_map_name: ObjectName = Field(default="", description="A ConfigMap of such files that exists.")


class RemoteKey(Part):
    """One key of a Secret, and where it lies."""

    key: str = Field(..., min_length=1, description="Its name in the secret store.")
    property: str = Field(default="", description="A field of it.")


class SecretStore(Part):
    """A SecretStore of the External Secrets operator."""

    name: ObjectName = Field(default="", description="Its name.")
    kind: Literal["SecretStore", "ClusterSecretStore"] = Field(default="ClusterSecretStore", description="Its kind.")


class ExternalSecrets(Part):
    """Secrets made by the External Secrets operator; without it they must exist by name."""

    enabled: bool = Field(default=False, description="Make ExternalSecrets.")
    secret_store: SecretStore = Field(default=SecretStore(), description="Where they come from.")
    refresh_interval: str = Field(
        default="1h", pattern=r"^[0-9]+(s|m|h)$", description="How often they are read again."
    )
    secrets: dict[str, dict[str, RemoteKey]] = Field(
        default={},
        description="Name of a Secret -> key in it -> where that lies.",
        examples=[{"robustcert-store": {"AWS_ACCESS_KEY_ID": {"key": "robustcert/s3", "property": "id"}}}],
    )


class Runs(Part):
    """Where runs that the controller starts compute: inputs of the pipeline `recertification`."""

    shards: int = Field(default=1, ge=1, le=1000, description="Pods that certify at the same time.")
    workers: int = Field(default=1, ge=1, le=1024, description="Worker processes of each.")
    gpus: int = Field(default=0, ge=0, le=16, description="GPUs of a computing step; 0 computes on processor cores.")
    gpu_type: str = Field(default="nvidia.com/gpu", min_length=1, description="The resource that a GPU node offers.")
    memory: OptionalQuantity = Field(
        default="", description="Memory of a computing step; the pipeline's default where empty."
    )
    node_selector: Labels = Field(default={}, description="Labels of the pool's nodes.")
    tolerations: list[Toleration] = Field(default=[], description="Taints of the pool.")
    affinity: Object = Field(default={}, description="Node affinity of computing steps, as in a pod.")
    parameters: Object = Field(default={}, description="Further inputs of the pipeline, see docs/components.md.")


class Token(Part):
    """The projected token that our programs show to Kubeflow Pipelines."""

    enabled: bool = Field(default=True, description="Mount one.")
    audience: str = Field(default="pipelines.kubeflow.org", min_length=1, description="Whom it is for.")
    expiration_seconds: int = Field(
        default=3600, ge=600, le=86400, description="How long it lives; it is renewed by the kubelet."
    )


class Kubeflow(Part):
    """Kubeflow Pipelines, and how our programs reach it."""

    host: str = Field(
        default="http://ml-pipeline.kubeflow.svc:8888",
        pattern=rf"^{SERVER}(/[^\s?#@]*)?$",
        description="Its REST interface.",
    )
    namespace: Name = Field(
        default="", description="The profile of pipelines and runs; empty for single-user Kubeflow."
    )
    create_role: bool = Field(
        default=True, description="With a profile: a Role there with what controller and upload need, bound to them."
    )
    token: Token = Field(default=Token(), description="How programs say who they are.")
    ca: Key = Field(
        default=Key(key="ca.crt"),
        description="ConfigMap with the authorities of an https:// host; the controller takes store.ca where empty.",
    )
    experiment: str = Field(
        default="recertification", min_length=1, description="Experiment of the runs that the controller starts."
    )
    service_account: ObjectName = Field(
        default="", description="ServiceAccount of runs; the server's default where empty."
    )
    ui: str = Field(default="", description="Where people see runs; `host` where empty.")
    runs: Runs = Field(default=Runs(), description="Where runs compute.")
