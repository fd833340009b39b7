"""The base images, made without our builder and put into a registry on loopback."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.differential.case import archive, member

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")

_PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n"
_GROUP = "root:x:0:\nstaff:x:50:\napp:x:1001:\n"
_DIR, _LINK = tarfile.DIRTYPE, tarfile.SYMTYPE

_FILES = [
    member("etc/", kind=_DIR, mode=0o755),
    member("etc/passwd", _PASSWD),
    member("etc/group", _GROUP),
    member("usr/", kind=_DIR, mode=0o755),
    member("usr/bin/", kind=_DIR, mode=0o755),
    member("usr/bin/tool", "tool", mode=0o755),
    member("bin", kind=_LINK, to="usr/bin"),
    member("home/", kind=_DIR, mode=0o755),
    member("home/app/", kind=_DIR, mode=0o750, uid=1000, gid=1001),
    member("data/", kind=_DIR, mode=0o1777, uid=1000, gid=1001),
    member("data/old", "old", mode=0o600, uid=1000, gid=1001),
    member("srv/", kind=_DIR, mode=0o755),
    member("srv/www/", kind=_DIR, mode=0o775, gid=50),
    member("srv/www/index", "index", gid=50),
    member("www", kind=_LINK, to="srv/www"),
    member("current", kind=_LINK, to="data/old"),
    member("dangling", kind=_LINK, to="nowhere/else"),
]
_RUN: dict[str, Any] = {
    "Env": ["PATH=/opt/bin:/bin", "ORIGIN=base"],
    "Entrypoint": ["/bin/tool"],
    "Cmd": ["--help"],
    "Labels": {"origin": "base", "kept": "yes"},
    "WorkingDir": "/srv",
    "ExposedPorts": {"8080/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
    "Healthcheck": {"Test": ["CMD", "/bin/tool", "check"], "Interval": 60_000_000_000},
}
_TRIGGERS: dict[str, Any] = {
    "Env": ["PATH=/bin"],
    "OnBuild": ["COPY a.txt /triggered/", "ENV TRIGGERED=yes", "LABEL by=$TRIGGERED"],
}
_MADE = (
    "RUN /bin/sh -c mkdir -p /home/app /data /srv/www && ln -s usr/bin /bin && ln -s srv/www /www"
    " && ln -s data/old /current && ln -s nowhere/else /dangling # buildkit"
)
_COPIED = "COPY rootfs / # buildkit"
_PLATFORM = "COPY platform /etc/platform # buildkit"


@dataclass(frozen=True, slots=True)
class Base:
    """How an image is run, and what its history says of each layer: the files, if there are
    two, and ``/etc/platform``."""

    run: Mapping[str, Any]
    history: tuple[str, ...] = (_MADE, _PLATFORM)


_BASES = {
    "BASE": Base(_RUN),
    "TRIGGERS": Base(_TRIGGERS),
    "UNTOLD": Base({}, (_COPIED, _PLATFORM)),
    "BARE": Base({}, (_PLATFORM,)),
}
"""What stands for each in the Dockerfiles."""


def push_bases(folder: Path, registry: str) -> Mapping[str, str]:
    """Put every base into the registry. What stands for each in a Dockerfile, and its name."""
    names: dict[str, str] = {}
    with LayoutStore(folder) as layout:
        for word, base in _BASES.items():
            tag = word.lower()
            layout.tag(tag, images.content_of(_index(layout, base)))
            names[word] = f"{registry}/bases:{tag}"
            real.output_of(
                "skopeo", "copy", "--all", "--dest-tls-verify=false",
                f"oci:{folder}:{tag}", f"docker://{names[word]}",
            )  # fmt: skip
    return names


def _index(layout: LayoutStore, base: Base) -> Manifest:
    made = [(name, _image(layout, name, base)) for name in PLATFORMS]
    return images.index(layout, [images.entry(image, name) for name, image in made])


def _image(layout: LayoutStore, platform: str, base: Base) -> Manifest:
    told = archive([member("etc/", kind=_DIR, mode=0o755), member("etc/platform", platform)])
    tars = [archive(_FILES), told][-len(base.history) :]
    parsed = Platform.parse(platform)
    config = {
        "created": "2001-02-03T04:05:06Z",
        "os": parsed.os,
        "architecture": parsed.architecture,
        "variant": parsed.variant,
        "config": base.run,
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(tar)) for tar in tars]},
        "history": [{"created_by": text} for text in base.history],
    }
    image = Image(
        schema_version=2,
        media_type=images.OCI_MANIFEST,
        config=images.put(layout, json.dumps(config).encode(), images.OCI_CONFIG),
        layers=tuple(
            images.put(layout, gzip.compress(tar, mtime=0), f"{images.OCI_LAYER}+gzip")
            for tar in tars
        ),
    )
    return images.put_manifest(layout, Manifest.of_image(image))
