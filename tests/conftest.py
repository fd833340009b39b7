"""No test reads or leaves anything in a user's own cache."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests of what the cache does set a folder of their own.
    monkeypatch.setenv("MANYFEST_CACHE_DIR", "off")
