"""What the tests of waiting share: registries in memory that follow a script, and their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manyfest.check.signed import WhyUnsigned
from manyfest.check.soak import Decision, Event, Question, State
from manyfest.check.wait import Patience, wait
from manyfest.check.watched import Asked, Watched
from manyfest.errors import (
    ManyfestError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore
from tests.images import content_of, platforms

TAG = "2.6.1"
WANTED = ("linux/amd64", "linux/arm64")


class Time:
    """Passes only while somebody sleeps; ``at`` says what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.at: dict[float, Callable[[], object]] = {}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for due in sorted(when for when in self.at if when <= self.now):
            self.at.pop(due)()

    def patience(self) -> Patience:
        return Patience(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 1.0)


class Scripted(MemoryStore):
    """A repository that counts what it is asked, and fails when it is told to."""

    def __init__(self, label: str = "one.example/app") -> None:
        super().__init__(label)
        self.calls: list[str] = []
        self.fails: ManyfestError | None = None

    def resolve(self, name: str) -> Descriptor:
        self.calls.append(f"HEAD {name}")
        if self.fails is not None:
            raise self.fails
        return super().resolve(name)

    def open(self, descriptor: Descriptor) -> Reader:
        self.calls.append("GET")
        return super().open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        self.calls.append("HEAD part")
        return super().has(descriptor)

    def counted(self) -> dict[str, int]:
        found = {call: self.calls.count(call) for call in dict.fromkeys(self.calls)}
        self.calls.clear()
        return found

    def hold(self, root: Manifest) -> None:
        """Point the tag at it, whatever is there of it."""
        self.tag(TAG, content_of(root))

    def hold_for(self, *names: str, text: str = "") -> str:
        """Point the tag at an index for these platforms; its digest."""
        root = platforms(self, names, text=text)
        self.hold(root)
        return str(root.descriptor.digest)


class Told:
    """Notes what it is told, with the time."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.lines: list[str] = []

    def __call__(self, events: Sequence[Event], state: State) -> None:
        for each in events:
            parts = (str(each.place) if each.place >= 0 else "", each.platform, each.kind)
            what = each.what[:10] if each.kind == "holds" else each.what
            line = " ".join(filter(None, (*parts, what)))
            self.lines.append(f"{self._time.now:g}: {line}")


def watched(
    *stores: Scripted,
    rest: Callable[[], float] = lambda: 0.0,
    require_registry: Callable[[], None] = lambda: None,
    why_unsigned: WhyUnsigned | None = None,
) -> list[Watched]:
    return [
        Watched(
            Asked(
                source=store,
                name=TAG,
                wanted=tuple(map(Platform.parse, WANTED)),
                reference=f"{store.label}:{TAG}",
                rest=rest,
                require_registry=require_registry,
                why_unsigned=why_unsigned,
            )
        )
        for store in stores
    ]


def waited(
    time: Time, *stores: Scripted, soak: float = 0.0, timeout: float = 600.0, expected: str = ""
) -> tuple[Decision, list[str]]:
    group = tuple(range(len(stores)))
    question = Question(groups=(group,), soak=soak, timeout=timeout, expected=expected)
    told = Told(time)
    return wait(watched(*stores), question, told, time.patience()), told.lines
