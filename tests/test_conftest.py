"""The guard that all other tests run behind."""

import socket

import pytest


def test_reaching_beyond_loopback_is_refused() -> None:
    """192.0.2.0/24 is reserved for documentation (RFC 5737): nothing answers there in any case."""
    with pytest.raises(ConnectionError, match=r"a test tried to reach 192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_server_on_loopback_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
