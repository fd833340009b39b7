"""Names as Docker knows them: ``app``, ``app:latest`` and ``docker.io/library/app:latest`` are
one."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.errors import InvalidReference
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.stores.names import CONTAINERD_NAME, REF_NAME, named


def familiar(text: str) -> str:
    """The one form of a name, as Docker shows it: ``team/app:1.2``. The empty string for what is
    no name."""
    try:
        return Name.parse(text).familiar
    except InvalidReference:
        return ""


def docker_names(entry: Descriptor) -> tuple[str, ...]:
    """The familiar names that an index gives an entry; a tag alone is none."""
    names = (entry.annotations.get(CONTAINERD_NAME, ""), entry.annotations.get(REF_NAME, ""))
    found = (familiar(name) for name in names if "/" in name or ":" in name)
    return tuple(dict.fromkeys(filter(None, found)))


def entries_named(top: Manifest, name: str) -> list[Descriptor]:
    """The entries of ``index.json`` that Docker would know as ``name``, however that is written."""
    wanted = familiar(name)
    return [entry for entry in top.index.manifests if wanted and wanted in docker_names(entry)]


def all_docker_names(top: Manifest) -> Iterator[str]:
    """Every name that Docker would know, once, in the index's order."""
    names = (name for entry in top.index.manifests for name in docker_names(entry))
    return iter(dict.fromkeys(names))


def names_of(top: Manifest, root: Digest) -> tuple[str, ...]:
    """What ``index.json`` calls an image: by the names that Docker would know, or by its tag where
    there are none."""
    entries = top.index.manifests
    if root != top.descriptor.digest:  # which it is if it is the image's own index
        entries = tuple(entry for entry in entries if entry.digest == root)
    names = (name for entry in entries for name in docker_names(entry) or (named(entry),))
    return tuple(dict.fromkeys(filter(None, names)))
