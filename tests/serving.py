"""``manyfest serve`` in processes of their own, to be stopped and killed."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVE = """
import sys
from pathlib import Path
from manyfest.serve.server import run
run(Path(sys.argv[1]), sys.argv[2], on_ready=lambda address: print(address, flush=True))
"""

Answer = tuple[int, dict[str, str], bytes]
"""Status, fields by their names in lower case, and body."""


@contextmanager
def served(
    root: Path, listen: str = "127.0.0.1:0"
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A registry in a process of its own, and its address."""
    command = [sys.executable, "-c", SERVE, str(root), listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().decode().strip()
        finally:
            process.kill()


def ask(address: str, method: str, path: str, body: bytes | None = None, **fields: str) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=20)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return (
            response.status,
            {key.lower(): value for key, value in response.getheaders()},
            response.read(),
        )
    finally:
        connection.close()
