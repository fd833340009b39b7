"""``make demo``: releases ruff for four platforms to a registry on this machine, and pulls it back.

The registry goes on for a quarter of an hour, so that the commands printed at the end can be tried.
``make demo-stop`` ends it at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REGISTRIES = HERE / "registry"
PID_FILE = HERE / "registry.pid"
LISTEN = "127.0.0.1:5055"
IMAGE = f"{LISTEN}/ruff:0.17.6"
MINUTES = 15

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def main() -> None:
    if sys.argv[1:] == ["stop"]:
        stop_registry()
        return
    start_registry()
    print(f"$ manyfest release --version 0.17.6   (in {HERE.name}/)", file=sys.stderr)
    manyfest("release", "--version", "0.17.6", "--allow-dirty")
    print("\nPulled back, every byte checked:", file=sys.stderr)
    manyfest("check", "--deep", IMAGE)
    print(
        f"\nThe registry at {LISTEN} runs for {MINUTES} more minutes; `make demo-stop` ends it."
        "\nThe command itself is .venv/bin/manyfest.",
        file=sys.stderr,
    )


def registry_folder() -> Path:
    """A registry for each commit: an image is labelled with its commit, and a version's tag is
    never moved to another image. Those of earlier commits are removed."""
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    said = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    folder = REGISTRIES / (said or "no-commit")
    if REGISTRIES.exists():
        for other in REGISTRIES.iterdir():
            if other != folder:
                shutil.rmtree(other)
    return folder


def manyfest(*arguments: str) -> None:
    """Run one command here; if it fails, it has said why, and the demo ends with its status."""
    done = subprocess.run([BIN / "manyfest", *arguments], cwd=HERE, env=ENVIRONMENT, check=False)
    if done.returncode:
        stop_registry()
        sys.exit(done.returncode)


def start_registry() -> None:
    """Start ``manyfest serve`` in the background, in the place of one that an earlier demo left."""
    stop_registry()
    serve = [str(BIN / "manyfest"), "serve", str(registry_folder()), "--listen", LISTEN]
    ready_read, ready_write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, __file__, "guard", *serve],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=ready_write,
        start_new_session=True,
    )
    os.close(ready_write)
    with open(ready_read) as said:
        first = said.readline().strip()
    if not first.startswith("serving"):
        process.wait()
        sys.exit(first or "the registry did not start")
    PID_FILE.write_text(f"{process.pid}\n")


def guard(command: list[str]) -> None:
    """Run the registry, and end it when its time is over."""
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        process.wait(MINUTES * 60)
    except subprocess.TimeoutExpired:
        process.terminate()


def stop_registry() -> None:
    """End the registry that this or an earlier demo started, if it still runs."""
    try:
        pid = int(PID_FILE.read_text())
        if b"demo.py\0guard" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            wait_until_free()
    except (FileNotFoundError, ValueError, ProcessLookupError):
        pass
    PID_FILE.unlink(missing_ok=True)


def wait_until_free() -> None:
    """Wait until nobody listens at the registry's address, at most ten seconds."""
    host, _, port = LISTEN.partition(":")
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) != 0:
                return
        time.sleep(0.1)
    sys.exit(f"the earlier demo's registry at {LISTEN} does not stop")


if __name__ == "__main__":
    if sys.argv[1:2] == ["guard"]:
        guard(sys.argv[2:])
    else:
        main()
