"""A registry that fills itself and has users: who may not read fills nothing, and reads nothing of
what others filled it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.oci.manifest import Manifest
from manyfest.serve.policy import Policy
from tests.gates import basic, gate
from tests.unit.serve_client import Answer
from tests.unit.serve_upstream import Cache

ACCESS = """\
rules:
  - repositories: [secret/**]
    read: [ada]
  - repositories: [team/**]
    read: [users]
  - repositories: [open/**]
    read: [anyone]
"""
"""What no rule fits is nobody's."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return cache_with(tmp_path, ACCESS)


def cache_with(folder: Path, access: str) -> Cache:
    cache = Cache(folder / "cache", policy=Policy(gate=gate(folder / "access", access)))
    for name in ("secret/app", "team/app", "open/app", "other/app", "library/tool"):
        cache.origins[f"docker.io/{name}"].push("v1", name.encode())
    return cache


def image_of(cache: Cache, name: str) -> Manifest:
    return cache.origins[f"docker.io/{name}"].push("v1", name.encode())


def ask(cache: Cache, name: str, path: str, user: str = "", method: str = "GET") -> Answer:
    cache.fields = {"authorization": basic(user)} if user else {}
    return cache.call(method, f"{name}/{path}")


def everything(cache: Cache, name: str, user: str = "") -> set[int]:
    """The statuses of all there is to read of an image."""
    image = image_of(cache, name)
    digest, layer = image.descriptor.digest, image.image.layers[0].digest
    paths = ["tags/list", "manifests/v1", f"manifests/{digest}", f"referrers/{digest}"]
    answers = [ask(cache, name, path, user) for path in [*paths, f"blobs/{layer}"]]
    answers += [ask(cache, name, path, user, "HEAD") for path in ("manifests/v1", f"blobs/{layer}")]
    return {answer.status for answer in answers}


@pytest.mark.parametrize(
    ("name", "user", "expected"),
    [
        ("secret/app", "", 401),
        ("secret/app", "eve", 403),
        ("team/app", "", 401),
        ("other/app", "", 401),
        ("other/app", "ada", 403),
    ],
)
def test_who_may_not_read_has_nothing_fetched(
    cache: Cache, name: str, user: str, expected: int
) -> None:
    assert everything(cache, name, user) == {expected}
    assert cache.origins.asked == []
    assert cache.kept.names() == []


@pytest.mark.parametrize(
    ("name", "user"), [("secret/app", "ada"), ("team/app", "eve"), ("open/app", "")]
)
def test_who_may_read_has_it_fetched(cache: Cache, name: str, user: str) -> None:
    assert everything(cache, name, user) == {200}
    assert cache.kept.names() == [f"docker.io/{name}"]


def test_what_one_user_filled_it_with_is_not_for_another(cache: Cache) -> None:
    assert everything(cache, "secret/app", "ada") == {200}
    assert everything(cache, "secret/app", "eve") == {403}
    assert everything(cache, "secret/app") == {401}
    cache.fields = {"authorization": basic("eve")}
    assert cache.call("GET", "_catalog").json() == {"repositories": []}
    assert cache.call("GET", "/repositories/secret/app").status == 403


def test_a_blob_of_one_repository_is_not_had_from_another(cache: Cache) -> None:
    layer = image_of(cache, "secret/app").image.layers[0].digest
    assert ask(cache, "secret/app", f"blobs/{layer}", "ada").status == 200
    assert ask(cache, "team/app", f"blobs/{layer}", "eve").status == 404


def test_the_name_in_another_registry_is_no_way_around(cache: Cache) -> None:
    assert ask(cache, "secret/app", "manifests/v1?ns=docker.io", "eve").status == 403
    assert ask(cache, "open/app", "manifests/v1?ns=ghcr.io", "eve").status == 404
    assert cache.origins.asked == []


def test_no_password_goes_to_an_upstream_and_none_fills_it(cache: Cache) -> None:
    cache.fields = {"authorization": basic("ada", "wrong")}
    assert cache.call("GET", "secret/app/manifests/v1").status == 401
    assert cache.origins.asked == []


@pytest.mark.parametrize("named", ["tool", "library/tool"])
def test_both_names_of_an_image_of_docker_hub_must_be_allowed(tmp_path: Path, named: str) -> None:
    guarded = f"rules:\n- {{repositories: [{named}], read: [ada]}}\n"
    cache = cache_with(tmp_path, guarded + '- {repositories: ["**"], read: [users]}\n')
    for asked in ("tool", "library/tool"):
        assert ask(cache, asked, "manifests/v1", "eve").status == 403
        assert ask(cache, asked, "manifests/v1").status == 401
        assert cache.origins.asked == []
    for asked in ("tool", "library/tool"):
        assert ask(cache, asked, "manifests/v1", "ada").status == 200
    cache.fields = {"authorization": basic("eve")}
    assert cache.call("GET", "_catalog").json() == {"repositories": []}
