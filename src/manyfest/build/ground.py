"""What a base image is taken to hold, and when its layers must be read to know.

To put a file at ``/usr/local/bin/app`` takes no look into the base: what matters of it is that
``/usr/local/bin`` is a plain directory, as it is in every Linux image. So the usual directories
are taken for granted. A name at the top, in ``/opt``, ``/srv``, ``/tmp`` or ``/usr/local`` is taken
to be new, because packages put nothing there (Filesystem Hierarchy Standard 3.0, sections 3.13,
3.17, 3.18 and 4.9), if the base's history has a text for each of its layers and none speaks of the
name, nor of a copy right into that directory; in ``/opt`` only if no program was run for the base,
which may have installed a package from elsewhere. The layers are read for everything else: what
packages may have put there, names that the base's configuration or history mentions, home
directories, ``/bin`` and others that are links in some images, and user names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from manyfest.build.bases import BaseImage
from manyfest.build.files import File, Tree, ancestors, directory, parent, rooted
from manyfest.oci.config import ImageConfig

PEOPLE = frozenset({"etc/passwd", "etc/group"})
"""Files that are read for their content."""

_PLAIN = frozenset(
    ". boot etc media mnt opt srv usr usr/bin usr/include usr/lib usr/libexec usr/local"
    " usr/local/bin usr/local/etc usr/local/lib usr/local/sbin usr/local/share usr/sbin usr/share"
    " usr/share/doc usr/src var var/cache var/lib var/log".split()
)
_LOCAL = frozenset(
    ". opt srv tmp usr/local/bin usr/local/etc usr/local/lib usr/local/sbin usr/local/share".split()
)
"""Where what is new is put, and nothing else."""

_SPECIAL = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}
_DOUBTFUL = frozenset(
    "bin dev home lib lib32 lib64 libx32 proc run sbin sys var/local var/lock var/mail var/run"
    " var/spool".split()
)
"""Links in some images, or not root's, or with names below them that belong to someone."""

_PATH = re.compile(r"(?<![\w./-])/([\w.+@~-]+(?:/[\w.+@~-]+)*)")


class BaseGround:
    """The ground that a base image is. ``read`` reads its layers, and is called when it must.

    In a stage that is ``copied_from`` nothing but the usual directories is taken for granted: a
    name that the stage has not made may be in its base.
    """

    def __init__(
        self, image: BaseImage, read: Callable[[], Tree], *, mtime: int, copied_from: bool = False
    ) -> None:
        self._copied_from = copied_from
        self._local = _local(image.config)
        self._mentioned = frozenset(_mentioned(image.config))
        self._read = read
        self._mtime = mtime
        self._tree: Tree | None = None

    def find(self, name: str) -> File | None:
        if self._tree is None and not self._is_doubtful(name):
            if name in _PLAIN or name in _SPECIAL:
                return directory(name, mode=_SPECIAL.get(name, 0o755), mtime=self._mtime)
            if self._is_new(name):
                return None
        return self._known().find(name)

    def names(self, directory: str) -> Sequence[str]:
        if self._tree is None and self.find(directory) is None:
            return ()
        return self._known().names(directory)

    def _is_new(self, name: str) -> bool:
        """Whether it, or a directory that it would be in, is taken not to be there."""
        if self._copied_from:
            return False
        usual = _PLAIN | _SPECIAL.keys()
        return any(parent(path) in self._local and path not in usual for path in _upwards(name))

    def _known(self) -> Tree:
        if self._tree is None:
            self._tree = self._read()
        return self._tree

    def _is_doubtful(self, name: str) -> bool:
        if name in PEOPLE:
            return True
        return any(
            path in _DOUBTFUL
            or (path in self._mentioned and path not in _PLAIN and path not in _SPECIAL)
            for path in _upwards(name)
        )


def _upwards(name: str) -> Iterator[str]:
    yield name
    yield from ancestors(name)


def _tells_all(config: ImageConfig) -> bool:
    """Whether the history has a text for each layer."""
    told = [step for step in config.history if not step.empty_layer and step.created_by]
    return len(told) == len(config.rootfs.diff_ids)


def _local(config: ImageConfig) -> frozenset[str]:
    """The directories in which a name of which the base says nothing is new."""
    filled = frozenset(_filled(config))
    return _LOCAL - filled if _tells_all(config) and "." not in filled else frozenset()


def _filled(config: ImageConfig) -> Iterator[str]:
    """The directories into which something was put whose name the history does not tell. What an
    image begins with is a distribution's root, in which packages put things; those that a program
    installed later may be others' packages, which belong into ``/opt``."""
    steps = [step.created_by for step in config.history if not step.empty_layer]
    for number, step in enumerate(steps):
        words = step.removesuffix("# buildkit").split()
        if {"COPY", "ADD"} & set(words):
            if number or "ADD" not in words:
                yield rooted(words[-1])
        elif "WORKDIR" not in words and (number or "RUN" in words):
            yield "opt"


def _mentioned(config: ImageConfig) -> Iterator[str]:
    """The names of all absolute paths that a configuration speaks of, and those above them."""
    for text in _texts(config):
        for path in _PATH.findall(text):
            yield path
            yield from ancestors(path)


def _texts(config: ImageConfig) -> Iterator[str]:
    """All that an image's configuration says in which a path may stand."""
    run = config.config
    yield from (run.working_dir, *run.env, *run.entrypoint, *run.cmd, *run.volumes, *run.shell)
    yield from run.labels.values()
    yield from run.healthcheck.test if run.healthcheck else ()
    yield from (step.created_by for step in config.history)
