"""The README's first command, from a clean clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import real

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
DEMO_PORT = 5055


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", target],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        capture_output=True,
        text=True,
        check=False,
    )


def digest(output: str) -> str:
    """The digest that stands alone on a line."""
    found = re.search(r"^sha256:[0-9a-f]{64}$", output, re.MULTILINE)
    assert found is not None, output
    return found.group()


def test_the_demo_releases_once_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    real.need_programs("git", "make")
    real.need("the demo's port is taken", met=not real.is_listening(DEMO_PORT))
    clone = tmp_path / "manyfest"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    try:
        first = make(clone, "demo")
        assert first.returncode == 0, first.stderr
        second = make(clone, "demo")
        assert second.returncode == 0, second.stderr
    finally:
        make(clone, "demo-stop")

    assert "uploaded  42.6 MB" in first.stdout
    assert "uploaded  0 bytes" in second.stdout
    assert "docker pull 127.0.0.1:5055/ruff:0.17.6" in first.stdout
    assert digest(second.stdout) == digest(first.stdout)
    assert not real.is_listening(DEMO_PORT)
