"""No test reads or leaves anything in a user's own cache, nor takes the CI that runs it for that of
the projects in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

_UNIT = Path(__file__).parent / "unit"

_OF_CI = ("CI_", "DRONE", "GITHUB_", "GITLAB_")


def pytest_configure() -> None:
    """Tests press Ctrl-C, and whoever starts them in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Where several processes share the tests, one has all those with real parts, which share
    daemons; of the others, which need a processor, those of one file stay together."""
    for item in items:
        group = item.path.stem if item.path.is_relative_to(_UNIT) else "real parts"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests of what the cache does set a folder of their own.
    monkeypatch.setenv("MANYFEST_CACHE_DIR", "off")


@pytest.fixture(autouse=True)
def _outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name == "CI" or name.startswith(_OF_CI)]:
        monkeypatch.delenv(name)
