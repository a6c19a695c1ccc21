"""What certifying pipelines ask a person for, besides the machines (pipelines/node_pool.py); none of it is a secret."""

from dataclasses import dataclass, field

from pipelines.input_group import InputGroup, form

KEY_FOLDER = "/var/run/secrets/robustcert/signing-key"
REGISTRY_FOLDER = "/var/run/secrets/robustcert/registry"


@dataclass(frozen=True, kw_only=True)
class Source(InputGroup):
    """What is to be certified, and where everything is kept."""

    specification: str = field(
        metadata=form("The specification: an s3:// URI, a path, or its text where that is shorter than 10,000 bytes.")
    )
    store: str = field(metadata=form("The content-addressed store: an s3:// URI, or a folder that every step sees."))
    data_uri: str = field(
        default="",
        metadata=form("Where the data lie, if elsewhere than the specification says, which registers their SHA-256."),
    )
    source_folder: str = field(
        default="", metadata=form("Folder that relative paths of the specification start from; for local runs.")
    )
    run_token: str = field(default="", metadata=form("Any text; a new one makes every step run again."))


@dataclass(frozen=True, kw_only=True)
class Sharding(InputGroup):
    """How certification is spread over machines; the evidence depends on none of it."""

    shards: int = field(
        default=1, metadata=form("Parts that certification is cut into; each is a task on a machine of its own.")
    )
    workers: int = field(default=1, metadata=form("Worker processes per shard; each uses one processor core."))


@dataclass(frozen=True, kw_only=True)
class Issue(InputGroup):
    """Who signs, under which name, and where the certificate is announced."""

    signing_key: str = field(
        default=f"{KEY_FOLDER}/key",
        metadata=form("Path of the private key inside the issuing container; by default that of the signing secret."),
    )
    run_id: str = field(default="", metadata=form("Name of this run; the engine's identifier where empty."))
    supersedes: str = field(
        default="", metadata=form("SHA-256 of the certificate file that the new one replaces; empty for none.")
    )
    reason: str = field(
        default="started by a person", metadata=form("Why the run was started; kept in the run record.")
    )
    registry: str = field(
        default="", metadata=form("Address of Kubeflow's model registry, with https://; empty for none.")
    )
    registry_token: str = field(
        default="",
        metadata=form(f"Path of the registry's bearer token, such as {REGISTRY_FOLDER}/token; empty for none."),
    )
    registry_ca: str = field(
        default="",
        metadata=form(f"Path of the registry's authorities, such as {REGISTRY_FOLDER}/ca.crt; empty for the system's."),
    )
