"""What is all there and not signed is not ready, where ``watch.yaml`` asks for a signature."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.check.readiness import Readiness
from manyfest.errors import ConfigError, RegistryError
from manyfest.graph import read_manifest
from manyfest.oci.platform import Platform
from manyfest.trust.public_key import PublicKey
from manyfest.watch.config.load import image_of, load
from manyfest.watch.decide import beginning, decide
from manyfest.watch.poll.seen import SeenImage
from manyfest.watch.values import Change, PlaceSeen, PlatformSeen, Rule, TagState
from tests.signing import Key, payload_of, sign_by_bundle, sign_by_tag, statement_of
from tests.unit.test_watch_seen import PLACE, WANTED, Asked, release
from tests.unit.watch_tags import (
    AMD64,
    ARM64,
    GHCR,
    HUB,
    WHOLE,
    events,
    everywhere,
    having,
    kinds,
    observed,
    play,
    rule,
)

KEY, OTHER = Key(), Key()
PUBLIC = KEY.public()
BY = PUBLIC.fingerprint
_WHY = "it is not signed"
UNSIGNED = having(having(WHOLE, AMD64, "unsigned", _WHY), ARM64, "unsigned", _WHY)


def seen_in(store: Asked, key: PublicKey | None = PUBLIC) -> SeenImage:
    """The image in the store, which must be signed."""
    return SeenImage(PLACE, lambda: store, [Platform.parse(each) for each in WANTED], key)


def sign(store: Asked, tag: str, key: Key = KEY) -> None:
    """Sign what the tag means, by cosign's tag."""
    root = read_manifest(store, store.resolve(tag))
    payload = payload_of(str(root.descriptor.digest))
    sign_by_tag(store, root, (payload, key.sign(payload)))
    store.since()


def sign_with_bundle(store: Asked, tag: str) -> None:
    root = read_manifest(store, store.resolve(tag))
    sign_by_bundle(store, root, KEY, statement_of(str(root.descriptor.digest)))
    store.since()


def states(answer: Readiness) -> list[tuple[str, str]]:
    return [(each.state, each.why) for each in answer.platforms]


def recalled(answer: Readiness, signed_by: str) -> PlaceSeen:
    """What the history has of a place that gave this answer."""
    platforms = {
        each.platform: PlatformSeen(state=each.state, digest=each.digest, why=each.why)
        for each in answer.platforms
    }
    return PlaceSeen(place=PLACE, digest=answer.digest, platforms=platforms, signed_by=signed_by)


def test_what_nobody_signed_is_asked_about_again_until_it_is_signed() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)

    assert states(seen.look("1")) == [("unsigned", "it is not signed")] * 2
    store.since()
    assert not seen.look("1").ready
    asked = store.since()
    assert asked[0] == "HEAD 1"
    assert "GET" not in asked

    sign(store, "1")
    assert seen.look("1").ready
    store.since()
    assert seen.look("1").ready
    assert store.since() == ["HEAD 1"]


def test_a_signature_that_was_removed_is_missed_when_all_is_asked_for_once_more() -> None:
    store = Asked()
    digest = release(store, "1", *WANTED)
    sign(store, "1")
    seen = seen_in(store)
    assert seen.look("1").ready
    store.untag(f"{digest.replace(':', '-')}.sig")

    assert seen.look("1").ready
    assert states(seen.look("1", again=True)) == [("unsigned", "it is not signed")] * 2
    assert not seen.look("1").ready


def test_and_so_is_one_that_was_removed_while_the_watch_was_down() -> None:
    store = Asked()
    digest = release(store, "1", *WANTED)
    sign(store, "1")
    before = seen_in(store).look("1")
    store.untag(f"{digest.replace(':', '-')}.sig")
    seen = seen_in(store)
    seen.recall("1", recalled(before, BY))

    assert seen.look("1").ready
    assert states(seen.look("1", again=True)) == [("unsigned", "it is not signed")] * 2


def test_what_lacks_a_platform_can_be_asked_for_once_more() -> None:
    store = Asked()
    release(store, "1", WANTED[0])
    sign(store, "1")
    seen = seen_in(store)

    assert [each.state for each in seen.look("1", again=True).platforms] == ["ready", "missing"]
    assert not seen.look("2", again=True).digest


