from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

import manyfest.stores.registry.referrers
from manyfest.errors import (
    AccessDenied,
    ManyfestError,
    NotFound,
    RegistryError,
    StoreError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.stores.base import Attaches, Refers, read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import as_referrer, fallback_tag
from manyfest.stores.registry.http import Request, Response
from manyfest.stores.registry.store import RegistryStore
from tests.images import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, content_of, image, put
from tests.quirks import Between, Quirk, Send, said, without_api

SBOM = "application/vnd.example.sbom"


@pytest.fixture
def old() -> Iterator[Between]:
    registry = Between(without_api)
    yield registry
    registry.close()


@pytest.fixture
def new() -> Iterator[Between]:
    registry = Between()
    yield registry
    registry.close()


def referrer(target: RegistryStore | MemoryStore, subject: Manifest, text: str = "") -> Descriptor:
    """Something that refers to ``subject``, put but not attached; how a list describes it."""
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=SBOM,
        config=put(target, b"{}", OCI_EMPTY),
        layers=(put(target, text.encode(), "text/plain"),),
        subject=subject.descriptor,
        annotations={"text": text},
    )
    manifest = Manifest.of_image(body)
    target.put(content_of(manifest))
    return as_referrer(manifest)


def listed(store: RegistryStore, subject: Manifest) -> list[str]:
    """What the list under the fallback tag says, in its order."""
    found = store.resolve(fallback_tag(subject.descriptor.digest))
    return [each["digest"] for each in json.loads(read_all(store, found))["manifests"]]


def test_a_registry_with_the_api_is_asked_and_needs_no_list(new: Between) -> None:
    store = new.store()
    subject = image(store)
    sbom = referrer(store, subject)
    new.asked()
    store.attach(subject.descriptor, sbom)
    assert new.asked() == []  # it said so when it took the referrer
    assert store.referrers(subject.descriptor.digest) == (sbom,)
    assert new.asked() == [f"GET referrers/{subject.descriptor.digest}"]
    with pytest.raises(NotFound):
        store.resolve(fallback_tag(subject.descriptor.digest))


def test_what_was_there_before_is_attached_after_one_look(new: Between) -> None:
    subject = image(new.store())
    sbom = referrer(new.store(), subject)
    store = new.store()
    new.asked()
    store.attach(subject.descriptor, sbom)
    assert new.asked() == [f"GET referrers/{subject.descriptor.digest}"]


def test_a_registry_without_the_api_gets_a_list_under_a_tag(old: Between) -> None:
    store = old.store()
    assert isinstance(store, Refers)
    assert isinstance(store, Attaches)
    subject = image(store)
    first, second = referrer(store, subject, "1"), referrer(store, subject, "2")
    store.attach(subject.descriptor, first)
    store.attach(subject.descriptor, second)
    assert listed(store, subject) == [str(first.digest), str(second.digest)]
    assert old.store().referrers(subject.descriptor.digest) == (first, second)
    assert old.store().referrers(subject.descriptor.digest)[0].artifact_type == SBOM


def test_what_is_listed_already_is_not_listed_again(old: Between) -> None:
    store = old.store()
    subject = image(store)
    sbom = referrer(store, subject)
    store.attach(subject.descriptor, sbom)
    old.asked()
    store.attach(subject.descriptor, sbom)
    assert [line.split()[0] for line in old.asked()] == ["HEAD", "GET"]


def test_whether_there_is_an_api_is_asked_once(old: Between) -> None:
    store = old.store()
    subjects = [image(store, text=str(number)).descriptor.digest for number in range(3)]
    old.asked()
    for subject in subjects:
        assert store.referrers(subject) == ()
    assert old.asked() == [
        f"GET referrers/{subjects[0]}",
        *(f"HEAD manifests/{fallback_tag(subject)}" for subject in subjects),
    ]


