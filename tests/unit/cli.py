"""Runs the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from manyfest.cli.main import run
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry import connect
from manyfest.stores.registry.http import Transport
from tests import images


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Manyfest = Callable[..., Ran]


def runner(capsys: pytest.CaptureFixture[str]) -> Manyfest:
    def manyfest(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return manyfest


class _Shared:
    """A transport that is used again after the command line has closed it."""

    def __init__(self, transport: Transport) -> None:
        self.send = transport.send

    def close(self) -> None:
        """It is the test's."""


def reach(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    """Let the command line's requests to whatever registry go here, and no socket be opened."""
    monkeypatch.setattr(connect, "CurlTransport", lambda **_: _Shared(transport))


def make_layout(path: Path, *tags: str) -> LayoutStore:
    """An index for three platforms, under these tags."""
    layout = LayoutStore(path)
    root = images.platforms(layout)
    for tag in tags:
        layout.tag(tag, images.content_of(root))
    return layout
