from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyfest.errors import InvalidArchive, NotFound
from manyfest.stores.top_file import TopFile

NOTHING = b'{"schemaVersion":2,"manifests":[]}'
NAMED = b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"b"}}'


def write(path: Path, raw: bytes, *, age: float = 1) -> None:
    """A new file in the place of the old one, as old as that."""
    new = path.with_name("new")
    new.write_bytes(raw)
    when = new.stat().st_mtime - age
    os.utime(new, (when, when))
    new.rename(path)


def test_a_file_that_has_not_changed_is_parsed_once(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    write(path, NOTHING)
    file = TopFile(path, where="oci:here")
    assert file.known() is None
    top = file.read()
    assert file.read() is file.known() is top
    assert file.read_anew() is not top


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    write(path, NOTHING)
    file = TopFile(path, where="oci:here")
    assert file.read().raw == NOTHING
    write(path, NAMED)
    assert file.known() is None
    assert file.read().raw == NAMED


def test_a_young_file_may_be_replaced_at_the_same_time_and_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    write(path, NOTHING, age=-1)
    file = TopFile(path, where="oci:here")
    assert file.read().raw == NOTHING
    assert file.known() is None


def test_a_file_that_is_gone_is_known_no_more(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    write(path, NOTHING)
    file = TopFile(path, where="oci:here")
    file.read()
    path.unlink()
    assert file.known() is None
    with pytest.raises(NotFound, match=r"^oci:here: there is no OCI layout here$"):
        file.read()


@pytest.mark.parametrize("raw", [b"", b"{}", b" " * (4 * 1024 * 1024 + 1)])
def test_what_is_no_index_is_told_with_its_path(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "index.json"
    write(path, raw)
    with pytest.raises(InvalidArchive) as caught:
        TopFile(path, where="oci:here").read()
    assert caught.value.where == str(path)
