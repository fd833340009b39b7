"""A registry that is asked again after a pause may have got another release meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manyfest.errors import ReleaseError
from manyfest.oci.digest import Digest
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.reference import Name
from manyfest.release.steps.move import Move
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.tags.pointing import Pointing
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.client import registry_transport
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from manyfest.stores.registry.store import RegistryStore
from tests import images

PLACE = "r.example/app"


class Registry:
    """One that takes any manifest, and refuses the first PUT to each tag in ``busy``; it is told
    whether it does what it then says that it did not."""

    def __init__(self, busy: set[str], *, does_it: bool = False) -> None:
        self.tags: dict[str, Digest] = {}
        self.puts: list[str] = []
        self._busy = busy
        self._does_it = does_it
        self._content: dict[str, bytes] = {}

    def answer(self, request: Request) -> Response:
        name = request.url.rpartition("/")[2]
        if request.method == "PUT":
            assert isinstance(request.body, bytes)
            self.puts.append(name)
            is_busy = name in self._busy
            self._busy.discard(name)
            if not is_busy or self._does_it:
                self.tags[name] = Digest.of(request.body)
                self._content[str(self.tags[name])] = request.body
            return Response(503 if is_busy else 201)
        digest = str(self.tags.get(name, name))
        if digest not in self._content:
            return Response(404)
        raw = self._content[digest]
        fields = {
            "Docker-Content-Digest": digest,
            "Content-Type": OCI_INDEX,
            "Content-Length": str(len(raw)),
        }
        return Response(200, raw if request.method == "GET" else b"", headers=Headers(fields))


class Run:
    """The tags of a version being set, each of which is not there yet; ``meanwhile`` is done while
    it waits for a registry that is busy."""

    def __init__(
        self, registry: Registry, version: str, text: str, meanwhile: Callable[[], None]
    ) -> None:
        root = images.platforms(MemoryStore(), ["linux/amd64"], text=text)
        self.digest = root.descriptor.digest
        transport = registry_transport(
            FunctionTransport(registry.answer), sleep=lambda _seconds: meanwhile()
        )
        store = RegistryStore(
            Name.parse(PLACE), transport, writing=True, sleep=lambda _seconds: None
        )
        moves = [
            Move(
                name=Name.parse(f"{PLACE}:{tag}"),
                store=store,
                tag=PlannedTag(tag=tag, moves=tag == "latest", reason=""),
                manifest=root,
                before=None,
            )
            for tag in (version, "latest")
        ]
        self.pointing = Pointing(
            moves,
            {f"{PLACE}:latest": None},
            say=lambda _message: None,
            sleep=lambda _seconds: None,
        )


def nothing() -> None:
    pass


def test_a_tag_that_another_release_took_in_the_pause_stays_its_own() -> None:
    registry = Registry({"2.6.1"})
    theirs = Run(registry, "2.6.1", "theirs", nothing)
    ours = Run(registry, "2.6.1", "ours", theirs.pointing.run)
    with pytest.raises(ReleaseError, match=f"another release .* holds {theirs.digest}"):
        ours.pointing.run()
    assert registry.tags == {"2.6.1": theirs.digest, "latest": theirs.digest}


def test_a_moving_tag_that_a_later_version_took_in_the_pause_does_not_go_back() -> None:
    registry = Registry({"latest"})
    later = Run(registry, "2.7.0", "later", nothing)

    def meanwhile() -> None:
        if "2.7.0" not in registry.tags:
            later.pointing.run()

    with pytest.raises(ReleaseError, match="somebody else has just moved the tag"):
        Run(registry, "2.6.1", "earlier", meanwhile).pointing.run()
    assert registry.tags["latest"] == later.digest


def test_what_was_done_although_it_was_refused_is_not_sent_again() -> None:
    registry = Registry({"2.6.1", "latest"}, does_it=True)
    run = Run(registry, "2.6.1", "ours", nothing)
    run.pointing.run()
    assert registry.puts == ["2.6.1", "latest"]
    assert registry.tags == {"2.6.1": run.digest, "latest": run.digest}


def test_a_registry_that_was_busy_and_is_as_before_is_asked_again() -> None:
    registry = Registry({"2.6.1", "latest"})
    run = Run(registry, "2.6.1", "ours", nothing)
    run.pointing.run()
    assert registry.puts == ["2.6.1", "2.6.1", "latest", "latest"]
