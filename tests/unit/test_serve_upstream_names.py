from __future__ import annotations

import pytest

from manyfest.errors import UsageError
from manyfest.oci.reference import Name
from manyfest.serve.upstream.names import Upstream, Upstreams, kept_name


def upstreams(*texts: str) -> Upstreams:
    return Upstreams([Upstream.parse(text) for text in texts])


def place(here: Upstreams, name: str) -> str | None:
    origin = here.origin(name)
    return None if origin is None else origin.place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker.io", Upstream("docker.io")),
        ("registry-1.docker.io", Upstream("docker.io")),
        ("ghcr.io/team", Upstream("ghcr.io", "team")),
        ("ghcr=ghcr.io", Upstream("ghcr.io", "", "ghcr")),
        ("a/b=localhost:5000/c/d", Upstream("localhost:5000", "c/d", "a/b")),
        ("a=[2001:DB8::1]:5000/b", Upstream("[2001:db8::1]:5000", "b", "a")),
    ],
)
def test_how_an_upstream_is_written(text: str, expected: Upstream) -> None:
    assert Upstream.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "=ghcr.io", "A=ghcr.io", "ghcr.io/", "ghcr.io/A", "a=", "a b"]
)
def test_what_is_no_upstream(text: str) -> None:
    with pytest.raises(UsageError):
        Upstream.parse(text)


def test_one_upstream_has_all_names() -> None:
    here = upstreams("docker.io")
    assert place(here, "alpine") == "docker.io/library/alpine"
    assert place(here, "team/app") == "docker.io/team/app"


def test_the_longest_prefix_decides() -> None:
    here = upstreams("docker.io", "ghcr=ghcr.io", "ghcr/own=registry.test/team")
    assert place(here, "ghcr/team/app") == "ghcr.io/team/app"
    assert place(here, "ghcr/own/app") == "registry.test/team/app"
    assert place(here, "ghcrteam/app") == "docker.io/ghcrteam/app"


def test_without_one_for_everything_other_names_mean_nothing() -> None:
    assert place(upstreams("ghcr=ghcr.io"), "alpine") is None


def test_two_upstreams_for_the_same_names_are_refused() -> None:
    with pytest.raises(UsageError, match=r"docker\.io, ghcr\.io; give all but one a prefix"):
        upstreams("docker.io", "ghcr.io")


@pytest.mark.parametrize(
    ("registry", "repository", "expected"),
    [
        ("docker.io", "library/alpine", "hub/library/alpine"),
        ("registry-1.docker.io", "alpine", "hub/library/alpine"),
        ("ghcr.io", "team/app", "team/app"),
        ("quay.io", "team/app", None),
        ("registry.test", "team/app", "own/app"),
        ("registry.test", "other/app", None),
        ("[2001:db8::1]:5000", "app", "six/app"),
        ("[2001:db8::1]", "app", None),
        ("169.254.169.254", "latest", None),
        ("no host", "app", None),
    ],
)
def test_what_a_registry_s_repository_is_called_here(
    registry: str, repository: str, expected: str | None
) -> None:
    here = upstreams("hub=docker.io", "ghcr.io", "own=registry.test/team", "six=[2001:db8::1]:5000")
    assert here.local(registry, repository) == expected


def test_a_repository_that_another_prefix_hides_cannot_be_had() -> None:
    assert upstreams("docker.io", "team=ghcr.io").local("docker.io", "team/app") is None


def test_storage_does_not_depend_on_prefixes() -> None:
    assert kept_name(Name("docker.io", "library/alpine")) == "docker.io/library/alpine"
    assert kept_name(Name("localhost:5000", "app")) == "localhost_5000/app"
    address = "ipv6_2001-0db8-0000-0000-0000-0000-0000-0001"
    assert kept_name(Name("[2001:db8::1]", "app")) == f"{address}/app"
    assert kept_name(Name("[2001:db8::1]:5000", "app")) == f"{address}_5000/app"


def test_what_is_kept_is_shown_under_its_prefix() -> None:
    here = upstreams("hub=docker.io", "mine=localhost:5000", "six=[2001:db8::1]")
    assert here.shown("docker.io/library/alpine") == "hub/library/alpine"
    assert here.shown("localhost_5000/app") == "mine/app"
    assert here.shown("ipv6_2001-0db8-0000-0000-0000-0000-0000-0001/app") == "six/app"
    assert here.shown("ghcr.io/team/app") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alpine", "library/alpine"),
        ("library/alpine", "alpine"),
        ("library", "library/library"),
        ("library/team/app", ""),
        ("team/app", ""),
        ("ghcr/app", ""),
        ("hub/alpine", "hub/library/alpine"),
        ("hub/library/alpine", "hub/alpine"),
        ("official/alpine", ""),
    ],
)
def test_the_images_of_docker_hub_that_have_two_names(name: str, expected: str) -> None:
    here = upstreams("docker.io", "ghcr=ghcr.io", "hub=docker.io", "official=docker.io/library")
    assert here.other_name(name) == expected


def test_a_name_that_means_something_else_is_no_other_name() -> None:
    here = upstreams("docker.io", "library=ghcr.io")
    assert here.other_name("alpine") == ""
    assert here.other_name("library/alpine") == ""
