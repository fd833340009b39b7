"""A store, a source and a progress that keep what they were told."""

from __future__ import annotations

import threading
from collections import defaultdict

from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.progress import Outcome
from manyfest.stores.base import Content, Reader, Source
from manyfest.stores.memory import MemoryStore


class Recorder(MemoryStore):
    """A store that notes what is asked of it, in order."""

    def __init__(self, label: str = "recorder") -> None:
        super().__init__(label)
        self.calls: list[tuple[str, str]] = []
        self.note = threading.Lock()

    def log(self, what: str, which: object) -> None:
        with self.note:
            self.calls.append((what, str(which)))

    def open(self, descriptor: Descriptor) -> Reader:
        self.log("open", descriptor.digest)
        return super().open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        self.log("has", descriptor.digest)
        return super().has(descriptor)

    def put(self, content: Content) -> None:
        self.log("put", content.descriptor.digest)
        super().put(content)

    def tag(self, name: str, manifest: Content) -> None:
        super().put(manifest)
        self.log("tag", name)
        self.names[name] = manifest.descriptor

    def asked(self, what: str) -> list[str]:
        return [which for call, which in self.calls if call == what]


class Recorded:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.moved: defaultdict[str, int] = defaultdict(int)
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self._lock = threading.Lock()

    def begin(self, item: str, label: str, total: int) -> None:
        with self._lock:
            self.totals[item], self.labels[item], self.moved[item] = total, label, 0

    def advance(self, item: str, amount: int) -> None:
        with self._lock:
            self.moved[item] += amount

    def finish(self, item: str, outcome: Outcome) -> None:
        with self._lock:
            self.outcomes[item].append(outcome)

    def say(self, message: str) -> None:
        raise AssertionError(message)


def graph_of(source: Source, name: str = "v1") -> Graph:
    """All that ``name`` means in a store."""
    return read_graph(source, source.resolve(name))
