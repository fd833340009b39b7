"""What is ready and not signed is not ready, if a signature is asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from manyfest.check.readiness import Readiness, readiness
from manyfest.check.signed import with_signatures
from manyfest.check.soak import Question
from manyfest.check.wait import wait
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from manyfest.trust.signatures import Signatures
from tests import images
from tests.signing import Key, sign_by_bundle, statement_of
from tests.unit.waiting import Scripted, Time, Told, watched

KEY = Key()
NAMES = ("linux/amd64", "linux/arm64")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def looked(store: MemoryStore, root: Manifest, *wanted: str) -> Readiness:
    store.tag("v1", images.content_of(root))
    platforms = [Platform.parse(each) for each in wanted]
    answer = readiness(store, "v1", platforms, "app:v1")
    return with_signatures(store, answer, Signatures(KEY.public()).why_unsigned)


def states(answer: Readiness) -> dict[str, tuple[str, str]]:
    return {each.platform: (each.state, each.why) for each in answer.platforms}


def sign(store: MemoryStore, subject: Manifest) -> None:
    sign_by_bundle(store, subject, KEY, statement_of(str(subject.descriptor.digest)))


def test_what_nobody_signed_is_unsigned(store: MemoryStore) -> None:
    answer = looked(store, images.platforms(store, NAMES))
    assert not answer.ready
    assert states(answer) == {
        "linux/amd64": ("unsigned", "it is not signed"),
        "linux/arm64": ("unsigned", "it is not signed"),
    }


def test_the_signature_of_an_index_is_one_of_all_that_is_in_it(store: MemoryStore) -> None:
    root = images.platforms(store, NAMES)
    sign(store, root)
    assert looked(store, root).ready


def test_each_platform_may_have_a_signature_of_its_own(store: MemoryStore) -> None:
    first, second = (images.image(store, name) for name in NAMES)
    root = images.index(store, [images.entry(first, NAMES[0]), images.entry(second, NAMES[1])])
    sign(store, first)
    assert states(looked(store, root)) == {
        "linux/amd64": ("ready", ""),
        "linux/arm64": ("unsigned", "it is not signed"),
    }


def windows(version: str) -> Platform:
    return Platform(os="windows", architecture="amd64", os_version=version)


def test_so_may_each_version_of_a_system_and_all_of_them_count(store: MemoryStore) -> None:
    older, newer = (images.image(store, "windows/amd64", text=text) for text in ("2019", "2022"))
    entries = [
        replace(image.descriptor, platform=windows(version))
        for image, version in ((older, "10.0.17763.1"), (newer, "10.0.20348.1"))
    ]
    root = images.index(store, entries)
    sign(store, older)
    assert states(looked(store, root)) == {"windows/amd64": ("unsigned", "it is not signed")}
    sign(store, newer)
    assert looked(store, root).ready


def test_an_image_for_one_platform_is_signed_itself(store: MemoryStore) -> None:
    image = images.image(store)
    assert states(looked(store, image)) == {"linux/amd64": ("unsigned", "it is not signed")}
    sign(store, image)
    assert looked(store, image).ready


def test_what_is_missing_stays_missing(store: MemoryStore) -> None:
    answer = looked(store, images.platforms(store, NAMES[:1]), *NAMES)
    assert {platform: state for platform, (state, _) in states(answer).items()} == {
        "linux/amd64": "unsigned",
        "linux/arm64": "missing",
    }


def test_nothing_is_asked_of_signatures_where_nothing_is_ready(store: MemoryStore) -> None:
    answer = readiness(store, "v2", [Platform.parse("linux/amd64")], "app:v2")
    assert with_signatures(store, answer, lambda *_: pytest.fail("asked")) == answer


def test_a_wait_for_a_signature_ends_when_it_is_there() -> None:
    time, store = Time(), Scripted()
    root = images.platforms(store, NAMES)
    store.hold(root)
    time.at = {30: lambda: sign(store, root)}
    told = Told(time)
    places = watched(store, why_unsigned=Signatures(KEY.public()).why_unsigned)
    question = Question(groups=((0,),), soak=0.0, timeout=600.0)
    assert wait(places, question, told, time.patience()).verdict == "ready"
    assert [line.partition(": ")[2] for line in told.lines] == [
        f"0 holds {str(root.descriptor.digest)[:10]}",
        "0 linux/amd64 state unsigned",
        "0 linux/arm64 state unsigned",
        "0 linux/amd64 state ready",
        "0 linux/arm64 state ready",
        "complete",
    ]
