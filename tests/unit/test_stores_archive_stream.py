from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import pytest

from manyfest.copy import Item, copy_graphs
from manyfest.errors import DigestMismatch, StoreError, UsageError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.stream import ArchiveStream
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Attaches, Content, Ordered, Plans, Target
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.recorders import graph_of

NAMING = Naming("ghcr.io/team/app", Platform.parse("linux/amd64"))


def fill(target: Target, kind: str) -> None:
    """Two images of a kind, one of them with two names, and something that refers to it."""
    store = MemoryStore()
    root = images.make(store, kind)
    other = images.platforms(store, text="another")
    store.tag("other", images.content_of(other))
    bill = images.artifact(store)
    store.tag("bill", images.content_of(bill))
    graph = graph_of(store)
    copy_graphs(
        store,
        [
            Item(graph=graph_of(store, "bill"), subject=root.descriptor, accompanies=True),
            Item(graph=graph_of(store, "other"), tags=("other",)),
            Item(graph=graph, tags=("v1", "latest")),
        ],
        target,
    )


def streamed(kind: str) -> bytes:
    sink = io.BytesIO()
    with ArchiveStream(sink.write, label="a test", naming=NAMING) as stream:
        fill(stream, kind)
    return sink.getvalue()


@pytest.mark.parametrize("kind", images.KINDS)
def test_the_stream_is_the_file_byte_for_byte(tmp_path: Path, kind: str) -> None:
    for _ in range(3):  # whichever thread comes first
        with ArchiveWriter(tmp_path / "image.tar", naming=NAMING) as writer:
            fill(writer, kind)
        assert streamed(kind) == (tmp_path / "image.tar").read_bytes()


def test_it_can_do_what_a_copy_asks_of_a_stream() -> None:
    stream = ArchiveStream(io.BytesIO().write, label="a test")
    assert isinstance(stream, Ordered)
    assert stream.ordered
    assert isinstance(stream, Plans)
    assert isinstance(stream, Attaches)


def test_nothing_is_written_before_something_comes() -> None:
    sink = io.BytesIO()
    stream = ArchiveStream(sink.write, label="a test")
    assert sink.getvalue() == b""
    with stream:
        images.make(stream, "image")
    assert sink.getvalue().startswith(b"oci-layout\0")


def begin_and_fail(sink: io.BytesIO) -> None:
    with ArchiveStream(sink.write, label="a test") as stream:
        images.make(stream, "image")
        raise KeyboardInterrupt


def test_after_an_error_the_end_never_comes() -> None:
    sink = io.BytesIO()
    with pytest.raises(KeyboardInterrupt):
        begin_and_fail(sink)
    assert sink.getvalue().startswith(b"oci-layout\0")
    assert b"index.json" not in sink.getvalue()


def test_what_broke_off_cannot_be_made_good() -> None:
    blob = Descriptor.of(b"content", images.OCI_LAYER)
    stream = ArchiveStream(io.BytesIO().write, label="a test")
    with pytest.raises(DigestMismatch, match="ends after 3 of 7 bytes"):
        stream.put(Content(blob, lambda: io.BytesIO(b"con")))
    broken = f"a test: blobs/sha256/{blob.digest.hex} broke off in the middle"
    with pytest.raises(StoreError, match=broken):
        images.put(stream, b"more")


def test_standard_output_takes_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "out.tar"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    stream = ArchiveStream.standard_output(naming=NAMING, descriptor=descriptor)
    with stream:
        fill(stream, "index")
    os.close(descriptor)
    assert path.read_bytes() == streamed("index")


def test_a_reader_that_went_away_is_one_clear_line() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = ArchiveStream.standard_output(descriptor=writing)
    with pytest.raises(StoreError) as caught, stream:
        images.make(stream, "image")
    os.close(writing)
    assert str(caught.value) == "standard output: cannot be written: Broken pipe"


def test_a_terminal_is_refused() -> None:
    main, terminal = pty.openpty()
    try:
        with pytest.raises(UsageError) as caught:
            ArchiveStream.standard_output(descriptor=terminal)
    finally:
        os.close(main)
        os.close(terminal)
    assert str(caught.value) == (
        "standard output: an archive is not for a terminal to show; send it to a file or a program"
    )