def test_one_that_was_added_meanwhile_is_seen_at_the_first_look() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    before = seen_in(store).look("1")
    sign(store, "1")
    seen = seen_in(store)
    seen.recall("1", recalled(before, BY))

    assert seen.look("1").ready


def test_a_bundle_is_a_signature_too() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    sign_with_bundle(store, "1")

    assert seen_in(store).look("1").ready


def test_a_signature_by_somebody_else_is_none() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    sign(store, "1", OTHER)

    assert (
        states(seen_in(store).look("1")) == [("unsigned", "its signature is not by cosign.pub")] * 2
    )


def test_a_signature_in_another_place_is_none_here() -> None:
    here, there = Asked(), Asked()
    for store in (here, there):
        release(store, "1", *WANTED)
    sign(there, "1")

    assert seen_in(there).look("1").ready
    assert not seen_in(here).look("1").ready


def test_what_is_moved_to_must_be_signed_again() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    sign(store, "1")
    seen = seen_in(store)
    assert seen.look("1").ready

    release(store, "1", *WANTED, text="another")
    assert not seen.look("1").ready


def test_what_is_not_watched_any_more_is_forgotten() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    sign(store, "1")
    seen = seen_in(store)
    seen.look("1")
    seen.forget("1")
    tag = next(name for name in store.names if name.startswith("sha256-"))
    del store.names[tag]

    assert not seen.look("1").ready


def test_what_cannot_be_told_is_neither_signed_nor_unsigned() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    seen = seen_in(store)
    seen.look("1")

    def overloaded(*_: object) -> object:
        raise RegistryError("it is overloaded", status=503)

    store.referrers = overloaded  # type: ignore[assignment,method-assign]
    with pytest.raises(RegistryError, match="overloaded"):
        seen.look("1")


def test_what_the_history_knows_to_be_signed_is_not_asked_about_again() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    sign(store, "1")
    known = seen_in(store).look("1")
    store.since()
    seen = seen_in(store)
    seen.recall("1", recalled(known, BY))

    assert seen.look("1") == known
    assert store.since() == ["HEAD 1"]


def test_what_the_history_knows_to_be_unsigned_is_not_read_again_but_asked_about() -> None:
    store = Asked()
    release(store, "1", *WANTED)
    known = seen_in(store).look("1")
    seen = seen_in(store)
    seen.recall("1", recalled(known, BY))
    store.since()

    assert seen.look("1") == known
    assert "GET" not in store.since()
    sign(store, "1")
    assert seen.look("1").ready


@pytest.mark.parametrize("before", ["", OTHER.public().fingerprint], ids=["none", "another"])
def test_what_was_ready_under_another_key_is_asked_about(before: str) -> None:
    store = Asked()
    release(store, "1", *WANTED)
    known = seen_in(store, None).look("1")
    seen = seen_in(store)
    seen.recall("1", recalled(known, before))

    assert not seen.look("1").ready


# Decisions

BOTH = rule()


def follow(
    rule_: Rule, *looks: tuple[float, str, Readiness], by: str = BY, state: TagState | None = None
) -> list[Change]:
    """What follows from looks that ask for signatures by a key."""
    state = state or beginning(rule_, "2.6.1", 0.0)
    changes: list[Change] = []
    for look in looks:
        observation = replace(observed(rule_, look), signed_by=by)
        changes.append(decide(rule_, state, [observation], look[0]))
        state = changes[-1].state
    return changes


def test_a_version_is_complete_once_it_is_signed_everywhere() -> None:
    changes = follow(
        BOTH,
        (0.0, HUB, UNSIGNED),
        (0.0, GHCR, UNSIGNED),
        (60.0, HUB, WHOLE),
        (90.0, GHCR, WHOLE),
    )

    assert kinds(changes) == [
        "appeared",
        *["platform ready"] * 4,
        "complete",
    ]
    state = changes[-1].state
    assert (state.first_seen, state.complete_at) == (0.0, 90.0)
    assert [each.signed_by for each in state.places] == [BY, BY]


