"""No test reads or leaves anything in a user's own cache, nor takes the CI that runs it for that of
the projects in it."""

from __future__ import annotations

import os
import signal

import pytest

_OF_CI = ("CI_", "DRONE", "GITHUB_", "GITLAB_")


def pytest_configure() -> None:
    """Tests press Ctrl-C, and whoever starts them in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests of what the cache does set a folder of their own.
    monkeypatch.setenv("MANYFEST_CACHE_DIR", "off")


@pytest.fixture(autouse=True)
def _outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name == "CI" or name.startswith(_OF_CI)]:
        monkeypatch.delenv(name)
