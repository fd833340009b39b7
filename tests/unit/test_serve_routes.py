from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.serve.errors import Refusal
from manyfest.serve.routes import Route, find_route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v2/", Route("version")),
        ("/v2", Route("version")),
        ("/v2/_catalog", Route("catalog")),
        ("/token", Route("token")),
        ("/", Route("overview")),
        ("/repositories/team/app", Route("page", "team/app")),
        ("/v2/app/tags/list", Route("tags", "app")),
        ("/v2/a/b/c/manifests/v1", Route("manifest", "a/b/c", "v1")),
        ("/v2/app/blobs/sha256:ab", Route("blob", "app", "sha256:ab")),
        ("/v2/app/blobs/uploads/", Route("uploads", "app")),
        ("/v2/app/blobs/uploads", Route("uploads", "app")),
        ("/v2/app/blobs/uploads/00ff", Route("upload", "app", "00ff")),
        ("/v2/app/referrers/sha256:ab", Route("referrers", "app", "sha256:ab")),
        ("/v2/app/manifests/tags/list", Route("tags", "app/manifests")),
        ("/v2/blobs/uploads/manifests/v1", Route("manifest", "blobs/uploads", "v1")),
    ],
)
def test_the_parts_of_a_path(path: str, route: Route) -> None:
    assert find_route(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/v1/",
        "/repositories/",
        "/token/x",
        "/v2/app",
        "/v2/app/tags",
        "/v2/app/manifests/",
        "/v2//tags/list",
        "/v2/x/y",
    ],
)
def test_a_path_that_means_nothing_is_a_404(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        find_route(path)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../..",
        "a/../b",
        ".",
        "a//b",
        "/a",
        "a/",
        "A",
        "_oci",
        "a/_oci",
        "a\0b",
        "a\nb",
        "a" * 256,
    ],
)
def test_a_name_that_no_repository_can_have_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        find_route(f"/v2/{name}/manifests/v1")
    assert (caught.value.status, caught.value.code) == (400, "NAME_INVALID")


def test_an_encoded_slash_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        find_route("/v2/a/b/manifests/v1", b"/v2/a%2Fb/manifests/v1")
    assert caught.value.code == "NAME_INVALID"
    assert str(caught.value) == "a slash must not be encoded: write / instead of %2F"


@given(
    st.text(alphabet="abAZ019._-/\0\n%:", max_size=60), st.sampled_from(["tags/list", "blobs/x"])
)
def test_a_name_that_is_let_through_stays_within_its_folder(name: str, tail: str) -> None:
    try:
        route = find_route(f"/v2/{name}/{tail}")
    except Refusal:
        return
    for part in route.name.split("/"):
        assert part
        assert part[0].isalnum()
        assert "\0" not in part
