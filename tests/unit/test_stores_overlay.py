from __future__ import annotations

from io import BytesIO

import pytest

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.overlay import Overlay

ONE, TWO, NONE = (Descriptor.of(data, "text/plain") for data in (b"1", b"2", b"3"))


def overlay() -> tuple[Overlay, MemoryStore, MemoryStore]:
    first, second = MemoryStore("first"), MemoryStore("second")
    first.tag("a", Content(ONE, lambda: BytesIO(b"1")))
    second.tag("a", Content(TWO, lambda: BytesIO(b"2")))
    second.tag("b", Content(TWO, lambda: BytesIO(b"2")))
    return Overlay([first, second]), first, second


def test_names_are_looked_up_in_turn() -> None:
    both, _, _ = overlay()

    assert both.resolve("a") == ONE
    assert both.resolve("b") == TWO
    with pytest.raises(NotFound, match="second: 'c' is not in it"):
        both.resolve("c")


def test_content_comes_from_the_source_that_has_it() -> None:
    both, first, second = overlay()

    assert read_all(both, ONE) == b"1"
    assert read_all(both, TWO) == b"2"
    assert [both.origin(each) for each in (ONE, TWO)] == [first, second]
    assert [both.has(each) for each in (ONE, TWO, NONE)] == [True, True, False]
    with pytest.raises(NotFound):
        both.open(NONE)


def test_closing_leaves_the_sources_to_their_owners() -> None:
    class Open(MemoryStore):
        def close(self) -> None:
            raise AssertionError

    with Overlay([Open()]):
        pass
