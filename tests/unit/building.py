"""A context in a folder, built natively, and what came of it, written down shortly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from manyfest.build.builder import build
from manyfest.build.built import Built
from manyfest.build.request import BuildRequest
from manyfest.layers.decompress import decompress
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import read_entries
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.progress import NoProgress
from manyfest.stores.base import Reader, Source
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import FunctionTransport, Request, Response, Transport

EPOCH = 1_700_000_000


def _unreachable(request: Request) -> Response:
    raise AssertionError(f"{request.url} was asked for")


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files of mode 0644 under their names; ``dir/`` is a directory, ``-> x`` a link to ``x``."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, mode=0o755)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
            continue
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)
    return root


@dataclass
class Bench:
    """Builds in ``folder``, whose ``context`` holds what is to be copied."""

    folder: Path
    bases: dict[str, Source] = field(default_factory=dict)
    web: Transport = field(default_factory=lambda: FunctionTransport(_unreachable))
    runs: int = 0

    @property
    def context(self) -> Path:
        return self.folder / "context"

    def request(self, dockerfile: str, *platforms: str, args: Mapping[str, str]) -> BuildRequest:
        self.context.mkdir(parents=True, exist_ok=True)
        path = self.context / "Dockerfile"
        path.write_text(dockerfile)
        return BuildRequest(
            context=self.context,
            dockerfile=path,
            platforms=tuple(Platform.parse(each) for each in platforms or ("linux/amd64",)),
            build_args=args,
            epoch=EPOCH,
        )

    def build(
        self, dockerfile: str, *platforms: str, args: Mapping[str, str] | None = None
    ) -> Built:
        return self.run(self.request(dockerfile, *platforms, args=args or {}))

    def run(self, request: BuildRequest) -> Built:
        self.runs += 1
        return build(
            request,
            workspace=LayoutStore(self.folder / f"work{self.runs}"),
            open_image=self.open,
            open_web=lambda: self.web,
            progress=NoProgress(),
        )

    def open(self, name: Name) -> Source:
        return self.bases[str(name)]

    def config(self, dockerfile: str, platform: str = "linux/amd64") -> ImageConfig:
        return self.build(dockerfile, platform).platforms[0].config

    def files(self, dockerfile: str) -> list[str]:
        """The image's files, as :func:`shown` shows them."""
        return image_files(self.build(dockerfile))


def image_files(built: Built, number: int = 0) -> list[str]:
    """One platform's files, its layers laid over each other; whiteouts do not occur here."""
    found: dict[str, str] = {}
    for layer in built.platforms[number].manifest.image.layers:
        for entry, content in layer_entries(built.source, layer):
            if entry.type is not EntryType.DIR:
                for name in [name for name in found if name.startswith(f"{entry.name}/")]:
                    del found[name]
            found[entry.name] = shown(entry, content)
    return [found[name] for name in sorted(found)]


def layer_files(built: Built, layer: int = -1, number: int = 0) -> list[str]:
    """What one layer holds, in its order."""
    descriptor = built.platforms[number].manifest.image.layers[layer]
    return [shown(entry, content) for entry, content in layer_entries(built.source, descriptor)]


def layer_entries(source: Source, layer: Descriptor) -> list[tuple[Entry, bytes]]:
    with closing(source.open(layer)) as blob:
        return [
            (entry, content.read(entry.size) if entry.size else b"")
            for entry, content in read_entries(decompress(blob))
        ]


def shown(entry: Entry, content: bytes) -> str:
    """``app/run 755 1:2 =text``: name, mode, owner unless root, and what is in it."""
    owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    mode = "" if entry.type is EntryType.SYMLINK else f" {entry.mode:o}"
    tail = {
        EntryType.DIR: "",
        EntryType.FILE: f" ={content[:20].decode()}",
        EntryType.SYMLINK: f" -> {entry.linkname}",
        EntryType.HARDLINK: f" == {entry.linkname}",
    }.get(entry.type, f" {entry.type}")
    slash = "/" if entry.type is EntryType.DIR else ""
    return f"{entry.name}{slash}{mode}{owner}{tail}"


class Sealed(MemoryStore):
    """A store that fails the test if one of ``sealed`` is opened."""

    def __init__(self) -> None:
        super().__init__("sealed")
        self.sealed: set[str] = set()
        self.opened: list[str] = []

    def open(self, descriptor: Descriptor) -> Reader:
        assert str(descriptor.digest) not in self.sealed, "a layer of the base was opened"
        self.opened.append(str(descriptor.digest))
        return super().open(descriptor)


def stored(built: Built, name: str) -> Sealed:
    """A built image in a store of its own, under ``name``; its layers can be sealed."""
    store = Sealed()
    for descriptor in built.graph.descriptors:
        with closing(built.source.open(descriptor)) as reader:
            store.blobs[descriptor.digest] = reader.read(descriptor.size + 1)
    store.names[name] = built.graph.root.descriptor
    return store


def seal_layers(store: Sealed, built: Built) -> None:
    store.sealed = {
        str(layer.digest) for each in built.platforms for layer in each.manifest.image.layers
    }


def bench_with_base(folder: Path, dockerfile: str, files: Mapping[str, str | bytes]) -> Bench:
    """A bench on which ``FROM base:1`` is what ``dockerfile`` makes."""
    base = Bench(folder / "base")
    write(base.context, files)
    built = base.build(dockerfile, "linux/amd64", "linux/arm64")
    store = stored(built, "1")
    bench = Bench(folder / "app")
    bench.bases["docker.io/library/base:1"] = store
    return bench


def clone(folder: Path, to: Path, change: Callable[[Path], None]) -> Path:
    """A copy of a folder on whose files ``change`` was called."""
    shutil.copytree(folder, to, symlinks=True)
    for root, folders, files in os.walk(to):
        for name in (*folders, *files):
            change(Path(root) / name)
    return to
