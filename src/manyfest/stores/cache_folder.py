"""Where what only saves time is kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_OFF = frozenset({"", "off"})


def cache_folder(environ: Mapping[str, str], home: Path) -> Path | None:
    """The folder that holds all of it; ``None`` if ``MANYFEST_CACHE_DIR`` says nowhere."""
    told = environ.get("MANYFEST_CACHE_DIR")
    if told is not None:
        return None if told in _OFF else Path(told)
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    # By its specification a relative path there counts as none.
    return (base if base.is_absolute() else home / ".cache") / "manyfest"
