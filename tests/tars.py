"""Archives as other tools write them, made with Python's own tar writer."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from typing import Literal

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.stores.memory import MemoryStore
from tests.images import image

Form = Literal[0, 1, 2]
"""``tarfile``'s USTAR_FORMAT, GNU_FORMAT or PAX_FORMAT."""

Member = tuple[str, bytes] | tarfile.TarInfo


def tar(*members: Member, form: Form = tarfile.PAX_FORMAT) -> bytes:
    """The archive with these members, which are files or what :func:`link` and :func:`other`
    make."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return sink.getvalue()


def link(name: str, target: str, *, symbolic: bool = False) -> tarfile.TarInfo:
    """A link, hard or symbolic."""
    return other(name, tarfile.SYMTYPE if symbolic else tarfile.LNKTYPE, linkname=target)


def other(name: str, kind: bytes, *, linkname: str = "") -> tarfile.TarInfo:
    """A folder, a device, or whatever else has no content."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = linkname
    return info


def header(name: str, size: int, form: Form = tarfile.PAX_FORMAT) -> bytes:
    """The headers of a file that is said to have ``size`` bytes, without any of them."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(form)


def blob_name(digest: Digest) -> str:
    """Where a layout has what has this digest."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def oci_members(store: MemoryStore, root: Manifest, prefix: str = "") -> list[tuple[str, bytes]]:
    """The files of an OCI archive with everything in ``store``, in which ``root`` has no name."""
    entry = {
        "mediaType": root.descriptor.media_type,
        "digest": str(root.descriptor.digest),
        "size": len(root.raw),
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", index)]
    files += [(blob_name(digest), data) for digest, data in store.blobs.items()]
    return [(f"{prefix}{name}", data) for name, data in files]


def saved(
    *images: tuple[str, Sequence[str]], pack: Callable[[bytes], bytes] = bytes
) -> list[tuple[str, bytes]]:
    """The files that ``docker save`` writes for images: each a text that makes it another one, and
    its names. ``pack`` compresses the layers, which Docker itself does not."""
    files: dict[str, bytes] = {}
    listed = []
    for text, names in images:
        store = MemoryStore()
        made = image(store, text=text).image
        config = f"{made.config.digest.hex}.json"
        files[config] = store.blobs[made.config.digest]
        layers = []
        for layer in made.layers:
            folder = layer.digest.hex[::-1]  # an id, which is no digest of anything
            files[f"{folder}/VERSION"] = b"1.0"
            files[f"{folder}/layer.tar"] = pack(store.blobs[layer.digest])
            layers.append(f"{folder}/layer.tar")
        listed.append({"Config": config, "RepoTags": list(names) or None, "Layers": layers})
    files["manifest.json"] = json.dumps(listed).encode()
    return list(files.items())