def test_threads_that_ask_at_once_ask_once_whether_there_is_an_api(old: Between) -> None:
    store = old.store()
    subjects = [Digest.of(str(number).encode()) for number in range(8)]
    start = threading.Barrier(8)

    def look(subject: Digest) -> None:
        start.wait(10)
        store.referrers(subject)

    threads = [threading.Thread(target=look, args=(subject,)) for subject in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for line in old.asked() if "referrers/" in line]) == 1


HTML = said(200, body=b"<html>", Content_Type="text/html")
NO_TYPE = said(200, body=b'{"manifests":[]}')


@pytest.mark.parametrize(
    "answer",
    [*(said(status) for status in (400, 404, 405, 406, 501)), said(404, "UNSUPPORTED"), HTML,
     NO_TYPE],
)  # fmt: skip
def test_how_registries_say_that_they_have_no_api(old: Between, answer: Response) -> None:
    store = old.store()
    subject = image(store)
    sbom = referrer(store, subject)
    store.attach(subject.descriptor, sbom)
    old.quirk = lambda request, send: (
        answer if "/referrers/" in request.url else without_api(request, send)
    )
    assert old.store().referrers(subject.descriptor.digest) == (sbom,)


@pytest.mark.parametrize(("status", "error"), [(401, AccessDenied), (403, AccessDenied),
                                               (500, RegistryError)])  # fmt: skip
def test_a_registry_that_does_not_tell_is_an_error_and_not_an_empty_list(
    new: Between, status: int, error: type[ManyfestError]
) -> None:
    new.quirk = lambda request, send: said(status)
    with pytest.raises(error, match="the list of referrers"):
        new.store().referrers(Digest.of(b""))


def test_of_a_repository_that_is_yet_to_be_made_nothing_is_learnt(new: Between) -> None:
    store = new.store()

    def not_yet(request: Request, send: Send) -> Response:
        return said(404, "NAME_UNKNOWN")

    new.quirk = not_yet
    assert store.referrers(Digest.of(b"")) == ()
    new.quirk = lambda request, send: send(request)
    subject = image(store)
    sbom = referrer(store, subject)
    assert store.referrers(subject.descriptor.digest) == (sbom,)


def test_a_registry_with_the_api_may_have_no_list_of_what_is_not_there(new: Between) -> None:
    store = new.store()
    subject = image(store)
    referrer(store, subject)
    new.quirk = lambda request, send: said(404)
    new.asked()
    assert store.referrers(subject.descriptor.digest) == ()
    assert new.asked() == [f"GET referrers/{subject.descriptor.digest}"]


@pytest.mark.parametrize("answer", [HTML, said(400), said(405), said(500)])
def test_a_registry_that_is_known_to_have_the_api_is_not_taken_for_one_without_it(
    new: Between, answer: Response
) -> None:
    store = new.store()
    subject = image(store)
    referrer(store, subject)
    new.quirk = lambda request, send: answer
    with pytest.raises(RegistryError, match="the list of referrers"):
        store.referrers(subject.descriptor.digest)


def page(*referrers: Descriptor, following: str = "") -> Response:
    raw = Manifest.of_index(Index(schema_version=2, media_type=OCI_INDEX, manifests=referrers)).raw
    link = {"Link": f'<{following}>; rel="next"'} if following else {}
    return said(200, body=raw, Content_Type=OCI_INDEX, **link)


def described(number: int) -> Descriptor:
    return Descriptor.of(str(number).encode(), OCI_MANIFEST)


def paged(*pages: list[Descriptor], most: int = 10**6) -> Quirk:
    """A registry that lists referrers in these pages, the last one again and again if ``most``
    says so."""

    def quirk(request: Request, send: Send) -> Response:
        number = int(request.url.rpartition("last=")[2]) if "last=" in request.url else 0
        following = f"?last={number + 1}" if number + 1 < max(len(pages), most) else ""
        return page(*pages[min(number, len(pages) - 1)], following=following)

    return quirk


def test_every_page_is_read_and_each_referrer_is_there_once(new: Between) -> None:
    new.quirk = paged([described(1), described(2)], [], [described(2), described(3)], most=0)
    found = new.store().referrers(Digest.of(b""))
    assert found == (described(1), described(2), described(3))


