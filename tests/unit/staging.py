"""What the tests of the rendezvous share: platforms that are staged in registries in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from manyfest.copy import copy_graph
from manyfest.errors import AccessDenied
from manyfest.graph import read_graph, read_manifest
from manyfest.oci.config import RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, Reference
from manyfest.release.project.config import Config
from manyfest.release.rendezvous.joining import publish_steps
from manyfest.release.rendezvous.staging import STAGE_STEPS, one_platform
from manyfest.release.rendezvous.waiting import Patience
from manyfest.release.run import run
from manyfest.release.steps.step import Outcome, Release
from manyfest.release.versions.version import Version
from manyfest.stores.archives.writer import ArchiveWriter
from tests import images
from tests.unit import check_images
from tests.unit.check_images import Images, elf
from tests.unit.releases import (
    ONE,
    VERSION,
    FakeRegistry,
    FakeStores,
    Notes,
    make_config,
    make_release,
)

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")


class Clock:
    """Time that passes only while somebody sleeps; ``at`` says what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.at: dict[int, Callable[[], object]] = {}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.at.get(len(self.slept), lambda: None)()

    def patience(self, timeout: float = 60.0) -> Patience:
        return Patience(
            timeout=timeout,
            first=1.0,
            longest=4.0,
            reminder=10.0,
            clock=lambda: self.now,
            sleep=self.sleep,
            jitter=lambda: 1.0,
        )


class Denied(FakeRegistry):
    """A repository of which nothing is said."""

    def resolve(self, name: str) -> Descriptor:
        raise self._denied

    def has(self, descriptor: Descriptor) -> bool:
        raise self._denied

    def tags(self) -> Iterator[str]:
        raise self._denied

    @property
    def _denied(self) -> AccessDenied:
        return AccessDenied("authentication required", where=self.label, status=401)


class DenyingStores(FakeStores):
    """As at Docker Hub, a repository that is yet to be made is there for who may push alone."""

    def registry(self, name: Name, *, writing: bool = False) -> FakeRegistry:
        found = super().registry(name)
        return found if writing or found.blobs else Denied(name.place, self.trouble)


def staging(
    folder: Path,
    stores: FakeStores,
    platform: Platform = ARM64,
    *,
    to: Sequence[str] = (ONE,),
    version: Version = VERSION,
    taken_from: Reference | None = None,
    config: Config | None = None,
) -> Release:
    """What is needed to stage a platform."""
    release = one_platform(
        config or make_config(folder),
        version,
        platform,
        repositories=tuple(map(Name.parse, to)),
        stores=stores,
        taken_from=taken_from,
    )
    release.progress = Notes()
    release.sleep = lambda _: None
    return release


def stage(release: Release) -> list[Outcome]:
    """Stage it."""
    with closing(release):
        return list(run(release, STAGE_STEPS))


def publishing(
    folder: Path,
    stores: FakeStores,
    *,
    to: Sequence[str] = (ONE,),
    version: Version = VERSION,
    config: Config | None = None,
) -> Release:
    """What is needed to publish what was staged."""
    release = make_release(folder, stores, to=to, version=version, config=config)
    release.sleep = lambda _: None
    return release


def publish(release: Release, patience: Patience | None = None) -> list[Outcome]:
    """Publish it."""
    with closing(release):
        return list(run(release, publish_steps(release, patience or Clock().patience())))


def runnable(
    store: Images, platform: Platform = ARM64, labels: Mapping[str, str] | None = None
) -> Descriptor:
    """An image in which nothing is wrong, with these labels."""
    program = elf(62 if platform == AMD64 else 183)
    run = RunConfig(entrypoint=("/app",), labels=dict(labels or {}))
    layer = store.layer(check_images.program("app", program))
    return store.image(layer, platform=str(platform), run=run)


def runnable_index(store: Images) -> Descriptor:
    """An index for both platforms, in which nothing is wrong."""
    return store.index(runnable(store, AMD64), runnable(store))


def attested_index(store: Images) -> Descriptor:
    """The same with what BuildKit attests of each."""
    entries = []
    for platform in (AMD64, ARM64):
        entry = runnable(store, platform)
        entries += [entry, images.attestation(store, read_manifest(store, entry))]
    return store.index(*entries)


def archive(
    folder: Path, make: Callable[[Images], Descriptor], name: str = "their/name:v1"
) -> Reference:
    """An archive with what ``make`` makes, under a name that is not ours."""
    store = Images()
    graph = read_graph(store, make(store))
    with ArchiveWriter(folder / "image.tar") as writer:
        copy_graph(store, graph, writer, [name])
    return Reference.parse(f"oci-archive:{folder / 'image.tar'}")


def how(outcomes: list[Outcome]) -> dict[str, str]:
    """How each step ended, by its name."""
    return {each.step: "skipped" if each.skipped else "done" for each in outcomes}
