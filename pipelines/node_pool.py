"""Where a pipeline's tasks run: image, machines, resources and secrets. All settings of Kubernetes are made here.

Settings belong to one task and do not follow it into a loop, so every task is handed to the functions of this file;
`make lint-pipelines` proves on the compiled files that none was forgotten. What Kubeflow resolves when a run starts is
an input (NodePool); what it fixes when a pipeline is compiled is an argument of the pipeline's factory (CompileTime).
"""

from dataclasses import dataclass, field, replace

from kfp import kubernetes
from kfp.dsl import PipelineTask

from components.image import IMAGE
from pipelines.input_group import InputGroup, form
from pipelines.inputs import KEY_FOLDER, REGISTRY_FOLDER

GPU_STEPS = frozenset(
    {
        "adversarial_training",
        "robustness_evaluation",
        "certification",
        "window_evaluation",
        "recertification_model",
    }
)
STORE_KEYS = {
    name: name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SSL_CERT_FILE")
}
STORE_FOLDER = "/var/run/secrets/robustcert/store"
PASSPHRASE = {"passphrase": "ROBUSTCERT_KEY_PASSPHRASE"}
SHARED_MEMORY = "/dev/shm"  # noqa: S108  the one place where data loaders look


@dataclass(frozen=True, kw_only=True)
class NodePool(InputGroup):
    """Image, machines and secrets of a run. Kubeflow refuses an empty name of a secret, so none is empty."""

    image: str = field(
        default=IMAGE,
        metadata=form("Image of every step, with a version or a digest; on GPUs the release's that ends in -gpu."),
    )
    gpu_type: str = field(
        default="nvidia.com/gpu", metadata=form("Resource name of the GPUs, such as nvidia.com/gpu or amd.com/gpu.")
    )
    gpus: str = field(
        default="0", metadata=form("GPUs of each task that computes; 0 runs it on processor cores alone.")
    )
    cpu: str = field(
        default="1", metadata=form("Processor cores of each task that computes, request and limit, such as 4 or 500m.")
    )
    memory: str = field(
        default="4Gi", metadata=form("Memory of each task that computes, request and limit, such as 16Gi.")
    )
    node_selector: dict = field(  # type: ignore[type-arg]  # kfp knows the bare name
        default_factory=dict,
        metadata=form('Labels of the machines for tasks that compute, such as {"pool": "gpu"}; {} for any.'),
    )
    tolerations: list = field(  # type: ignore[type-arg]
        default_factory=list,
        metadata=form(
            'Taints that tasks that compute accept: [{"key": "nvidia.com/gpu", "operator": "Exists"}], or [].'
        ),
    )
    affinity: dict = field(  # type: ignore[type-arg]
        default_factory=dict,
        metadata=form("Node affinity of tasks that compute, the JSON of Kubernetes' nodeAffinity; {} for none."),
    )
    store_secret: str = field(
        default="robustcert-store",
        metadata=form("Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; it need not exist without s3://."),
    )
    signing_secret: str = field(
        default="robustcert-signing-key",
        metadata=form("Secret with the private key under `key` and, where that is locked, its `passphrase`."),
    )
    registry_secret: str = field(
        default="robustcert-registry",
        metadata=form(f"Secret with `token` and `ca.crt`, mounted at {REGISTRY_FOLDER}; it need not exist."),
    )
    image_pull_secret: str = field(
        default="robustcert-image-pull",
        metadata=form("Secret that pulls the image from a private registry; it need not exist for a public one."),
    )


@dataclass(frozen=True, kw_only=True)
class CompileTime:
    """What is fixed when a pipeline is compiled: give another one to a pipeline's factory and compile that.

    `image` in place of the input, for engines that resolve none (kfp's DockerRunner); shards that run at once, None for
    all; retries of a shard, each after twice the pause before; seconds until a hung task gives its machine back; size
    of /dev/shm, which counts as the task's memory.
    """

    image: str | None = None
    parallel_shards: int | None = None
    shard_retries: int = 3
    retry_pause: str = "30s"
    timeout_seconds: int = 7 * 86_400
    shared_memory: str = "1Gi"

    def on(self, pool: NodePool) -> NodePool:
        """The pool, with this image in place of the input where one is fixed."""
        return pool if self.image is None else replace(pool, image=self.image)


def on_any_node(task: PipelineTask, pool: NodePool) -> PipelineTask:
    """Image and pull secret; Kubeflow's cache is off, because it compares addresses and the store compares contents."""
    task.set_container_image(pool.image)
    task.set_caching_options(False)
    return kubernetes.set_image_pull_secrets(task, [pool.image_pull_secret])


def on_gpu_pool(task: PipelineTask, pool: NodePool, fixed: CompileTime) -> PipelineTask:
    """As `on_any_node`, and the GPU pool's machines and resources, shared memory, and a limit of time."""
    on_any_node(task, pool)
    task.register_pipeline_channels([pool.gpu_type, pool.gpus, pool.cpu, pool.memory])  # kfp forgets these in a loop
    task.set_accelerator_type(pool.gpu_type).set_accelerator_limit(pool.gpus)
    task.set_cpu_request(pool.cpu).set_cpu_limit(pool.cpu)
    task.set_memory_request(pool.memory).set_memory_limit(pool.memory)
    kubernetes.add_node_selector_json(task, pool.node_selector)
    kubernetes.add_toleration_json(task, pool.tolerations)
    kubernetes.add_node_affinity_json(task, pool.affinity)
    kubernetes.empty_dir_mount(
        task, volume_name="shared-memory", mount_path=SHARED_MEMORY, medium="Memory", size_limit=fixed.shared_memory
    )
    return kubernetes.set_timeout(task, seconds=fixed.timeout_seconds)


def opens_store(task: PipelineTask, pool: NodePool) -> PipelineTask:
    """The store's credentials, as environment variables from a secret, and as files for a `ca.crt` that is in it.

    A server whose certificate is by an authority of its own needs both: the file, and SSL_CERT_FILE, which names it.
    """
    kubernetes.use_secret_as_env(task, pool.store_secret, secret_key_to_env=STORE_KEYS, optional=True)
    return kubernetes.use_secret_as_volume(task, pool.store_secret, mount_path=STORE_FOLDER, optional=True)


def signs(task: PipelineTask, pool: NodePool) -> PipelineTask:
    """The signing key as a mounted file, its passphrase as an environment variable; for the issuing step alone."""
    kubernetes.use_secret_as_env(task, pool.signing_secret, secret_key_to_env=PASSPHRASE, optional=True)
    return kubernetes.use_secret_as_volume(task, pool.signing_secret, mount_path=KEY_FOLDER, optional=True)


def asks_registry(task: PipelineTask, pool: NodePool) -> PipelineTask:
    """The model registry's token and certificate authorities as mounted files; for the publishing step alone."""
    return kubernetes.use_secret_as_volume(task, pool.registry_secret, mount_path=REGISTRY_FOLDER, optional=True)
