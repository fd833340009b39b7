"""Archives that were damaged or tampered with anywhere: what comes out is what was in, or an error
of ours."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyfest.errors import ManyfestError
from manyfest.layers.decompress import decompress
from manyfest.oci.manifest import Image
from manyfest.oci.parse import parse_manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.base import CHUNK_SIZE, Source, read_all
from manyfest.stores.memory import MemoryStore
from tests.images import make
from tests.tars import Member, link, oci_members, saved, tar


def _oci() -> list[tuple[str, bytes]]:
    store = MemoryStore()
    return oci_members(store, make(store, "index"))


MEMBERS = {
    "oci": _oci(),
    "docker": saved(("", ["app:v1", "app:latest"])),
    "docker, layers in gzip": saved(("", ["app:v1"]), pack=gzip.compress),
    "docker, layers in zstd": saved(("", []), pack=zstandard.compress),
}
ARCHIVES = {
    **{kind: tar(*members) for kind, members in MEMBERS.items()},
    "oci in gzip": gzip.compress(tar(*_oci()), mtime=0),
    "oci in zstd": zstandard.compress(tar(*_oci())),
}

HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[null]",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"9" * 5000,
    b'{"schemaVersion":2,"manifests":null}',
    b'{"schemaVersion":2,"manifests":[{"digest":"sha256:../../etc/passwd"}]}',
    b'[{"Config":"\\ud800","RepoTags":["\\u0000"],"Layers":["/"]}]',
    b'[{"Config":".","Layers":["."]}]',
    b"\xff\xfe",
    gzip.compress(bytes(100_000), mtime=0),
    zstandard.compress(bytes(100_000)),
]


@dataclass(frozen=True)
class Change:
    """One thing done to an archive's bytes, at a place between 0 and 1 of its length."""

    how: str
    at: float
    size: int
    value: int

    def made(self, raw: bytes) -> bytes:
        start = int(self.at * len(raw))
        block = start // 512 * 512
        end = start + self.size
        match self.how:
            case "flip":
                return raw[:start] + bytes(b ^ self.value for b in raw[start:end]) + raw[end:]
            case "cut out":
                return raw[:start] + raw[end:]
            case "put in":
                return raw[:start] + bytes([self.value]) * self.size + raw[start:]
            case "truncate":
                return raw[:start]
            case "zero":
                return raw[:block] + bytes(512) + raw[block + 512 :]
            case "cut out blocks":
                return raw[:block] + raw[block + 512 * self.size :]
            case "repeat blocks":
                return raw[: block + 512 * self.size] + raw[block:]
        raise AssertionError(self.how)


CHANGES = st.builds(
    Change,
    how=st.sampled_from(
        ["flip", "cut out", "put in", "truncate", "zero", "cut out blocks", "repeat blocks"]
    ),
    at=st.floats(0, 1, exclude_max=True),
    size=st.integers(1, 8),
    value=st.integers(1, 255),
)


def content(raw: bytes, folder: Path) -> list[list[bytes]]:
    """All that is in the one image: per platform its configuration and its unpacked layers."""
    path = folder / "app.tar"
    path.write_bytes(raw)
    with ArchiveStore(path) as source:
        root = parse_manifest(read_all(source, source.resolve("")))
        if not root.is_index:
            return [parts(source, root.image)]
        children = [parse_manifest(read_all(source, child)) for child in root.children]
        return [parts(source, child.image) for child in children]


def parts(source: Source, image: Image) -> list[bytes]:
    layers = (read_all(source, layer) for layer in image.layers)
    return [read_all(source, image.config), *map(unpacked, layers)]


def unpacked(layer: bytes) -> bytes:
    reader = decompress(io.BytesIO(layer))
    return b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))


def content_if_any(raw: bytes, folder: Path) -> list[list[bytes]] | None:
    try:
        return content(raw, folder)
    except ManyfestError:
        return None


@pytest.mark.parametrize("kind", ARCHIVES)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_damage_anywhere_changes_nothing_or_is_told(
    tmp_path: Path, kind: str, changes: list[Change]
) -> None:
    raw = ARCHIVES[kind]
    whole = content(raw, tmp_path)
    for change in changes:
        raw = change.made(raw)
    assert content_if_any(raw, tmp_path) in (whole, None)


@pytest.mark.parametrize("kind", MEMBERS)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_forged_archive_changes_nothing_or_is_told(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    """The tar is always whole; what is in it is not."""
    files = MEMBERS[kind]
    names = [name for name, _ in files]
    forged = data.draw(st.sets(st.integers(0, len(files) - 1), min_size=1, max_size=3))
    members: list[Member] = []
    for at, file in enumerate(files):
        if at in forged:
            members += data.draw(st.one_of(*forgeries(*file, names)))
        else:
            members.append(file)
    assert content_if_any(tar(*members), tmp_path) in (content(tar(*files), tmp_path), None)


def forgeries(name: str, data: bytes, names: list[str]) -> list[st.SearchStrategy[list[Member]]]:
    """What may stand in the place of a file."""
    targets = st.sampled_from([*names, ".", "blobs", "../etc/passwd", "/etc/passwd"])
    return [
        st.builds(lambda change: [(name, change.made(data))], CHANGES),
        st.builds(lambda text: [(name, text)], st.sampled_from(HOSTILE)),
        st.builds(lambda other: [(other, data)], st.sampled_from(names)),
        st.builds(lambda target: [link(name, target)], targets),
        st.builds(lambda target: [link(name, target, symbolic=True)], targets),
        st.just([(name, data), (name, data)]),
        st.just([(f"{name}/below", data)]),
        st.just([]),
    ]


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_truncation_is_told(tmp_path: Path, kind: str) -> None:
    raw = ARCHIVES[kind]
    end = len(raw) if kind.startswith("oci in") else -(-len(raw.rstrip(b"\0")) // 512) * 512 + 1024
    content(raw[:end], tmp_path)
    for size in [*range(0, end, 61), end - 1]:
        with pytest.raises(ManyfestError):
            content(raw[:size], tmp_path)
