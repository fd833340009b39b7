"""Unit tests reach no network: a socket that one of them opens is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    # asyncio's loops wake themselves up by a pair of Unix sockets, which lead nowhere.
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
