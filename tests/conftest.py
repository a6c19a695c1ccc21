"""What every test shares: no network beyond loopback, no settings of the person who runs them, repeatable searches."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["tests.chain", "tests.command_line", "tests.rados_gateway"]

FOREIGN_SETTINGS = ("ROBUSTCERT_", "AWS_", "MINIO_", "KFP_", "KUBE")
CONNECT = socket.socket.connect

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's root."""
    return Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def _own_settings_only() -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN_SETTINGS)]:
        del os.environ[name]


@pytest.fixture(autouse=True, scope="session")
def _loopback_only(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.config.option.markexpr == "cluster":  # asked for by name, with an address of the person who runs it
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect_on_loopback)
        yield


def _connect_on_loopback(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
        raise ConnectionError(f"a test tried to reach {address[0]}; tests use servers on loopback only")
    CONNECT(self, address)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ((host[:1].isdigit() or ":" in host) and ipaddress.ip_address(host).is_loopback)
