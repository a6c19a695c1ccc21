"""The options that every command against a cluster has, and the client that they make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.kubeflow.client import KubeflowClient

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp reads it too
IN_CLUSTER_HOST = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

HostOption = Annotated[
    str | None,
    typer.Option(
        envvar=HOST_VARIABLE,
        help="URL of Kubeflow Pipelines, such as https://kubeflow.example.org/pipeline; in a pod with a projected "
        "token the service of the cluster where absent.",
    ),
]
NamespaceOption = Annotated[
    str | None, typer.Option(help="Namespace (profile) of the run; in a pod its own where absent.")
]
TokenOption = Annotated[
    Path | None, typer.Option(help="File with a bearer token, read again for each request; in a pod the projected one.")
]
CaOption = Annotated[Path | None, typer.Option(help="Authorities that the server's certificate is verified with, PEM.")]


def connect(
    *, host: str | None, namespace: str | None, token_file: Path | None, ca_file: Path | None
) -> KubeflowClient:
    """A client for the options; what is absent comes from the pod that this process runs in."""
    from robustcert.extras import require_modules

    require_modules("httpx")
    from robustcert.kubeflow.client import KubeflowClient
    from robustcert.kubeflow.connection import Connection
    from robustcert.kubeflow.tokens import TokenFile

    token = token_file or _projected_token()
    if host is None and (token_file is not None or token is None):
        remedy = f"give --host URL, or set {HOST_VARIABLE}"
        raise InputError(expected("the URL of Kubeflow Pipelines", got="none", remedy=remedy))
    return KubeflowClient(
        Connection(
            host=host or IN_CLUSTER_HOST,
            namespace=_own_namespace() if namespace is None else namespace,
            token=None if token is None else TokenFile(token),
            ca_file=ca_file,
        )
    )


def _projected_token() -> Path | None:
    from robustcert.kubeflow.tokens import IN_CLUSTER_TOKEN, IN_CLUSTER_TOKEN_VARIABLE

    path = Path(os.environ.get(IN_CLUSTER_TOKEN_VARIABLE, IN_CLUSTER_TOKEN))
    return path if path.is_file() else None


def _own_namespace() -> str:
    return IN_CLUSTER_NAMESPACE.read_text().strip() if IN_CLUSTER_NAMESPACE.is_file() else ""
