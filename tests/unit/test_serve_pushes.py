"""Manifests that are pushed at the same time, and stored together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyfest.errors import InvalidManifest
from manyfest.oci.manifest import Manifest
from manyfest.serve.errors import Refusal
from manyfest.serve.pushes import Push
from manyfest.stores.files import FolderLock
from tests.unit.serve_client import Client, index_of


@pytest.fixture
def client(tmp_path: Path) -> Client:
    client = Client(tmp_path)
    client.registry.prepare()
    return client


def refused() -> Manifest:
    raise InvalidManifest("it is none")


def test_what_is_refused_ends_no_other_push_of_its_round(client: Client) -> None:
    good = client.image("app")
    lacking = index_of(good)
    repository = client.storage.repository("app")
    pushes = [
        Push(refused, ["bad"]),
        Push(lambda: good, ["v1", "v2"]),
        Push(lambda: lacking, ["lacking"]),
    ]
    repository.pushes._do_all(pushes)
    assert pushes[1].result() == good
    with pytest.raises(InvalidManifest, match="it is none"):
        pushes[0].result()
    # Its image came in the same round, and not before it.
    with pytest.raises(Refusal, match="push it before the index"):
        pushes[2].result()
    assert client.call("GET", "app/tags/list").json() == {"name": "app", "tags": ["v1", "v2"]}


def test_a_round_of_which_all_is_refused_makes_no_repository(client: Client) -> None:
    push = Push(refused, ["v1"])
    client.storage.repository("app").pushes._do_all([push])
    with pytest.raises(InvalidManifest):
        push.result()
    assert client.storage.names() == []


def test_no_file_of_a_round_is_left(client: Client) -> None:
    image = client.image("app")
    client.storage.repository("app").pushes._do_all([Push(lambda: image), Push(refused)])
    assert [name for name in client.files() if name.startswith("uploads/")] == []


@pytest.mark.parametrize("tags", [[], ["v1"]])
def test_nothing_is_deleted_while_a_manifest_gets_its_names(
    client: Client, monkeypatch: pytest.MonkeyPatch, tags: list[str]
) -> None:
    """Or the names of what is deleted and pushed again at that moment would lead to nothing."""
    image = client.image("app")
    repository = client.storage.repository("app")
    link = os.link
    might_delete: list[bool] = []

    def linked(source: str, target: str) -> None:
        with FolderLock(repository.layout.path) as lock:
            might_delete.append(lock.try_alone())
        link(source, target)

    monkeypatch.setattr("manyfest.serve.pool.os.link", linked)
    repository.pushes.do(Push(lambda: image, tags))
    assert set(might_delete) == {False}
