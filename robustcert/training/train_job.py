"""A TrainJob of Kubeflow Trainer that trains one specification on several nodes, as a manifest.

Fields are those of `trainer.kubeflow.org/v1alpha1` as Trainer 2.2 and 2.3 have them (2.1 and older have no
`runtimePatches`, through which a pod becomes read-only and non-root). The runtime `torch-distributed` that comes with
Trainer starts torchrun by variables: nodes, processes per node, and where they meet. No torch and no Kubernetes here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from robustcert.errors import InputError, expected
from robustcert.storage.s3_address import parse_uri

MANAGER = "robustcert/train-job"
CONTAINER = "node"  # of the one replicated job of the same name in torch-distributed
COMMAND = ("python3", "-m", "torch.distributed.run", "--module", "robustcert.training_node")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LONGEST_NAME = 48  # a pod is named NAME-node-0-12345 and its host name is a DNS label
MOST_SPECIFICATION_BYTES = 100_000  # one argument of a process holds 128 KiB
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../manage-resources-containers/
LABEL = re.compile(rf"[a-z]([a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
QUALIFIED = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
QUANTITY = re.compile(r"(?=.*[1-9])[0-9]+(\.[0-9]+)?([mkMGTPE]|[KMGTPE]i)?")
IMAGE = re.compile(r"[!-~]{1,1024}")

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """What every node asks for and where it may run; quantities as Kubernetes writes them, GPUs 0 for the CPU."""

    gpus: int = 0
    gpu_type: str = "nvidia.com/gpu"
    cpu: str = "4"
    memory: str = "16Gi"
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Manifest, ...] = ()

    def __post_init__(self) -> None:
        for option, quantity in (("cpu", self.cpu), ("memory", self.memory)):
            _require(
                QUANTITY, quantity, what=f"an amount as Kubernetes writes it after --{option}", such_as="4 or 16Gi"
            )
        _require(QUALIFIED, self.gpu_type, what="a resource's name after --gpu-type", such_as="nvidia.com/gpu")


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What is trained (the specification's text), by how many nodes, with which image, and into which store.

    `namespace` and `image_pull_secret` may be empty. One process a GPU, or one a node on the CPU.
    """

    name: str
    specification: str
    store: str
    image: str
    nodes: int
    pool: NodePool
    namespace: str = ""
    runtime: str = "torch-distributed"
    store_secret: str = "robustcert-store"
    image_pull_secret: str = ""
    run_token: str = ""
    data_uri: str = ""

    def __post_init__(self) -> None:
        size = len(self.specification.encode())
        if size > MOST_SPECIFICATION_BYTES:
            what = f"a specification of at most {MOST_SPECIFICATION_BYTES} bytes"
            raise InputError(expected(what, got=size, remedy="shorten its texts"))
        if not self.store.startswith("s3://"):
            what = "a store that every pod reaches, s3://bucket/prefix"
            raise InputError(expected(what, got=repr(self.store), remedy="name the store of the pipeline"))
        for place in (self.store, self.data_uri):
            if place.startswith("s3://"):
                parse_uri(place, settings=None)  # refuses credentials: a manifest is kept and shown
        _require(IMAGE, self.image, what="an image after --image", such_as="registry.example/robustcert:1.0")
        _require(LABEL, self.name, what=f"a label of at most {LONGEST_NAME} characters after --name", such_as="train-a")
        for option, name in self._names:
            _require(SUBDOMAIN, name, what=f"a name of Kubernetes after --{option}", such_as="robustcert-store")

    @property
    def _names(self) -> tuple[tuple[str, str], ...]:
        optional = (("namespace", self.namespace), ("image-pull-secret", self.image_pull_secret))
        given = tuple((option, name) for option, name in optional if name)
        return (("runtime", self.runtime), ("store-secret", self.store_secret), *given)

    @property
    def processes(self) -> int:
        """Processes of the whole job, which the pipeline has to be started with."""
        return self.nodes * max(1, self.pool.gpus)

    def manifest(self) -> Manifest:
        """The whole object, ready to be applied."""
        return {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": self.name, **({"namespace": self.namespace} if self.namespace else {})},
            "spec": {
                "runtimeRef": {
                    "apiGroup": "trainer.kubeflow.org",
                    "kind": "ClusterTrainingRuntime",
                    "name": self.runtime,
                },
                "trainer": _trainer(self),
                "runtimePatches": [{"manager": MANAGER, "trainingRuntimeSpec": _runtime_patch(_pod(self))}],
            },
        }


