"""Clears up behind a run whatever becomes of it, even if it is killed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_PATIENCE = 60.0
_SHOWN = 300


@contextmanager
def guarded(
    script: str, *, environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[None]:
    """Run a shell ``script`` when the block ends, or when this process does, however it ends.

    A shell waits for that, in a session of its own, where Ctrl-C does not reach it: it reads from a
    pipe that ends with us. If the script fails, what it printed to stderr is said.
    """
    with tempfile.TemporaryFile() as said:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", f"cat\n{script}"], env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            why = _finish(guard)
            if why is None:
                said.seek(0)
                why = " ".join(said.read(_SHOWN).decode(errors="replace").split())
            if guard.returncode != 0:
                say(f"smoke test: could not clear up: {why}")


def _finish(guard: subprocess.Popen[bytes]) -> str | None:
    """Have it begin, and wait for its end; why it is not waited for any longer, if so."""
    if guard.stdin is not None:
        guard.stdin.close()
    try:
        guard.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"it takes over {_PATIENCE:g} seconds, and goes on by itself"
    return None
