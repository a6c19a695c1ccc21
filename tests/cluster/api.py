"""A Kubernetes API server given by KUBECONFIG, as tests of the chart see it; needs neither nodes nor Kubeflow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException

# Read while pytest collects: the suite's own conftest.py forgets the settings of the person who runs it.
KUBECONFIG = os.environ.get("KUBECONFIG", "")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Api:
    """The server, with the rights of KUBECONFIG's user."""

    def __init__(self) -> None:
        self.connection = config.new_client_from_config(config_file=KUBECONFIG)
        self.core = client.CoreV1Api(self.connection)
        self.objects = dynamic.DynamicClient(self.connection)

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """A namespace in which Pod Security's level `restricted` is enforced; removed in the end."""
        metadata = client.V1ObjectMeta(name=name, labels=RESTRICTED)
        self.core.create_namespace(client.V1Namespace(metadata=metadata))
        try:
            yield name
        finally:
            self.core.delete_namespace(name)

    @contextmanager
    def priority_classes(self, wanted: set[str]) -> Iterator[None]:
        """PriorityClasses of these names; those that were not there are removed in the end."""
        there = client.SchedulingV1Api(self.connection)
        made = wanted - {each.metadata.name for each in there.list_priority_class().items}
        for name in made:
            there.create_priority_class(client.V1PriorityClass(metadata=client.V1ObjectMeta(name=name), value=1))
        try:
            yield
        finally:
            for name in made:
                there.delete_priority_class(name)

    def knows(self, thing: Mapping[str, Any]) -> bool:
        """Whether the server has the object's kind."""
        try:
            self.objects.resources.get(api_version=thing["apiVersion"], kind=thing["kind"])
        except dynamic.exceptions.ResourceNotFoundError:
            return False
        return True

    def create(self, thing: Mapping[str, Any], *, namespace: str) -> None:
        """Makes the object."""
        kind = self.objects.resources.get(api_version=thing["apiVersion"], kind=thing["kind"])
        kind.create(body=dict(thing), **({"namespace": namespace} if kind.namespaced else {}))

    def refusal(self, thing: Mapping[str, Any], *, namespace: str) -> str:
        """Why the server would not create the object, by a strict dry run; empty where it would."""
        kind = self.objects.resources.get(api_version=thing["apiVersion"], kind=thing["kind"])
        where = {"namespace": namespace} if kind.namespaced else {}
        try:
            kind.create(body=dict(thing), query_params=[("dryRun", "All"), ("fieldValidation", "Strict")], **where)
        except ApiException as error:
            return f"{thing['kind']}/{thing['metadata']['name']}: {error.body}"
        return ""

    def read(self, api_version: str, kind: str, name: str, *, namespace: str) -> Any:
        """One object as a dictionary."""
        found = self.objects.resources.get(api_version=api_version, kind=kind)
        return found.get(name, namespace=namespace).to_dict()

    def found(self, api_version: str, kind: str, *, namespace: str, selector: str = "") -> list[Any]:
        """All objects of a kind."""
        listed = self.objects.resources.get(api_version=api_version, kind=kind)
        return list(listed.get(namespace=namespace, label_selector=selector).to_dict()["items"])

    def allows(self, account: str, *, verb: str, group: str, resource: str, namespace: str) -> bool:
        """The server's own answer, by SubjectAccessReview; `account` is `namespace:name`, `resource` may be a part."""
        kind, _, part = resource.partition("/")
        asked = client.V1ResourceAttributes(
            group=group, resource=kind, subresource=part or None, verb=verb, namespace=namespace or None
        )
        review = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(
                user=f"system:serviceaccount:{account}",
                groups=["system:serviceaccounts", f"system:serviceaccounts:{account.partition(':')[0]}"],
                resource_attributes=asked,
            )
        )
        answered = client.AuthorizationV1Api(self.connection).create_subject_access_review(review)
        return bool(answered.status.allowed)


def eventually(look: Callable[[], Any], *, seconds: float) -> Any:
    """What `look` returns as soon as it is true; AssertionError with the last answer after `seconds`."""
    until = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < until, f"not within {seconds} s; last answer: {seen!r}"
        time.sleep(0.2)
    return seen


def names(objects: Sequence[Mapping[str, Any]]) -> set[str]:
    """Their names."""
    return {thing["metadata"]["name"] for thing in objects}