def test_pages_without_end_are_refused(new: Between) -> None:
    new.quirk = paged([described(1)])
    with pytest.raises(RegistryError, match="the list of referrers does not end"):
        new.store().referrers(Digest.of(b""))
    assert len(new.requests) == 256


def test_too_many_referrers_are_refused(new: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.referrers, "MAX_REFERRERS", 5)
    new.quirk = paged([described(1), described(2)])
    with pytest.raises(RegistryError, match="it lists more than 5 referrers"):
        new.store().referrers(Digest.of(b""))


def test_too_many_bytes_of_them_are_refused(new: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.referrers, "MAX_REFERRERS_BYTES", 1000)
    new.quirk = paged([described(1), described(2)])
    with pytest.raises(RegistryError, match="the answer is longer than"):
        new.store().referrers(Digest.of(b""))


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "http://127.0.0.1:9/", "file:///etc/passwd"]
)
def test_a_list_that_goes_on_elsewhere_is_refused(new: Between, following: str) -> None:
    new.quirk = lambda request, send: page(described(1), following=following)
    with pytest.raises(RegistryError):
        new.store().referrers(Digest.of(b""))
    assert len(new.requests) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b'{"manifests":[{}],"schemaVersion":2}'])
def test_a_list_of_another_form_is_refused(new: Between, body: bytes) -> None:
    new.quirk = lambda request, send: said(200, body=body, Content_Type=OCI_INDEX)
    with pytest.raises(RegistryError, match=r"^localhost:5000/team/app: the list of referrers is"):
        new.store().referrers(Digest.of(b""))


def test_something_else_under_the_fallback_tag_says_nothing_and_is_left_alone(
    old: Between,
) -> None:
    store = old.store()
    subject = image(store)
    sbom = referrer(store, subject)
    tag = fallback_tag(subject.descriptor.digest)
    store.tag(tag, content_of(subject))
    assert store.referrers(subject.descriptor.digest) == ()
    with pytest.raises(RegistryError, match=f"{tag} is where the list of referrers belongs"):
        store.attach(subject.descriptor, sbom)
    assert store.resolve(tag) == subject.descriptor


def test_a_registry_that_denies_a_tag_that_is_not_there_has_no_list(old: Between) -> None:
    store = old.store()
    subject = image(store)
    sbom = referrer(store, subject)

    def artifactory(request: Request, send: Send) -> Response:
        response = without_api(request, send)
        if response.status == 404 and "manifests/sha256-" in request.url:
            response.close()
            return said(403)
        return response

    old.quirk = artifactory
    assert store.referrers(subject.descriptor.digest) == ()
    store.attach(subject.descriptor, sbom)
    assert store.referrers(subject.descriptor.digest) == (sbom,)


def test_a_look_that_needs_a_login_is_an_error(old: Between) -> None:
    old.quirk = lambda request, send: said(404 if "/referrers/" in request.url else 401)
    with pytest.raises(AccessDenied):
        old.store().referrers(Digest.of(b""))


def test_two_that_change_a_list_at_the_same_time_both_find_themselves_in_it(old: Between) -> None:
    """The other one puts his list in the place of ours, before we look at what came of it."""
    ours, theirs = old.store(), old.store()
    subject = image(ours)
    first, second = referrer(ours, subject, "1"), referrer(ours, subject, "2")
    tag = fallback_tag(subject.descriptor.digest)
    meddled: list[str] = []
    other = Manifest.of_index(Index(schema_version=2, media_type=OCI_INDEX, manifests=(second,)))

    def meddle(request: Request, send: Send) -> Response:
        response = without_api(request, send)
        if request.method == "PUT" and request.url.endswith(tag) and not meddled:
            meddled.append(tag)
            theirs.tag(tag, content_of(other))
        return response

    old.quirk = meddle
    ours.attach(subject.descriptor, first)
    assert listed(ours, subject) == [str(second.digest), str(first.digest)]


