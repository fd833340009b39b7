"""One image in one repository: what is asked for, and what is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from manyfest.errors import RegistryError, Unsupported
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore
from manyfest.watch.poll.seen import SeenImage
from manyfest.watch.values import PlaceSeen, PlatformSeen
from tests import images

PLACE = "a.example.org/app"
WANTED = ("linux/amd64", "linux/arm64")


class Asked(MemoryStore):
    """Keeps what it was asked: ``means`` and ``has`` are HEAD requests, ``read`` and ``open`` are
    GET requests."""

    def __init__(self) -> None:
        super().__init__(PLACE)
        self.asked: list[str] = []
        self.fails: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.broken = ""

    def resolve(self, name: str) -> Descriptor:
        self._note(f"HEAD {name[:12]}")
        return self._resolved(name)

    def means(self, name: str, digest: Digest) -> bool:
        """See :class:`~manyfest.stores.base.Compares`."""
        self._note(f"HEAD {name}")
        return super().resolve(name).digest == digest

    def read(self, name: str) -> Manifest:
        """See :class:`~manyfest.stores.base.Reads`."""
        self._note(f"GET {name}")
        descriptor = self._resolved(name)
        raw = self.blobs[descriptor.digest]
        return parse_manifest(raw, media_type=descriptor.media_type)

    def has(self, descriptor: Descriptor) -> bool:
        self._note("HEAD child")
        self.meanwhile()
        return super().has(descriptor)

    def open(self, descriptor: Descriptor) -> Reader:
        self._note("GET")
        return super().open(descriptor)

    def tags(self) -> Iterator[str]:
        self._note("LIST")
        return super().tags()

    def _resolved(self, name: str) -> Descriptor:
        if name == self.broken:
            raise RegistryError("it cannot say what this is", status=500)
        return super().resolve(name)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.fails is not None:
            raise self.fails

    def since(self) -> list[str]:
        """What it was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked


def release(store: Asked, tag: str, *platforms: str, text: str = "") -> str:
    """Push an index for these platforms; its digest."""
    entries = [images.entry(images.image(store, each, text=text), each) for each in platforms]
    index = images.index(store, entries)
    store.tag(tag, images.content_of(index))
    store.since()
    return str(index.descriptor.digest)


def release_two_with_one_amd64(store: Asked) -> None:
    """Tags 1 and 2: their indexes have one image for linux/amd64, and each its own for
    linux/arm64."""
    amd64, arm64 = (images.image(store, each) for each in WANTED)
    entries = [images.entry(amd64, "linux/amd64"), images.entry(arm64, "linux/arm64")]
    store.tag("1", images.content_of(images.index(store, entries)))
    other = images.entry(images.image(store, "linux/arm64", text="other"), "linux/arm64")
    store.tag("2", images.content_of(images.index(store, [entries[0], other])))


def seen_in(store: Asked, place: str = PLACE) -> SeenImage:
    """The image in the store."""
    return SeenImage(place, lambda: store, [Platform.parse(each) for each in WANTED])


def test_what_is_new_is_read_once_and_its_images_are_asked_for() -> None:
    store = Asked()
    digest = release(store, "1", *WANTED)

    answer = seen_in(store).look("1")

    assert (answer.reference, answer.digest, answer.ready) == (f"{PLACE}:1", digest, True)
    assert [state.platform for state in answer.platforms] == list(WANTED)
    assert store.since() == ["GET 1", "HEAD child", "HEAD child"]


def test_where_reads_are_counted_it_is_asked_first_whether_one_is_needed() -> None:
    store = Asked()
    release(store, "1.0", *WANTED)
    release(store, "1", *WANTED)
    seen = seen_in(store, "docker.io/team/app")

    seen.look("1.0")
    assert store.since() == ["HEAD 1.0", "GET", "HEAD child", "HEAD child"]
    assert seen.look("1").ready
    assert store.since() == ["HEAD 1"]


def test_what_was_whole_takes_one_request() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    first = seen.look("1")
    store.since()

    assert seen.look("1") == first
    assert store.since() == ["HEAD 1"]


def test_another_tag_of_the_same_index_is_not_read_again() -> None:
    store = Asked()
    release(store, "1.0", *WANTED)
    release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.look("1.0")
    store.since()

    answer = seen.look("1")
    assert (answer.reference, answer.ready) == (f"{PLACE}:1", True)
    assert store.since() == ["GET 1"]


def test_an_image_that_another_index_has_too_is_asked_for_once() -> None:
    store = Asked()
    release_two_with_one_amd64(store)
    seen = seen_in(store)
    seen.look("1")
    store.since()

    assert seen.look("2").ready
    assert store.since() == ["GET 2", "HEAD child"]


