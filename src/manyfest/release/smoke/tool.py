"""A runtime's own program, at what it does and tells at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from manyfest.errors import StoreError

_T = TypeVar("_T", bound=msgspec.Struct)

_PATIENCE = 600.0
"""Seconds until it is given up: it may be copying a large image on a slow disk."""

_SHOWN = 300


class Tool:
    """``program``, run with ``environment`` added to ours."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self.environment = environment

    def run(self, *words: str) -> str:
        """What it prints. Raises :class:`~manyfest.errors.StoreError` with what it says if it
        fails."""
        try:
            done = subprocess.run(
                [self.program, *words], env={**os.environ, **self.environment}, text=True,
                stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE,
                errors="replace", start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise self._failure(f"{words[0]} took over {_PATIENCE:g} seconds") from None
        except OSError as error:
            raise self._failure(f"it cannot be started: {error.strerror}") from None
        if done.returncode:
            said = " ".join(done.stderr.split()).removeprefix("Error: ")
            raise self._failure(said[-_SHOWN:] or f"{words[0]} failed")
        return done.stdout

    def tell(self, kind: type[_T], *words: str) -> _T:
        """What it prints, decoded from JSON; raises as :meth:`run` does."""
        try:
            return msgspec.json.decode(self.run(*words), type=kind)
        except msgspec.DecodeError as error:
            raise self._failure(f"its answer to {words[0]} is not understood: {error}") from None

    def try_to(self, *words: str) -> None:
        """Run it, whatever comes of it."""
        try:
            self.run(*words)
        except StoreError:
            return

    def _failure(self, what: str) -> StoreError:
        return StoreError(what, where=self.program)
