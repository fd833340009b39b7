from __future__ import annotations

import resource
from pathlib import Path

import pytest

from manyfest.errors import ReleaseError
from manyfest.oci.digest import Digest
from manyfest.release.resume.journal import (
    Began,
    Held,
    Journal,
    Made,
    journal_path,
    parse_journal,
    read_journal,
)
from manyfest.release.resume.journal_copies import attach_copy, read_copy
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.unit.releases import VERSION, Notes, make_release, with_image

A, B = Digest.of(b"a"), Digest.of(b"b")
BEGAN = Began(name="app", version="2.6.1", digest=A)
LATEST, MINOR = "one.example/app:latest", "one.example/app:2.6"


def make_journal(path: Path) -> Journal:
    journal = Journal(path / "app.journal", BEGAN)
    journal.note(Held(reference=LATEST, digest=B), Held(reference=MINOR, digest=None))
    return journal


def read(path: Path) -> tuple[Journal | None, list[str]]:
    said: list[str] = []
    return read_journal(path, said.append), said


def test_it_is_lines_of_json(tmp_path: Path) -> None:
    make_journal(tmp_path)
    assert (tmp_path / "app.journal").read_text() == (
        f'{{"event":"began","name":"app","version":"2.6.1","digest":"{A}"}}\n'
        f'{{"event":"held","reference":"one.example/app:latest","digest":"{B}"}}\n'
        '{"event":"held","reference":"one.example/app:2.6","digest":null}\n'
    )


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    make_journal(tmp_path)
    journal, said = read(tmp_path / "app.journal")
    assert journal is not None
    assert journal.began == BEGAN
    assert journal.held == {LATEST: B, MINOR: None}
    assert said == []