def test_what_a_look_found_is_not_lost_when_another_thread_forgets_it_meanwhile() -> None:
    store = Asked()
    release_two_with_one_amd64(store)
    seen = seen_in(store)
    seen.look("1")

    store.meanwhile = lambda: seen.forget("1")
    assert seen.look("2").ready


def test_an_image_that_was_lost_is_asked_for_again() -> None:
    store = Asked()
    digest = release(store, "1", *WANTED)
    seen = seen_in(store)
    arm64 = seen.look("1").platforms[1]
    del store.blobs[Digest.parse(arm64.digest)]
    seen.look("1", again=True)
    store.since()

    lost = seen.look("1")
    assert (lost.digest, lost.ready) == (digest, False)
    assert store.since() == ["HEAD 1", "HEAD child"]


def test_what_is_not_whole_is_asked_for_what_it_lacks_alone() -> None:
    store = Asked()
    amd64, arm64 = (images.image(store, each) for each in WANTED)
    index = images.index(
        store, [images.entry(each, name) for each, name in zip((amd64, arm64), WANTED, strict=True)]
    )
    store.tag("1", images.content_of(index))
    raw = store.blobs.pop(arm64.descriptor.digest)
    seen = seen_in(store)
    store.since()

    assert [state.state for state in seen.look("1").platforms] == ["ready", "partial"]
    store.since()
    assert not seen.look("1").ready
    assert store.since() == ["HEAD 1", "HEAD child"]

    store.blobs[arm64.descriptor.digest] = raw
    assert seen.look("1").ready
    store.since()
    assert seen.look("1").ready
    assert store.since() == ["HEAD 1"]


def test_an_empty_index_is_not_ready() -> None:
    store = Asked()
    release(store, "1")

    answer = seen_in(store).look("1")

    assert not answer.ready
    assert answer.digest
    assert {state.state for state in answer.platforms} == {"missing"}


def test_a_tag_that_moves_is_read_again() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.look("1")
    moved = release(store, "1", *WANTED, text="another")

    assert seen.look("1").digest == moved
    assert store.since() == ["HEAD 1", "GET 1", "HEAD child", "HEAD child"]


def test_a_tag_that_is_gone_is_an_answer() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.look("1")
    store.names.clear()

    answer = seen.look("1")
    assert (answer.digest, answer.ready) == ("", False)
    assert [state.state for state in answer.platforms] == ["missing", "missing"]
    assert seen.look("1") == answer


def test_a_registry_that_cannot_tell_says_neither_yes_nor_no() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    before = seen.look("1")
    store.fails = RegistryError("it is overloaded", status=503)

    with pytest.raises(RegistryError):
        seen.look("1")
    store.fails = None
    store.since()
    assert seen.look("1") == before
    assert store.since() == ["HEAD 1"]


def test_now_and_then_all_is_asked_for_again_by_head_requests() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.look("1")
    store.since()

    assert seen.look("1", again=True).ready
    assert store.since() == ["HEAD 1", "HEAD child", "HEAD child"]


def test_what_is_lost_below_a_tag_is_found_then() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    arm64 = seen.look("1").platforms[1]
    del store.blobs[Digest.parse(arm64.digest)]

    assert seen.look("1").ready
    lost = seen.look("1", again=True)
    assert [state.state for state in lost.platforms] == ["ready", "partial"]


def test_what_the_history_knows_is_not_read_again() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    known = seen_in(store).look("1")
    store.since()
    seen = seen_in(store)
    platforms = {
        each.platform: PlatformSeen(state="ready", digest=each.digest) for each in known.platforms
    }
    seen.recall("1", PlaceSeen(place=PLACE, digest=known.digest, platforms=platforms))

    assert seen.look("1") == known
    assert store.since() == ["HEAD 1"]


def test_what_the_history_does_not_know_to_be_whole_is_read() -> None:
    store = Asked()
    digest = release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.recall("1", PlaceSeen(place=PLACE, digest=digest))
    store.since()

    assert seen.look("1").ready
    assert store.since() == ["GET 1", "HEAD child", "HEAD child"]


def test_a_tag_that_never_was_there() -> None:
    store = Asked()

    seen = seen_in(store)
    assert seen.look("nothing").digest == ""
    assert store.since() == ["GET nothing"]
    assert seen.look("nothing").digest == ""
    assert store.since() == ["HEAD nothing"]


class Endless(MemoryStore):
    """A repository that lists one tag after the other."""

    def tags(self) -> Iterator[str]:
        return map(str, count())


def test_a_list_of_tags_without_end_is_refused() -> None:
    seen = SeenImage(PLACE, lambda: Endless(PLACE), [Platform.parse(each) for each in WANTED])
    with pytest.raises(Unsupported, match="it lists more than 200,000 tags"):
        seen.tags()
