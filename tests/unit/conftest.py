"""Unit tests reach no network: a socket that one of them opens is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

from tests.unit.cli import Manyfest, reach, runner
from tests.unit.internet import Internet


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    # asyncio's loops wake themselves up by a pair of Unix sockets, which lead nowhere.
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture
def manyfest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Manyfest:
    """The command line, in an empty folder that is the user's home too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return runner(capsys)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """Two registries, and the command line reaches no others."""
    made = Internet()
    reach(monkeypatch, made)
    yield made
    made.close()
