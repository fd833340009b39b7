"""Runs the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from manyfest.cli.main import run
from manyfest.stores.layout import LayoutStore
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


def make_layout(path: Path, *tags: str) -> LayoutStore:
    """An index for three platforms, under these tags."""
    layout = LayoutStore(path)
    root = images.platforms(layout)
    for tag in tags:
        layout.tag(tag, images.content_of(root))
    return layout
