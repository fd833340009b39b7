"""The example of a watch in a container: the image is built by manyfest itself, and it watches."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import debian, real
from tests.integration.test_examples import PYTHON, example, manyfest, registry

pytestmark = pytest.mark.real
__all__ = ["registry"]

ROOT = Path(__file__).parents[2]
LIBRARIES = ["libsqlite3-0", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1"]
WATCH = """\
images:
  - in: [registry.invalid/app]
    platforms: [linux/amd64]
history: {database: /data/watch.db}
"""
PATIENCE = 90.0
ASK = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/readyz').read().decode())"


def python_base(registry: str, folder: Path) -> str:
    """Debian's Python with what its modules need."""
    debian.unpack([*PYTHON, *LIBRARIES], "amd64", folder / "root", folder / "scratch")
    (folder / "root/usr/bin/python3").symlink_to("python3.11")
    (folder / "root/tmp").mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY root/ /\nENV PATH=/usr/bin\n")
    name = f"{registry}/python:3-slim"
    manyfest("build", ".", "--platform", "linux/amd64", "-o", name, cwd=folder)
    return name


def test_the_image_of_a_watch_watches(
    registry: str,
    docker: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheels = tmp_path / "wheels"
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", wheels, ROOT]
    real.output_of(*map(str, wheel))
    (found,) = wheels.glob("*.whl")
    monkeypatch.setenv("MANYFEST", str(found))
    monkeypatch.setenv("PYTHON", "3.11")
    base = python_base(registry, tmp_path / "base")
    folder = example("watch", tmp_path / "watch")
    image = f"{registry}/manyfest-watch:0.1.0"
    told = ("--version", "0.1.0", "--platform", "linux/amd64", "--build-arg", f"BASE={base}")
    manyfest("build", *told, "-o", image, cwd=folder)

    (tmp_path / "watch.yaml").write_text(WATCH)
    mount = f"--volume={tmp_path / 'watch.yaml'}:/data/watch.yaml:ro"
    run = [*docker, "run", "--detach", "--network=none", "--read-only", "--cap-drop=ALL", mount]
    started = real.output_of(*run, image)
    try:
        ask = [*docker, "exec", started, "python3", "-c", ASK]
        end = time.monotonic() + PATIENCE
        while subprocess.run(ask, capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < end, log_of(docker, started)
            time.sleep(0.2)
        real.output_of(*docker, "stop", "--time=20", started)
        log = log_of(docker, started)
    finally:
        real.output_of(*docker, "rm", "--force", started)
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    # Its first look may be over, and logged, by then.
    assert "watching an image; pages at 0.0.0.0:8080" in messages
    assert messages[-1] == "stopped"


def log_of(docker: list[str], container: str) -> str:
    """What it has logged."""
    logs = [*docker, "logs", container]
    return subprocess.run(logs, capture_output=True, text=True, check=False).stderr
