"""A store with a published certificate, and the example served from it by a real server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from examples.serving.app import Settings, open_serving
from examples.serving.served_model import Draws
from robustcert.certificate.published import publish_document
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.examples.serving.server import Running, running


@pytest.fixture
def published_store(chain: Chain, tmp_path: Path) -> Store:
    """A copy of the chain's store, its certificate published."""
    store = copied_store(chain, tmp_path)
    publish_document(store, chain.files.certificate.read_bytes(), now=datetime.now(UTC))
    return store


@pytest.fixture
def settings_of(chain: Chain, published_store: Store) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        wanted = {
            "store": published_store.uri,
            "certificate": "digits",
            "trusted_keys": chain.public_key,
            "draws": Draws(n=256, radius_n=256),
        }
        return Settings(**(wanted | changes))

    return make


@pytest.fixture
def served(settings_of: Callable[..., Settings]) -> Iterator[Callable[..., Running]]:
    """`served(**changes of the settings)` is a running server; all are stopped at the end."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Running:
            serving = open_serving(settings_of(**changes))
            return Running(serving=serving, client=stack.enter_context(running(serving)))

        yield start