def test_a_list_that_others_change_all_the_time_is_an_error_that_says_so(old: Between) -> None:
    pauses: list[float] = []
    store = old.store(sleep=pauses.append)
    subject = image(store)
    sbom = referrer(store, subject)
    tag = fallback_tag(subject.descriptor.digest)

    def lose(request: Request, send: Send) -> Response:
        if request.method == "PUT" and request.url.endswith(tag):
            return said(201)
        return without_api(request, send)

    old.quirk = lose
    with pytest.raises(StoreError, match="others change the list of referrers"):
        store.attach(subject.descriptor, sbom)
    assert len(pauses) == 5
    assert sum(pauses) <= 3.1


def test_a_list_that_was_replaced_while_it_was_read_is_looked_up_again(old: Between) -> None:
    """Some clients delete the old list when they have put a new one."""
    store = old.store()
    subject = image(store)
    sbom = referrer(store, subject)
    store.attach(subject.descriptor, sbom)
    gone: list[str] = []

    def replaced(request: Request, send: Send) -> Response:
        if request.method == "GET" and "/manifests/" in request.url and len(gone) < 2:
            gone.append(request.url)
            return said(404, "MANIFEST_UNKNOWN")
        return without_api(request, send)

    old.quirk = replaced
    assert store.referrers(subject.descriptor.digest) == (sbom,)
    assert len(gone) == 2


def test_a_list_that_is_never_there_when_it_is_read_is_an_error(old: Between) -> None:
    store = old.store()
    subject = image(store)
    store.attach(subject.descriptor, referrer(store, subject))

    def vanishing(request: Request, send: Send) -> Response:
        return said(404) if request.method == "GET" else without_api(request, send)

    old.quirk = vanishing
    with pytest.raises(RegistryError, match="is gone whenever it is read"):
        store.referrers(subject.descriptor.digest)


def test_a_registry_that_wants_all_of_a_list_to_be_there_gets_what_is(old: Between) -> None:
    store = old.store()
    subject = image(store)
    gone, sbom = described(1), referrer(store, subject)
    store.attach(subject.descriptor, gone)
    strict = [str(gone.digest)]

    def wants_all(request: Request, send: Send) -> Response:
        if request.method == "PUT" and isinstance(request.body, bytes):
            missing = [each for each in strict if each.encode() in request.body]
            if missing:
                return said(400, "MANIFEST_UNKNOWN")
        return without_api(request, send)

    old.quirk = wants_all
    store.attach(subject.descriptor, sbom)
    assert listed(store, subject) == [str(sbom.digest)]


def test_what_is_deleted_leaves_the_list(old: Between) -> None:
    store = old.store()
    subject = image(store)
    first, second = referrer(store, subject, "1"), referrer(store, subject, "2")
    store.attach(subject.descriptor, first)
    store.attach(subject.descriptor, second)
    store.delete(first.digest)
    assert store.referrers(subject.descriptor.digest) == (second,)
    assert not store.has(first)


def test_what_is_deleted_where_there_is_an_api_changes_no_list(new: Between) -> None:
    store = new.store()
    subject = image(store)
    sbom = referrer(store, subject)
    store.delete(sbom.digest)
    assert store.referrers(subject.descriptor.digest) == ()
    with pytest.raises(NotFound):
        store.resolve(fallback_tag(subject.descriptor.digest))


def test_what_refers_to_nothing_is_deleted_without_a_look_at_referrers(new: Between) -> None:
    store = new.store()
    subject = image(store)
    new.asked()
    store.delete(subject.descriptor.digest)
    digest = subject.descriptor.digest
    assert new.asked() == [
        f"HEAD manifests/{digest}",
        f"GET manifests/{digest}",
        f"DELETE manifests/{digest}",
    ]


def test_what_is_not_there_cannot_be_deleted(new: Between) -> None:
    image(new.store())
    with pytest.raises(NotFound):
        new.store().delete(Digest.of(b""))
