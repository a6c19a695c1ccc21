"""What every part of the chart's values is made from, and the words of Kubernetes that they use.

Names are lowerCamelCase in YAML. A field's description is its documentation everywhere: in values.yaml, in the schema
and in the chart's README. Sources: Kubernetes API conventions (names, quantities), core/v1 and apps/v1.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")]  # DNS-1123 label, or empty
ShortName = Annotated[str, Field(pattern=r"^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$")]  # the first part of names, or empty
ObjectName = Annotated[str, Field(pattern=r"^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?)?$")]  # DNS-1123 subdomain, or empty
Number = Annotated[float, Field(ge=0)]  # such as `cpu: 0.5`
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")] | Number
OptionalQuantity = Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?)?$")] | Number
Duration = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)$")]  # as the controller reads it
PrometheusDuration = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h|d))+$")]
# Five fields of numbers, names, ranges, steps and lists, or a macro; what the fields mean is checked by the tests.
Cron = Annotated[
    str,
    Field(
        pattern=r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|([0-9A-Za-z*/,?-]+ +){4}[0-9A-Za-z*/,?-]+)$"
    ),
]
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
OpenPort = Annotated[int, Field(ge=1024, le=65535)]  # what a program without privileges may listen on
Label = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]  # a label's value
Labels = dict[str, Label]
Annotations = dict[str, str]
Object = dict[str, Any]  # an object of Kubernetes' own, whose form the cluster checks


class Part(BaseModel):
    """A part of the values: frozen, unknown keys refused, defaults checked too."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        validate_default=True,
        allow_inf_nan=False,
    )


class Resources(Part):
    """Requests and limits of a container."""

    requests: dict[str, Quantity] = Field(default={}, description="What the scheduler reserves.")
    limits: dict[str, Quantity] = Field(default={}, description="What the container may not exceed.")


class Toleration(Part):
    """A taint that pods tolerate."""

    key: str = Field(default="", description="The taint's key; empty with `operator: Exists` for all.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="Whether the value counts.")
    value: str = Field(default="", description="The taint's value.")
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(default="", description="Empty for all.")
    toleration_seconds: int | None = Field(default=None, description="How long, with NoExecute.")


class Variable(Part):
    """An environment variable; never a secret's text, use `valueFrom` for one."""

    name: str = Field(..., pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Its name.")
    value: str | None = Field(default=None, description="Its text.")
    value_from: Object | None = Field(default=None, description="Where its text comes from, as in a pod.")


class ServiceAccount(Part):
    """The identity of a program."""

    create: bool = Field(default=True, description="Make it; otherwise `name` must exist.")
    name: ObjectName = Field(default="", description="Its name; derived from the release where empty.")
    annotations: Annotations = Field(default={}, description="Such as the cloud's workload identity.")


class Placement(Part):
    """Where pods run."""

    node_selector: Labels = Field(default={}, description="Labels that a node must carry.")
    tolerations: list[Toleration] = Field(default=[], description="Taints that are tolerated.")
    affinity: Object = Field(default={}, description="Affinity, as in a pod.")
    topology_spread_constraints: list[Object] = Field(
        default=[], description="Topology spread constraints, as in a pod."
    )
    priority_class_name: ObjectName = Field(default="", description="PriorityClass of the pods; it must exist.")


class Program(Placement):
    """What every program of ours can be given; a pod's own words."""

    service_account: ServiceAccount = Field(default=ServiceAccount(), description="Its identity.")
    resources: Resources = Field(default=Resources(), description="Requests and limits.")
    annotations: Annotations = Field(default={}, description="Annotations of the workload.")
    pod_annotations: Annotations = Field(default={}, description="Annotations of its pods.")
    pod_labels: Labels = Field(default={}, description="Further labels of its pods.")
    extra_env: list[Variable] = Field(default=[], description="Further environment variables.")
    extra_env_from: list[Object] = Field(default=[], description="ConfigMaps and Secrets whose keys become variables.")
    extra_volumes: list[Object] = Field(default=[], description="Further volumes.")
    extra_volume_mounts: list[Object] = Field(default=[], description="Where they are mounted.")
    extra_arguments: list[str] = Field(default=[], description="Further arguments of the program.")
