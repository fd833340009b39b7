"""``manyfest serve --gc --untagged``: which manifests go; none ever loses what it names."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from manyfest.cli.main import cli
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.serve import repository as repositories
from manyfest.serve.errors import Refusal
from manyfest.serve.garbage import find, remove
from manyfest.serve.leads import Leads
from manyfest.serve.storage import Storage
from tests.unit.serve_client import OCI_INDEX, Client, index_of
from tests.unit.test_serve_garbage import age


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "registry")


def index(client: Client, tag: str = "", *, text: str = "") -> tuple[Manifest, Manifest, Manifest]:
    """An index of two images that is pushed, with its images."""
    images = [client.push_image("app", text=f"{text}{number}") for number in (1, 2)]
    pushed = index_of(*images)
    client.push_manifest("app", tag or str(pushed.descriptor.digest), pushed)
    return pushed, images[0], images[1]


def referrer(client: Client, subject: Manifest, *, text: str = "") -> Manifest:
    """Something that refers to ``subject``, pushed without a tag."""
    pushed = client.image(
        "app", subject=subject.descriptor, artifact_type="application/x", text=text
    )
    client.push_manifest("app", str(pushed.descriptor.digest), pushed)
    return pushed


def collect(client: Client) -> None:
    """Remove what nobody has touched for a day."""
    remove(client.storage, find(client.storage, untagged=True))


def left(client: Client, manifests: Iterable[Manifest]) -> list[bool]:
    """Which of them are still there."""
    storage = Storage(client.root)
    return [storage.repository("app").is_manifest(each.descriptor.digest) for each in manifests]


def dangling(root: Path) -> list[str]:
    """What is missing of that which the manifests of the registry need."""
    repository = Storage(root).repository("app")
    missing = []
    for manifest in repository.manifests():
        try:
            repository.check_children(manifest)
        except Refusal as refusal:
            missing.append(str(refusal))
    return missing


def test_without_its_tag_an_index_goes_with_its_platforms_and_their_blobs(client: Client) -> None:
    index(client, "v1")
    client.call("DELETE", "app/manifests/v1")
    age(client.root)
    collect(client)
    assert client.files() == [
        "repositories/app/_oci/index.json",
        "repositories/app/_oci/oci-layout",
    ]


def test_what_a_tag_leads_to_stays(client: Client) -> None:
    pushed = index(client, "v1")
    age(client.root)
    before = client.files()
    collect(client)
    assert client.files() == before
    assert left(client, pushed) == [True, True, True]


def test_an_image_that_another_index_has_stays(client: Client) -> None:
    gone, one, two = index(client)
    client.push_manifest("app", "v2", index_of(one))
    age(client.root)
    collect(client)
    assert left(client, (gone, one, two)) == [False, True, False]


def test_what_refers_to_something_stays_with_it_and_goes_with_it(client: Client) -> None:
    kept, gone = client.push_image("app", "v1", text="kept"), client.push_image("app", text="gone")
    signature, other = referrer(client, kept), referrer(client, gone)
    of_signature = referrer(client, signature)
    age(client.root)
    collect(client)
    assert left(client, (kept, signature, of_signature)) == [True, True, True]
    assert left(client, (gone, other)) == [False, False]
    listed = client.call("GET", f"app/referrers/{gone.descriptor.digest}").json()
    assert listed == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def test_what_refers_to_a_platform_of_a_tagged_index_stays(client: Client) -> None:
    _, one, _ = index(client, "v1")
    signature = referrer(client, one)
    age(client.root)
    collect(client)
    assert left(client, [signature]) == [True]


def test_what_refers_to_a_layer_stays_with_it(client: Client) -> None:
    image = client.push_image("app", "v1")
    note = client.image("app", subject=image.image.layers[0])
    client.push_manifest("app", str(note.descriptor.digest), note)
    age(client.root)
    collect(client)
    assert left(client, [note]) == [True]


def test_what_a_fallback_tag_lists_stays(client: Client) -> None:
    gone = client.push_image("app", text="gone")
    signature = referrer(client, gone)
    tag = f"sha256-{gone.descriptor.digest.hex}"
    client.push_manifest("app", tag, index_of(signature))
    age(client.root)
    collect(client)
    assert left(client, (gone, signature)) == [False, True]


def test_what_another_tool_listed_stays_without_a_tag_too(client: Client) -> None:
    pushed, _, _ = index(client)
    layout = client.root / "repositories/app/_oci"
    top = Manifest.of_index(Index(schema_version=2, manifests=(pushed.descriptor,)))
    (layout / "index.json").write_bytes(top.raw)
    shutil.rmtree(layout / "manifests")
    age(client.root)
    before = client.files()
    collect(Client(client.root))
    assert client.files() == before
    assert dangling(client.root) == []


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("which", [0, 1])
def test_what_was_asked_for_today_stays_with_all_it_leads_to(
    client: Client, method: str, which: int
) -> None:
    pushed = index(client)
    age(client.root)
    client.call(method, f"app/manifests/{pushed[which].descriptor.digest}")
    assert len(find(client.storage, untagged=True).manifests) == (0 if which == 0 else 2)
    collect(client)
    assert left(client, pushed) == ([True, True, True] if which == 0 else [False, True, False])
    assert dangling(client.root) == []


def test_what_was_pushed_today_stays(client: Client) -> None:
    pushed = index(client)
    assert find(client.storage, untagged=True).manifests == ()
    collect(client)
    assert left(client, pushed) == [True, True, True]


def test_a_registry_that_is_only_read_notes_nothing(client: Client) -> None:
    image = client.push_image("app")
    age(client.root)
    reader = Client(client.root, read_only=True)
    assert reader.call("GET", f"app/manifests/{image.descriptor.digest}").status == 200
    collect(client)
    assert left(client, [image]) == [False]


def test_a_manifest_is_read_though_no_use_can_be_noted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = client.push_image("app", "v1")
    age(client.root)

    def refuse(_: str) -> None:
        raise PermissionError

    monkeypatch.setattr(repositories, "touch", refuse)
    assert client.call("GET", "app/manifests/v1").body == image.raw


# What happens between looking and removing


def test_an_index_that_was_pushed_meanwhile_keeps_its_platforms(client: Client) -> None:
    _, one, two = index(client)
    age(client.root)
    found = find(client.storage, untagged=True)
    later = index_of(two, one)
    assert client.push_manifest("app", "v2", later).status == 201
    remove(client.storage, found)
    assert left(client, (later, one, two)) == [True, True, True]
    assert dangling(client.root) == []


def test_an_index_that_is_pushed_afterwards_is_refused(client: Client) -> None:
    _, one, two = index(client)
    age(client.root)
    collect(client)
    refused = client.push_manifest("app", "v2", index_of(one, two))
    assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_what_was_asked_for_meanwhile_stays_with_all_it_leads_to(client: Client) -> None:
    pushed = index(client)
    age(client.root)
    found = find(client.storage, untagged=True)
    client.call("HEAD", f"app/manifests/{pushed[0].descriptor.digest}")
    remove(client.storage, found)
    assert left(client, pushed) == [True, True, True]
    assert dangling(client.root) == []


def test_what_is_asked_for_at_the_last_moment_stays_with_all_it_leads_to(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = index(client)
    age(client.root)
    found = find(client.storage, untagged=True)
    in_order = Leads.in_order

    def asked(leads: Leads, manifests: set[Digest]) -> Iterable[Digest]:
        ordered = list(in_order(leads, manifests))
        client.call("HEAD", f"app/manifests/{pushed[0].descriptor.digest}")
        return ordered

    monkeypatch.setattr(Leads, "in_order", asked)
    remove(client.storage, found)
    assert left(client, pushed) == [True, True, True]
    assert dangling(client.root) == []


def test_what_became_garbage_meanwhile_waits_for_the_next_time(client: Client) -> None:
    one, two = client.push_image("app", text="1"), client.push_image("app", "v1", text="2")
    age(client.root)
    found = find(client.storage, untagged=True)
    client.call("DELETE", "app/manifests/v1")
    remove(client.storage, found)
    assert left(client, (one, two)) == [False, True]


def test_pushes_of_indexes_go_on_meanwhile(client: Client) -> None:
    index(client, "v0")
    statuses: list[int] = []

    def push() -> None:
        other = Client(client.root)
        for number in range(40):
            image = other.push_image("app", text=f"{number}")
            statuses.append(other.push_manifest("app", f"v{number % 3}", index_of(image)).status)

    pushing = threading.Thread(target=push)
    pushing.start()
    while pushing.is_alive():
        # Everything counts as old at once; what is still being uploaded is not looked at.
        found = find(client.storage, older_than=-60, untagged=True)
        remove(client.storage, replace(found, files=(), blobs=()))
    pushing.join()
    assert len(statuses) == 40
    assert set(statuses) <= {201, 400}
    assert dangling(client.root) == []


# Killed


class Killed(BaseException):
    """As if the process had ended here."""


def test_killed_anywhere_it_leaves_whole_images_and_can_be_run_again(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, one, _ = index(client)
    referrer(client, one)
    referrer(client, gone)
    kept = index(client, "v1", text="kept")
    age(client.root)
    collect(Client(shutil.copytree(client.root, tmp_path / "whole")))
    expected = Client(tmp_path / "whole").files()
    for count in range(100):
        root = shutil.copytree(client.root, tmp_path / f"{count}")
        if not killed_after(count, Storage(root), monkeypatch):
            break
        assert dangling(root) == [], count
        assert left(Client(root), kept) == [True, True, True], count
        age(root)
        collect(Client(root))
        assert Client(root).files() == expected, count
    assert count > 10


def killed_after(count: int, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Collect, until so many names of files are gone; whether it came to that."""
    unlinked = 0
    unlink = os.unlink

    def counted(path: str | Path) -> None:
        nonlocal unlinked
        if unlinked == count:
            raise Killed
        unlinked += 1
        unlink(path)

    found = find(storage, untagged=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", counted)
        try:
            remove(storage, found)
        except Killed:
            return True
    return False


# The order


def ordered(*manifests: Manifest) -> list[int]:
    """Their places in the order in which they would go."""
    by_digest = {each.descriptor.digest: place for place, each in enumerate(manifests)}
    return [by_digest[digest] for digest in Leads.of(manifests).in_order(set(by_digest))]


def test_an_index_goes_before_its_entries_and_those_before_what_refers_to_them(
    client: Client,
) -> None:
    image = client.image("app")
    inner = index_of(image)
    outer = index_of(inner)
    signature = client.image("app", subject=image.descriptor)
    assert ordered(signature, image, inner, outer) == [3, 2, 1, 0]


def test_an_index_that_refers_to_its_own_entry_goes_before_it(client: Client) -> None:
    image = client.image("app")
    body = replace(index_of(image).index, subject=image.descriptor)
    assert ordered(image, Manifest.of_index(body)) == [1, 0]


# The command


def test_the_command_prints_what_would_go_and_removes_it(client: Client) -> None:
    image = client.push_image("app")
    config, layer = (child.digest for child in image.children)
    age(client.root)
    freed = f"{len(image.raw) + 14 + 5} B"
    for option, said in (("--dry-run", "would remove"), ("-v", "removed")):
        done = CliRunner().invoke(cli, ["serve", str(client.root), "--gc", "--untagged", option])
        lines = done.stdout.splitlines()
        assert lines[0] == f"app@{image.descriptor.digest}"
        assert set(lines[1:]) == {f"app@{config}", f"app@{layer}"}
        assert f"{said} 1 manifest, 2 blobs and 0 unfinished files, and free" in done.stderr
        assert freed in done.stderr
    assert [name for name in client.files() if "sha256" in name] == []


def test_untagged_alone_is_refused() -> None:
    done = CliRunner().invoke(cli, ["serve", "--untagged"])
    assert "--untagged is of use with --gc only" in f"{done.stderr}{done.exception}"
    assert done.exit_code != 0
