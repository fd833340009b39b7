"""An image as lines of text, the same for every builder: what is in it and how it is run.

Every layer is read and laid over those below it by :mod:`manyfest.layers.tree`; that the outcome is
what an unpacker makes of the image, ``test_differential.py`` shows with umoci. Times are left out:
none of the real builders is asked for determinism.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from manyfest.graph import read_manifest
from manyfest.layers.decompress import decompress
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import read_entries
from manyfest.layers.tree import Directory, Tree
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Index, Manifest
from manyfest.stores.base import Source, read_all

Lines = tuple[str, ...]

_SHORT = 60


def picture(source: Source, name: str) -> Lines:
    """The files, the configuration and the history of the one image called ``name``."""
    manifest = read_manifest(source, source.resolve(name))
    if isinstance(manifest.body, Index):
        [entry] = manifest.body.manifests
        manifest = read_manifest(source, entry)
    config = json.loads(read_all(source, manifest.image.config))
    return (*files(source, manifest), *_config(config), *_history(config))


def files(source: Source, manifest: Manifest) -> Iterator[str]:
    """``/usr/bin/app 755 0:0 file 'text'`` for every name, in order."""
    owners: dict[str, Entry] = {}
    layers = [Tree.of_layer(_noted(source, layer, owners)) for layer in manifest.image.layers]
    names: dict[int, str] = {}
    for path, node in Tree.stack(layers).walk():
        if isinstance(node, Directory):
            entry = owners.get(path.lstrip("/"), Entry(name=path, type=EntryType.DIR))
            yield _line(path, node.mode or 0, entry.uid, entry.gid, "dir")
            continue
        assert node.note is not None
        entry, content = node.note
        first = names.setdefault(id(node), path)
        what = content if first == path else f"== {first}"
        yield _line(path, entry.mode, entry.uid, entry.gid, what)


def files_on_disk(root: Path) -> Iterator[str]:
    """The same lines for an unpacked image."""
    names: dict[int, str] = {}
    for path in sorted(_below(root), key=lambda each: each.relative_to(root).parts):
        status = path.lstat()
        name = f"/{path.relative_to(root)}"
        first = name
        if not stat.S_ISDIR(status.st_mode):
            first = names.setdefault(status.st_ino, name)
        what = _on_disk(path, status) if first == name else f"== {first}"
        yield _line(name, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, what)


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        yield from (Path(folder) / name for name in (*folders, *names))


def _on_disk(path: Path, status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "dir"
    if stat.S_ISLNK(status.st_mode):
        return f"-> {path.readlink()}"
    if not stat.S_ISREG(status.st_mode):
        return "fifo" if stat.S_ISFIFO(status.st_mode) else "device"
    xattrs = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return f"file {_content(path.read_bytes())}{_xattrs(xattrs)}"


def _line(path: str, mode: int, uid: int, gid: int, what: str) -> str:
    # What mode a symbolic link has depends on who unpacks it.
    return f"{path!r} {'' if what.startswith('-> ') else f'{mode:o} '}{uid}:{gid} {what}"


def _noted(
    source: Source, layer: Descriptor, owners: dict[str, Entry]
) -> Iterator[tuple[Entry, tuple[Entry, str]]]:
    with closing(source.open(layer)) as blob:
        for entry, content in read_entries(decompress(blob)):
            if entry.type is EntryType.DIR:
                owners[entry.name] = entry
            yield entry, (entry, _what(entry, content.read(entry.size) if entry.size else b""))


def _what(entry: Entry, content: bytes) -> str:
    if entry.type is EntryType.SYMLINK:
        return f"-> {entry.linkname}"
    if entry.type is not EntryType.FILE:
        return "fifo" if entry.type is EntryType.FIFO else "device"
    return f"file {_content(content)}{_xattrs(entry.xattrs)}"


def _content(content: bytes) -> str:
    """Short text as it is, and anything else by its digest."""
    text = repr(content)[1:]
    digest = hashlib.sha256(content).hexdigest()
    return text if len(text) < _SHORT else f"{len(content)} bytes {digest[:16]}"


def _xattrs(xattrs: Mapping[str, bytes]) -> str:
    return "".join(f" {name}={value.hex()}" for name, value in sorted(xattrs.items()))


def _config(config: dict[str, Any]) -> Iterator[str]:
    for name in ("os", "architecture", "variant", "author"):
        if config.get(name):
            yield f"{name}: {config[name]}"
    for name, value in sorted(config["config"].items()):
        if isinstance(value, dict):
            told = {key: each for key, each in value.items() if each not in (None, 0, [])}
            yield from (f"{name}.{key}: {told[key]!r}" for key in sorted(told))
        elif value:
            yield f"{name}: {value!r}"


def _history(config: dict[str, Any]) -> Iterable[str]:
    for number, step in enumerate(config.get("history", ()), 1):
        layer = "" if step.get("empty_layer") else "layer "
        yield f"history {number}: {layer}{step.get('created_by', '')}"