def job_name(specification: str, sha256: str) -> str:
    """Name of the job of a specification: a DNS label from its name and the first 8 digits of its digest.

    >>> job_name("digits.v2", "0123456789abcdef")
    'train-digits-v2-01234567'
    """
    label = f"train-{specification.replace('.', '-')}"
    return f"{label[: LONGEST_NAME - 9].rstrip('-')}-{sha256[:8]}"


def toleration(text: str) -> Manifest:
    """A toleration from KEY[=VALUE]:EFFECT, as `kubectl taint` writes taints; InputError for anything else.

    >>> toleration("nvidia.com/gpu:NoSchedule")
    {'key': 'nvidia.com/gpu', 'operator': 'Exists', 'effect': 'NoSchedule'}
    """
    taint, _, effect = text.rpartition(":")
    key, equals, value = taint.partition("=")
    if not key or effect not in EFFECTS:
        remedy = "write for example nvidia.com/gpu=present:NoSchedule"
        raise InputError(expected(f"KEY[=VALUE]:EFFECT, EFFECT {', '.join(EFFECTS)}", got=repr(text), remedy=remedy))
    if equals:
        return {"key": key, "operator": "Equal", "value": value, "effect": effect}
    return {"key": key, "operator": "Exists", "effect": effect}


def _require(form: re.Pattern[str], text: str, *, what: str, such_as: str) -> None:
    if not form.fullmatch(text):
        raise InputError(expected(what, got=repr(text[:80]), remedy=f"write for example {such_as}"))


def _trainer(job: TrainJob) -> Manifest:
    arguments = ["--specification", job.specification, "--store", job.store]
    arguments += ["--run-token", job.run_token] if job.run_token else []
    arguments += ["--data-uri", job.data_uri] if job.data_uri else []
    return {
        "image": job.image,
        "command": list(COMMAND),
        "args": [argument.replace("$", "$$") for argument in arguments],  # Kubernetes reads $(NAME) and $$
        "env": [_from_secret(name, job.store_secret) for name in CREDENTIALS],
        "numNodes": job.nodes,
        "numProcPerNode": max(1, job.pool.gpus),
        "resourcesPerNode": _resources(job.pool),
    }


def _from_secret(name: str, secret: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name, "optional": True}}}


def _resources(pool: NodePool) -> Manifest:
    """Requests and limits alike, so that a node's share is its own."""
    asked = {"cpu": pool.cpu, "memory": pool.memory, **({pool.gpu_type: str(pool.gpus)} if pool.gpus else {})}
    return {"requests": dict(asked), "limits": dict(asked)}


def _pod(job: TrainJob) -> Manifest:
    """Non-root, nothing writable but temporary files, and room for NCCL in shared memory."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shared-memory", "mountPath": "/dev/shm"}]  # noqa: S108
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    pod: Manifest = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": CONTAINER, "volumeMounts": mounts, "securityContext": security}],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    if job.pool.node_selector:
        pod["nodeSelector"] = dict(job.pool.node_selector)
    if job.pool.tolerations:
        pod["tolerations"] = list(job.pool.tolerations)
    if job.image_pull_secret:
        pod["imagePullSecrets"] = [{"name": job.image_pull_secret}]
    return pod


def _runtime_patch(pod: Manifest) -> Manifest:
    replicated = {"name": CONTAINER, "template": {"spec": {"template": {"spec": pod}}}}
    return {"template": {"spec": {"replicatedJobs": [replicated]}}}