def test_the_last_word_on_a_tag_counts(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    journal.note(Held(reference=MINOR, digest=B))
    assert journal.held == {LATEST: B, MINOR: B}


def test_lines_are_added_to_what_another_run_has_written(tmp_path: Path) -> None:
    make_journal(tmp_path)
    before = (tmp_path / "app.journal").read_bytes()
    journal, _ = read(tmp_path / "app.journal")
    assert journal is not None
    journal.note_end("tags", "5 set")
    after = (tmp_path / "app.journal").read_bytes()
    assert after.startswith(before)
    assert b'{"event":"ended","step":"tags","what":"5 set","at":"20' in after
    assert journal.ended == ("tags",)


@pytest.mark.parametrize("torn", [b'{"event":"held","refer', b"\0\0\0"])
def test_a_torn_last_line_is_left_out_and_written_over(tmp_path: Path, torn: bytes) -> None:
    make_journal(tmp_path)
    path = tmp_path / "app.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    journal, said = read(path)
    assert journal is not None
    assert (journal.held, said) == ({LATEST: B, MINOR: None}, [])
    journal.note(Made(revision="abc", inputs="sha256:1"))
    assert path.read_bytes() == whole + (b'{"event":"made","revision":"abc","inputs":"sha256:1"}\n')


@pytest.mark.parametrize(
    "damage",
    [
        b"not JSON\n",
        b'{"event":"held","reference":"x","digest":"sha256:short"}\n',
        b'{"event":"held","reference":"x","digest":7}\n',
        b'{"event":"unheard of"}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_journal_costs_what_follows_and_says_so(tmp_path: Path, damage: bytes) -> None:
    make_journal(tmp_path)
    path = tmp_path / "app.journal"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + damage + third)
    journal, said = read(path)
    assert journal is not None
    assert journal.held == {LATEST: B}
    assert said == [f"{path}:3: the journal is damaged; it is used up to there"]


@pytest.mark.parametrize("raw", [b"", b"\n", b"nothing", b'{"event":"held"}\n'])
def test_what_is_no_journal_is_none(tmp_path: Path, raw: bytes) -> None:
    assert parse_journal(raw, tmp_path / "x", lambda _: None, where="x") is None


def test_one_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "app.journal").mkdir()
    journal, said = read(tmp_path / "app.journal")
    assert journal is None
    assert said == [
        f"{tmp_path}/app.journal: the journal cannot be read and is left out:"
        " it is not a regular file"
    ]


def test_one_that_is_not_there_is_nothing_to_speak_of(tmp_path: Path) -> None:
    assert read(tmp_path / "app.journal") == (None, [])


def test_one_that_cannot_be_written_ends_the_release(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file/app.journal", BEGAN)
    with pytest.raises(ReleaseError, match=r"app.journal: the journal cannot be written: "):
        journal.note(Held(reference=LATEST, digest=B))


@pytest.mark.parametrize(
    ("archive", "journal"),
    [
        ("dist/app-2.6.1.tar", "dist/app-2.6.1.journal"),
        ("dist/image.tar", "dist/image-2.6.1.journal"),
        ("dist/app-2.6.1-arm64.tar", "dist/app-2.6.1-arm64.journal"),
    ],
)
def test_it_lies_beside_the_archive_one_for_each_version(archive: str, journal: str) -> None:
    assert journal_path(Path(archive), VERSION) == Path(journal)


def test_a_line_that_does_not_fit_on_the_disk_is_never_taken_for_written(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 10, hard))
    try:
        with pytest.raises(ReleaseError, match="the journal cannot be written"):
            journal.note(Held(reference="one.example/app:2", digest=A))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.note_end("tags", "5 set")
    found, said = read(journal.path)
    assert found is not None
    assert (found.held, found.ended) == (journal.held, ("tags",))
    assert said == []


def test_the_journal_of_another_image_is_left_out(tmp_path: Path) -> None:
    release = with_image(make_release(tmp_path))
    release.open_journal().note(Held(reference=LATEST, digest=B))
    other = with_image(make_release(tmp_path), text="another")
    notes = other.progress = Notes()
    assert other.open_journal().held == {}
    assert notes.said == []


def test_it_keeps_itself_out_of_git(tmp_path: Path) -> None:
    with_image(make_release(tmp_path)).open_journal().note(Held(reference=LATEST, digest=B))
    assert (tmp_path / "dist/.gitignore").read_text() == "*\n"


def test_a_registry_keeps_a_copy_that_is_found_from_the_image(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    attach_copy(store, root.descriptor, make_journal(tmp_path))
    said: list[str] = []
    found = read_copy(
        store, root.descriptor.digest, BEGAN.version, tmp_path / "elsewhere", said.append
    )
    assert found is not None
    assert (found.began, found.held) == (BEGAN, {LATEST: B, MINOR: None})
    assert said == []


def test_a_copy_is_an_artifact_that_says_what_it_is(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    attach_copy(store, root.descriptor, make_journal(tmp_path))
    (referrer,) = store.referrers(root.descriptor.digest)
    assert referrer.artifact_type == "application/vnd.manyfest.journal.v1+jsonl"


def test_the_same_journal_is_not_attached_twice(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    journal = make_journal(tmp_path)
    attach_copy(store, root.descriptor, journal)
    held = dict(store.blobs)
    journal.note_end("tags", "5 set")  # the time is this machine's alone
    attach_copy(store, root.descriptor, journal)
    assert store.blobs == held


def test_of_several_copies_the_longest_is_the_newest(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    journal = make_journal(tmp_path)
    attach_copy(store, root.descriptor, journal)
    journal.note(Held(reference=MINOR, digest=B))
    attach_copy(store, root.descriptor, journal)
    found = read_copy(
        store, root.descriptor.digest, BEGAN.version, tmp_path / "elsewhere", lambda _: None
    )
    assert found is not None
    assert found.held == {LATEST: B, MINOR: B}


def test_a_damaged_copy_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    journal = make_journal(tmp_path)
    attach_copy(store, root.descriptor, journal)
    store.blobs[Digest.of(journal.copy)] = b"something else"
    said: list[str] = []
    assert (
        read_copy(store, root.descriptor.digest, BEGAN.version, tmp_path / "x", said.append) is None
    )
    assert said[0].startswith("memory@sha256:")
    assert "a copy of the journal is damaged and left out" in said[0]


def test_a_copy_larger_than_any_is_left_out(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    many = [Held(reference=f"one.example/app:{number:060}", digest=B) for number in range(6000)]
    attach_copy(store, root.descriptor, Journal(tmp_path / "app.journal", BEGAN, many))
    said: list[str] = []
    assert (
        read_copy(store, root.descriptor.digest, BEGAN.version, tmp_path / "x", said.append) is None
    )
    assert "a copy of the journal is damaged and left out" in said[0]


def test_of_very_many_copies_some_are_looked_at(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    for number in range(66):
        held = [Held(reference=f"one.example/app:{number}", digest=B)]
        attach_copy(store, root.descriptor, Journal(tmp_path / "app.journal", BEGAN, held))
    said: list[str] = []
    assert (
        read_copy(store, root.descriptor.digest, BEGAN.version, tmp_path / "x", said.append)
        is not None
    )
    assert said == [f"memory@{root.descriptor.digest}: of 66 journals 64 are looked at"]


def test_other_copies_add_what_is_not_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "mine.journal", BEGAN)
    journal.note(Held(reference=LATEST, digest=A))
    journal.learn(make_journal(tmp_path), "one.example/app")
    assert journal.held == {LATEST: A, MINOR: None}


def test_what_a_copy_says_of_other_repositories_is_theirs_to_say(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "mine.journal", BEGAN)
    journal.learn(make_journal(tmp_path), "two.example/app")
    assert journal.held == {}


def test_an_image_that_was_another_version_first_has_a_journal_of_each(tmp_path: Path) -> None:
    store = MemoryStore()
    root = images.platforms(store)
    candidate = Began(name="app", version="2.6.1-rc.1", digest=A)
    held = [Held(reference=f"one.example/app:next-{number}", digest=B) for number in range(9)]
    attach_copy(store, root.descriptor, Journal(tmp_path / "rc.journal", candidate, held))
    attach_copy(store, root.descriptor, make_journal(tmp_path))
    found = read_copy(store, root.descriptor.digest, "2.6.1", tmp_path / "x", lambda _: None)
    assert found is not None
    assert found.held == {LATEST: B, MINOR: None}
