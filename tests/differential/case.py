"""One Dockerfile, the context it is built in, and who can tell whether the image is right."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from pathlib import Path
from textwrap import dedent

PLATFORM = "linux/amd64"


class Judge(StrEnum):
    """A real builder. ``DOCKER`` is the BuildKit in Debian's Docker 20.10, of 2021, and ``BUILDAH``
    is Debian's: both run in CI. ``BUILDKIT`` is a recent one, in the daemon that
    ``make newer-docker`` builds, and judges where that has been done."""

    DOCKER = "docker 20.10"
    BUILDAH = "buildah"
    BUILDKIT = "newer buildkit"


ALL = tuple(Judge)
DOCKERS = (Judge.DOCKER, Judge.BUILDKIT)
RECENT = (Judge.BUILDKIT,)

Put = Callable[[Path], None]
"""Makes something at a path of a context."""

Content = Mapping[str, str | bytes | Put]
"""What is in a context: a file's content, or what makes the file, under its path."""


@dataclass(frozen=True, slots=True)
class Case:
    """``dockerfile`` may say ``BASE`` for an image that :mod:`.bases` makes, and so on.
    ``expected`` has lines of the image, written by hand, where no judge in CI can build it.
    ``fails`` holds for what every builder has to refuse."""

    name: str
    dockerfile: str
    context: Content = field(default_factory=dict)
    _: KW_ONLY
    judges: tuple[Judge, ...] = ALL
    expected: tuple[str, ...] = ()
    platform: str = PLATFORM
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    fails: bool = False

    @property
    def slug(self) -> str:
        """The name as a tag."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def text(self, images: Mapping[str, str]) -> str:
        """The Dockerfile with the bases' names filled in."""
        return re.sub("|".join(images), lambda found: images[found[0]], dedent(self.dockerfile[1:]))

    def write(self, folder: Path, images: Mapping[str, str]) -> Path:
        """Make the context in ``folder``, which is new, the Dockerfile in it."""
        folder.mkdir(parents=True)
        for name, content in {"Dockerfile": self.text(images), **self.context}.items():
            path = folder / name
            _make_folders(path.parent)
            put = content if callable(content) else file(content)
            put(path)
        return folder


def _make_folders(path: Path) -> None:
    if not path.exists():
        _make_folders(path.parent)
        path.mkdir()
        path.chmod(0o755)


def file(content: str | bytes = "", mode: int = 0o644, **xattrs: bytes) -> Put:
    """A file; ``security_capability=…`` gives it an extended attribute."""

    def put(path: Path) -> None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        for name, value in xattrs.items():
            os.setxattr(path, name.replace("_", "."), value)

    return put


def folder(mode: int = 0o755) -> Put:
    """A folder, which what comes later may be put into."""

    def put(path: Path) -> None:
        path.mkdir()
        path.chmod(mode)

    return put


def link(target: str) -> Put:
    """A symbolic link."""
    return lambda path: path.symlink_to(target)


def hard_link(name: str) -> Put:
    """Another name of the file ``name``, in the same folder."""
    return lambda path: path.hardlink_to(path.with_name(name))


def pipe() -> Put:
    """A named pipe."""
    return os.mkfifo


def owned(put: Put, uid: int, gid: int) -> Put:
    """The same, belonging to somebody."""

    def put_owned(path: Path) -> None:
        put(path)
        os.chown(path, uid, gid, follow_symlinks=False)

    return put_owned


def member(
    name: str,
    content: str = "",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    to: str = "",
) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, gid, to
    info.mtime = 1_000_000_000
    info.size = len(content)
    return info, content.encode()


def archive(
    members: Sequence[tuple[tarfile.TarInfo, bytes]], compression: str = "", form: int = 1
) -> bytes:
    """A tar, compressed by ``gz``, ``bz2`` or ``xz`` or not at all."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return _COMPRESSED[compression](sink.getvalue())


_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
