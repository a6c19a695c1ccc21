"""How the exporter reaches a Kubernetes API server: in a cluster by its service account, elsewhere by kubeconfig."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.exporter.kubernetes_watch import KINDS, Answer, ApiError, Ask, KubernetesWatch, Pace
from robustcert.errors import InputError, expected

CONNECT_SECONDS = 5.0


def watches(*, namespace: str, pace: Pace | None = None) -> list[KubernetesWatch]:
    """A watch of each kind, not yet started; InputError without the client or without a cluster's configuration."""
    ask = connect()
    return [KubernetesWatch(kind, ask, namespace=namespace, pace=pace) for kind in KINDS]


def connect() -> Ask:
    """Asks with the credentials of the service account or of kubeconfig, which the client reads again when they end."""
    try:
        from kubernetes import client, config
    except ImportError:
        remedy = "install robustcert[monitoring]"
        raise InputError(
            expected("the kubernetes client for --kubernetes", got="no such package", remedy=remedy)
        ) from None
    try:
        try:
            config.load_incluster_config()
        except config.ConfigException:
            config.load_kube_config()
    except (config.ConfigException, OSError) as error:
        remedy = "run in a cluster, or name a kubeconfig in KUBECONFIG"
        got = " ".join(str(error).split())[:200]
        raise InputError(expected("a Kubernetes configuration", got=got, remedy=remedy)) from error
    api = client.ApiClient()

    def ask(path: str, query: Mapping[str, str], silence: float) -> Answer:
        try:
            answer: Answer = api.call_api(
                path,
                "GET",
                query_params=list(query.items()),
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(CONNECT_SECONDS, silence),
            )
        except client.ApiException as error:
            raise ApiError(error.status) from None
        return answer

    return ask
