"""What the tests of releases share: a small image, and registries in memory that can fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from manyfest.check.report import PlatformSummary
from manyfest.copy import missing
from manyfest.errors import ConnectionFailed
from manyfest.graph import read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, is_companion_tag
from manyfest.progress import Outcome
from manyfest.release.destinations import destinations
from manyfest.release.project.config import Build, Config
from manyfest.release.steps.step import Image, Release
from manyfest.release.tags.plan import plan_tags
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.version import Version
from manyfest.stores.base import Content, Reader
from manyfest.stores.memory import MemoryStore
from manyfest.stores.open import Stores
from tests import images
from tests.unit.check_images import elf

ONE, TWO = "one.example/app", "two.example/app"

VERSION = Version(
    text="2.6.1",
    revision="0123456789abcdef0123456789abcdef01234567",
    major=2,
    minor=6,
    patch=1,
    prerelease=False,
    commit_time=1_700_000_000,
    dirty=False,
    snapshot=False,
)


def never(_number: int, _call: str) -> bool:
    return False


class Trouble:
    """Numbers the calls to all registries and makes some of them fail.

    ``fails`` is asked with the call's number, from 1, and its text: ``tag one.example/app latest``.
    ``late``: the registry does what it was asked to, and only its answer is lost.
    """

    def __init__(
        self,
        fails: Callable[[int, str], bool] = lambda _number, _call: False,
        *,
        late: bool = False,
    ) -> None:
        self.fails = fails
        self.late = late
        self.calls: list[str] = []
        self._lock = threading.Lock()

    @contextmanager
    def call(self, text: str) -> Iterator[None]:
        with self._lock:
            self.calls.append(text)
            fails = self.fails(len(self.calls), text)
        if fails and not self.late:
            raise ConnectionFailed("the connection broke", where=text.split()[1])
        try:
            yield
        finally:
            if fails:
                raise ConnectionFailed("the answer was lost", where=text.split()[1])

    def count(self, text: str) -> int:
        return sum(call.startswith(text) for call in self.calls)


class FakeRegistry(MemoryStore):
    """A repository. Unlike :class:`MemoryStore` it takes no manifest whose parts it lacks."""

    def __init__(self, label: str, trouble: Trouble) -> None:
        super().__init__(label)
        self.trouble = trouble

    def resolve(self, name: str) -> Descriptor:
        with self.trouble.call(f"resolve {self.label} {name}"):
            return super().resolve(name)

    def open(self, descriptor: Descriptor) -> Reader:
        with self.trouble.call(f"open {self.label} {descriptor.digest}"):
            return super().open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        with self.trouble.call(f"has {self.label} {descriptor.digest}"):
            return super().has(descriptor)

    def put(self, content: Content) -> None:
        with self.trouble.call(f"put {self.label} {content.descriptor.digest}"):
            super().put(content)

    def tag(self, name: str, manifest: Content) -> None:
        with self.trouble.call(f"tag {self.label} {name}"):
            super().put(manifest)
            self.names[name] = manifest.descriptor

    def tags(self) -> Iterator[str]:
        with self.trouble.call(f"list {self.label}"):
            return super().tags()

    def require_push(self) -> None:
        with self.trouble.call(f"admit {self.label}"):
            super().require_push()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        with self.trouble.call(f"referrers {self.label} {subject}"):
            return super().referrers(subject)

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
        with self.trouble.call(f"attach {self.label} {subject.digest}"):
            super().attach(subject, referrer)

    def untag(self, name: str) -> None:
        with self.trouble.call(f"untag {self.label} {name}"):
            super().untag(name)

    @property
    def pointers(self) -> dict[str, Digest]:
        """Where each tag points, but for those that lists of referrers have."""
        return {
            name: descriptor.digest
            for name, descriptor in self.names.items()
            if not is_companion_tag(name)
        }


class FakeStores(Stores):
    """One repository in memory for each name."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        super().__init__()
        self.trouble = trouble or Trouble()
        self.fakes: dict[str, FakeRegistry] = {}

    def registry(self, name: Name, *, writing: bool = False) -> FakeRegistry:
        return self.fakes.setdefault(name.place, FakeRegistry(name.place, self.trouble))

    def at(self, place: str) -> FakeRegistry:
        return self.registry(Name.parse(place))