def test_what_is_not_signed_in_time_is_late() -> None:
    late = replace(BOTH, late=30.0)
    changes = follow(late, (0.0, HUB, UNSIGNED), (31.0, HUB, UNSIGNED), (31.0, GHCR, UNSIGNED))

    assert kinds(changes) == ["appeared", "late"]
    assert events(changes)[-1].why == (
        f"in {HUB} linux/amd64 is unsigned, linux/arm64 is unsigned;"
        f" in {GHCR} linux/amd64 is unsigned, linux/arm64 is unsigned"
    )


def test_that_a_key_is_asked_for_from_now_on_is_no_news() -> None:
    before = play(BOTH, everywhere(0.0, WHOLE))[-1].state
    assert before.complete_at == 0.0

    changes = follow(BOTH, (60.0, HUB, UNSIGNED), (61.0, GHCR, UNSIGNED), state=before)
    assert kinds(changes) == []
    assert unsigned(changes[-1].state)
    assert changes[-1].state.complete_at is None

    changes = follow(BOTH, (90.0, HUB, WHOLE), (91.0, GHCR, WHOLE), state=changes[-1].state)
    assert kinds(changes) == [*["platform ready"] * 4, "complete"]


def unsigned(state: TagState) -> bool:
    return all(
        each.state == "unsigned" for place in state.places for each in place.platforms.values()
    )


def test_a_signature_that_was_removed_is_told_once_that_has_lasted() -> None:
    before = follow(BOTH, (0.0, HUB, WHOLE), (0.0, GHCR, WHOLE))[-1].state

    changes = follow(
        BOTH, (50.0, HUB, WHOLE), (60.0, GHCR, UNSIGNED), (121.0, GHCR, UNSIGNED), state=before
    )
    assert kinds(changes) == []
    changes = follow(BOTH, (122.0, HUB, WHOLE), state=changes[-1].state)

    assert kinds(changes) == ["incomplete"]
    assert events(changes)[-1].why == (
        f"in {GHCR} linux/amd64 is unsigned, linux/arm64 is unsigned"
    )


def test_a_version_that_is_signed_already_when_a_key_is_asked_for_stays_complete() -> None:
    before = play(BOTH, everywhere(0.0, WHOLE))[-1].state

    changes = follow(BOTH, (60.0, HUB, WHOLE), (61.0, GHCR, WHOLE), state=before)

    assert kinds(changes) == []
    assert changes[-1].state.complete_at == 0.0
    assert [each.signed_by for each in changes[-1].state.places] == [BY, BY]


# watch.yaml

IN = "images:\n  - in: [a.example.org/b]\n    platforms: [linux/amd64]\n"


def test_the_key_stands_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_bytes(KEY.pem)
    (tmp_path / "watch.yaml").write_text(IN + "    signed_by: cosign.pub\n")

    (image,) = load(tmp_path / "watch.yaml", {}).images

    assert image.signed_by == PUBLIC
    assert image.signed_by != OTHER.public()


def test_or_it_is_in_a_variable(tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(IN + "    signed_by: env:COSIGN_PUB\n")

    (image,) = load(tmp_path / "watch.yaml", {"COSIGN_PUB": KEY.pem.decode()}).images

    assert image.signed_by == KEY.public("env:COSIGN_PUB")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "none.pub",
            "none.pub: the key cannot be read: No such file or directory; name a file, or env:NAME"
            " for a variable that holds the key",
        ),
        ("env:NONE", "env:NONE: the variable is not set; put the key's PEM in it"),
        (
            "watch.yaml",
            "watch.yaml: it is no public key in PEM form; name a file such as cosign.pub, which"
            " begins with BEGIN PUBLIC KEY",
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text(IN + f"    signed_by: {text}\n")

    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}:4: 'images[0].signed_by': {said}"


def test_what_the_page_adds_names_no_files(tmp_path: Path) -> None:
    path = tmp_path / "cosign.pub"
    path.write_bytes(KEY.pem)
    asked = {"in": ["a.example.org/b"], "platforms": ["linux/amd64"], "signed_by": str(path)}

    with pytest.raises(ConfigError, match=r"'signed_by': only watch\.yaml names keys"):
        image_of(asked, 300.0, ())
