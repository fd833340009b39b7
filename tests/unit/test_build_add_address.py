"""Which sources of ADD lie elsewhere, and what their addresses say."""

from __future__ import annotations

import pytest

from manyfest.build.add.address import Repository, is_remote, name_of, parse_repository
from manyfest.errors import DockerfileError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "source",
    ["http://a/b", "HTTPS://a/b", "git@a:b", "ssh://git@a/b", "git://a/b", "https://a/b.git#v1"],
)
def test_an_address(source: str) -> None:
    assert is_remote(source)


@pytest.mark.parametrize("source", ["a.txt", "/http", "http/x", "github.com/a/b.git", "ftp", "git"])
def test_a_name_in_the_context(source: str) -> None:
    assert not is_remote(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://a.org/b.git", Repository("https://a.org/b.git")),
        ("https://a.org/b.git#v1.2", Repository("https://a.org/b.git", "v1.2")),
        ("https://a.org/b.git#feature/x:", Repository("https://a.org/b.git", "feature/x")),
        ("https://a.org/b.git#:docs/", Repository("https://a.org/b.git", "", "docs")),
        ("https://a.org/b.git#main:../a/./b", Repository("https://a.org/b.git", "main", "a/b")),
        (f"git@a.org:c/b#{COMMIT}:d", Repository("git@a.org:c/b", COMMIT, "d")),
        ("ssh://git@a.org:22/b.git#x", Repository("ssh://git@a.org:22/b.git", "x")),
        ("http://localhost:1/b.git", Repository("http://localhost:1/b.git")),
        ("https://a.org/b.git?branch=x&subdir=d", Repository("https://a.org/b.git", "x", "d")),
        ("https://a.org/b.git?ref=x", Repository("https://a.org/b.git", "x")),
    ],
)
def test_a_repository(source: str, expected: Repository) -> None:
    assert parse_repository(source) == expected


@pytest.mark.parametrize(
    "source", ["https://a.org/b", "https://a.org/b.git/c", "http://a.org/x?y=.git", "https://a/#b"]
)
def test_a_file(source: str) -> None:
    assert parse_repository(source) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("git://a.org/b.git", "would come unencrypted"),
        ("git@-oProxyCommand=x:b", "is not the address of a repository"),
        ("ssh://-oProxyCommand=x/b", "is not the address of a repository"),
        ("git@host", "is not the address of a repository"),
        ("https://me:secret@a.org/b.git", "an address with a user name in it is not trusted"),
        ("https://a.org/b.git#--upload-pack=x", "cannot name a branch, tag or commit"),
        ("https://a.org/b.git#a*", "cannot name a branch, tag or commit"),
        ("https://a.org/b.git#a..b", "cannot name a branch, tag or commit"),
        ("https://a.org/b.git?depth=3", "asks for what is not known"),
    ],
)
def test_an_address_that_git_is_not_given(source: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_repository(source)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.org/x.tar.gz", "x.tar.gz"),
        ("https://a.org/d/x?y=/z#w", "x"),
        ("https://a.org/a%20b", "a b"),
        ("https://a.org/a%2Fb", "b"),
        ("https://a.org", "__unnamed__"),
        ("https://a.org/d/", "__unnamed__"),
        ("https://a.org/%2E%2E", "__unnamed__"),
        ("https://a.org/%00", "__unnamed__"),
    ],
)
def test_what_a_file_is_called(url: str, name: str) -> None:
    assert name_of(url) == name