@dataclass
class Notes:
    """Progress that is written down."""

    said: list[str] = field(default_factory=list)
    begun: set[tuple[str, str]] = field(default_factory=set)
    on_say: Callable[[str], None] = lambda _message: None

    def begin(self, item: str, label: str, total: int) -> None:
        self.begun.add((item, label))

    def advance(self, item: str, amount: int) -> None: ...

    def finish(self, item: str, outcome: Outcome) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)
        self.on_say(message)


def make_config(folder: Path, **changes: object) -> Config:
    settings: dict[str, object] = {
        "name": "app",
        "build": Build(platforms=parsed("linux/amd64", "linux/arm64")),
        "tags": tuple(map(TagRule.parse, ("{{version}}", "{{major}}.{{minor}}", "latest"))),
        "arch_tags": True,
        "path": folder / "manyfest.yaml",
        **changes,
    }
    return Config(**settings)  # type: ignore[arg-type]


def parsed(*platforms: str) -> tuple[Platform, ...]:
    return tuple(map(Platform.parse, platforms))


def make_release(
    folder: Path,
    stores: Stores | None = None,
    *,
    to: Sequence[str] = (ONE,),
    config: Config | None = None,
    version: Version = VERSION,
) -> Release:
    """A release of which nothing is done."""
    config = config or make_config(folder)
    return Release(
        config=config,
        version=version,
        tags=plan_tags(config, version),
        destinations=destinations(config, map(Name.parse, to)),
        archive=config.archive_path(version),
        stores=stores or FakeStores(),
        progress=Notes(),
        sleep=lambda _seconds: None,
    )


def with_image(release: Release, text: str = "") -> Release:
    """The same release with an image that is built and checked; ``text`` makes it another one."""
    store = MemoryStore("image")
    root = images.platforms(
        store, [str(each) for each in release.config.build.platforms], text=text
    )
    release.image = Image(store, read_graph(store, root.descriptor))
    release.checked = tuple(
        PlatformSummary(platform=str(entry.platform), descriptor=entry, size=entry.size)
        for entry in root.index.manifests
    )
    return release


def hold_former_release(registry: FakeRegistry, *tags: str) -> Digest:
    """Put an earlier image there, under these tags; its digest."""
    former: Manifest = images.platforms(registry, ["linux/amd64"], text="2.6.0")
    for tag in tags:
        registry.names[tag] = former.descriptor
    registry.trouble.calls.clear()
    return former.descriptor.digest


def digests(release: Release) -> dict[str, Digest]:
    """What each tag of a finished release points at."""
    found = {str(image.platform): image.descriptor.digest for image in release.checked}
    return {
        tag.tag: found[str(tag.platform)] if tag.platform else release.built.digest
        for tag in release.tags
        if not tag.skipped
    }


def assert_whole(registry: FakeRegistry) -> None:
    """Everything that a tag leads to is there."""
    registry.trouble.fails = never
    for descriptor in registry.names.values():
        assert missing(registry, read_graph(registry, descriptor)) == []


def make_project(folder: Path, *, program: str = "app") -> None:
    """A program for each of two platforms, and how to build an image of it."""
    for architecture, machine in (("amd64", 62), ("arm64", 183)):
        path = folder / "bin" / "linux" / architecture / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(elf(machine))
        path.chmod(0o755)
    (folder / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETPLATFORM\nCOPY bin/$TARGETPLATFORM/ /\n"
        'LABEL org.example.by="us"\nENTRYPOINT ["/app"]\nCMD ["--serve"]\n'
    )
