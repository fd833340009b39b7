from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.stores.cache_folder import cache_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, "/home/jane/.cache/manyfest"),
        ({"XDG_CACHE_HOME": "/tmp/xdg"}, "/tmp/xdg/manyfest"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/jane/.cache/manyfest"),
        ({"MANYFEST_CACHE_DIR": "/data", "XDG_CACHE_HOME": "/tmp/xdg"}, "/data"),
        ({"MANYFEST_CACHE_DIR": "off"}, None),
        ({"MANYFEST_CACHE_DIR": ""}, None),
    ],
)
def test_where_what_saves_time_is_kept(environ: dict[str, str], folder: str | None) -> None:
    found = cache_folder(environ, Path("/home/jane"))
    assert found == (Path(folder) if folder else None)
