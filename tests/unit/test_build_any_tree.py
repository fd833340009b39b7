"""Any tree of files survives build and flatten unchanged."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.build.built import Built
from manyfest.layers.entry import Entry, EntryType, encode_name
from manyfest.layers.tree import Directory, Node, Tree
from manyfest.layers.write import write_layer
from tests.trees import TREES, Folder, Told, keeps_notes, put, told
from tests.unit.building import EPOCH, Bench, layer_entries

Noted = tuple[Entry, bytes]


def flattened(built: Built) -> Tree[Noted]:
    """The layers of the first platform, laid over each other."""
    layers = built.platforms[0].manifest.image.layers
    return Tree.stack(
        Tree.of_layer((entry, (entry, content)) for entry, content in layer_entries(source, layer))
        for layer in layers
        for source in [built.source]
    )


def told_of(built: Built) -> dict[bytes, Told]:
    """What is in the image, in the form of :func:`told`."""
    nodes = {encode_name(path[1:]): node for path, node in flattened(built).walk()}
    first: dict[int, bytes] = {}
    found: dict[bytes, Told] = {}
    for name, node in sorted(nodes.items(), key=lambda item: item[0]):
        found[name] = tell(node)
        if found[name][0] == "file" and first.setdefault(id(node), name) != name:
            found[name] = ("hardlink", 0, first[id(node)], b"")
    return found


def tell(node: Node[Noted]) -> Told:
    if isinstance(node, Directory):
        return ("dir", node.mode or 0, b"", b"")
    assert node.note is not None
    entry, content = node.note
    assert (entry.mtime, entry.nanoseconds, entry.uid, entry.gid) == (EPOCH, 0, 0, 0)
    if entry.type is EntryType.SYMLINK:
        return ("symlink", 0, encode_name(entry.linkname), b"")
    return (entry.type.value, entry.mode, content, entry.xattrs.get("user.note", b""))


@settings(deadline=None, max_examples=40)
@given(TREES)
def test_a_folder_that_is_copied(tree: Folder) -> None:
    with TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary))
        bench.context.mkdir()
        put(tree, bench.context / "t", notes=keeps_notes(bench.context))
        built = bench.build("FROM scratch\nCOPY t /\n")

        assert told_of(built) == told(bench.context / "t")


@settings(deadline=None, max_examples=15)
@given(TREES)
def test_a_folder_that_is_copied_from_stage_to_stage(tree: Folder) -> None:
    with TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary))
        bench.context.mkdir()
        put(tree, bench.context / "t", notes=keeps_notes(bench.context))
        built = bench.build("FROM scratch AS a\nCOPY t /x/y\nFROM scratch\nCOPY --from=a /x/y /\n")

        assert told_of(built) == told(bench.context / "t")


PARTS = st.text("abc", min_size=1, max_size=2)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[Entry, bytes]]:
    """Entries of an archive, none below what is no directory: owners, times, devices, notes."""
    kinds = st.sampled_from([kind for kind in EntryType if kind is not EntryType.HARDLINK])
    found: list[tuple[Entry, bytes]] = []
    for name in draw(st.lists(NAMES, max_size=6, unique=True)):
        kind = draw(kinds)
        content = draw(st.binary(max_size=600)) if kind is EntryType.FILE else b""
        is_device = kind in {EntryType.CHAR, EntryType.BLOCK}
        entry = Entry(
            name=name,
            type=kind,
            mode=draw(st.integers(0, 0o7777)),
            uid=draw(st.integers(0, 2**32 - 2)),
            gid=draw(st.integers(0, 2**32 - 2)),
            size=len(content),
            mtime=draw(st.integers(-(2**31), EPOCH - 1)),
            nanoseconds=draw(st.just(0) | st.integers(0, 999_999_999)),
            linkname="c/../x" if kind is EntryType.SYMLINK else "",
            xattrs=draw(st.just({}) | st.binary(max_size=9).map(lambda note: {"user.note": note})),
            devmajor=draw(st.integers(0, 4095)) if is_device else 0,
            devminor=draw(st.integers(0, 2**20)) if is_device else 0,
        )
        found.append((entry, content))
    blocked = {entry.name for entry, _ in found if entry.type is not EntryType.DIR}
    return [
        item for item in found if not any(item[0].name.startswith(f"{name}/") for name in blocked)
    ]


@settings(deadline=None, max_examples=40)
@given(entries())
def test_an_archive_that_is_added(items: list[tuple[Entry, bytes]]) -> None:
    packed = io.BytesIO()
    write_layer(items, packed, mtime=5)
    with TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary))
        bench.context.mkdir()
        (bench.context / "t.tar").write_bytes(packed.getvalue())
        built = bench.build("FROM scratch\nADD t.tar /\n")
        (layer,) = built.platforms[0].manifest.image.layers
        unpacked = layer_entries(built.source, layer)

    by_name = {entry.name: (entry, content) for entry, content in unpacked}
    assert {name: by_name[name] for name in (entry.name for entry, _ in items)} == {
        entry.name: (entry, content) for entry, content in items
    }
