"""What the tests on an API server share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.cluster.api import Api


@pytest.fixture(scope="module")
def api() -> Api:
    """The server of KUBECONFIG."""
    return Api()


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of its own, removed in the end."""
    with api.namespace(f"robustcert-test-{secrets.token_hex(4)}") as made:
        yield made
