"""Kubeflow component: makes an accepted certificate findable, in the store and in a model registry."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def publish(
    store: str,
    certificate: dsl.Input[dsl.Artifact],
    registry: str = "",
    registry_token: str = "",
    registry_ca: str = "",
) -> NamedTuple("Outputs", [("published", str)]):  # type: ignore[valid-type]
    """Publishes an accepted certificate: the store's document of its model, and a version in Kubeflow's model registry.

    Args:
        store: Folder or s3:// URI of the content-addressed store.
        certificate: The signed certificate, a DSSE envelope.
        registry: Address of Kubeflow's model registry, such as https://model-registry.example:8443; empty for none.
        registry_token: Path of a mounted file with the registry's bearer token; empty for none.
        registry_ca: Path of a mounted file with the certificate authorities of the registry; empty for the system's.

    Returns:
        published: URI of the store's document that names the model's certificate in force.
    """
    from pathlib import Path

    from robustcert.steps.publish import publish_certificate

    text = {"store": store, "registry": registry, "registry_token": registry_token, "registry_ca": registry_ca}
    return (publish_certificate(**text, certificate=Path(certificate.path)),)
