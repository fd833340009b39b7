from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerignore import Ignore
from manyfest.errors import ConfigError


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("*", "file", True),
        ("*.go", "a.go", True),
        ("**", "dir/file", True),
        ("**/", "file", True),
        ("**/**", "dir/file", True),
        ("dir/**", "dir/dir2/file", True),
        ("abc/**", "abc", False),
        ("**/dir", "dir/file", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/**", "dir/dir2/dir3/file", True),
        ("**file", "dir/file", True),
        ("**file", "dir/myfile", True),
        ("**file*", "dir/myfile1", False),
        ("**/file*.txt*", "dir/dir/file.txt", True),
        ("**/**/*.txt2", "dir/dir/file.txt", False),
        ("a**/*.txt", "a/dir/dir/file.txt", True),
        ("a/*.txt", "a/dir/file.txt", False),
        ("a[b-d]e", "ace", True),
        ("a[b-d]e", "aae", False),
        ("a[^b-d]e", "aze", True),
        ("abc.def", "abcZdef", False),
        ("abc?def", "abcZdef", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("**/.foo", "bar.foo", False),
        ("**/foo/bar", "foo/bar", True),
        ("a(b)c/def", "a(b)c/def", True),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
        ("docs", "docs/README.md", True),
        ("docs", "my/docs", False),
        ("docs", "docs2", False),
        # how lines are read
        ("/docs", "docs/a", True),
        ("docs/", "docs/a", True),
        ("./docs//x/../a", "docs/a", True),
        ("  docs  ", "docs", True),
        ("docs\r", "docs", True),
        ("\ufeffdocs", "docs", True),
        ("# docs", "docs", False),
        ("#docs", "#docs", False),
        (" #docs", "#docs", True),
    ],
)
def test_one_pattern(pattern: str, path: str, excluded: bool) -> None:
    assert Ignore.parse(pattern).excludes(path) is excluded


@pytest.mark.parametrize(
    ("text", "path", "excluded"),
    [
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs/*\n! /docs/README.md", "docs/README.md", False),
        ("!a.go\n*.go", "a.go", True),
        ("*.go\n!a.go", "a.go", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("**\n!util/web", "util/web/foo", False),
        ("**\n!util/web\nutil/web/foo", "util/web/foo", True),
        ("*\n!src/**/*.go", "src/a/b.go", False),
        ("*\n!src/**/*.go", "src/a/b.c", True),
        # An exception that changed nothing for the directory says nothing for what is in it.
        ("dir/x\n!dir", "dir/x", True),
        ("dir/x\n!dir/*", "dir/x", False),
        ("", "anything", False),
    ],
)
def test_the_last_match_decides(text: str, path: str, excluded: bool) -> None:
    assert Ignore.parse(text).excludes(path) is excluded


@pytest.mark.parametrize(
    ("text", "directory", "prune"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules", "src", False),
        ("*\n!src", "node_modules", True),
        ("*\n!src/keep/me", "src", False),
        ("*\n!src/keep/me", "src/keep", False),
        ("*\n!src/keep/me", "src/other", True),
        ("*\n!src/keep/**", "lib", True),
        ("*\n!**/*.go", "node_modules", False),
    ],
)
def test_whole_directories_may_be_skipped_when_nothing_below_comes_back(
    text: str, directory: str, prune: bool
) -> None:
    ignore = Ignore.parse(text)
    verdict = None
    for depth in range(1, directory.count("/") + 2):
        verdict = ignore.judge("/".join(directory.split("/")[:depth]), verdict)
    assert verdict is not None
    assert verdict.prune is prune


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n!\n", ".dockerignore:2: '!' takes nothing back; write a pattern after it"),
        (
            "a\n\nb[",
            ".dockerignore:3: the pattern 'b[' has a [ that is never closed; "
            r"put a backslash before *, ?, [ and \ that mean themselves",
        ),
    ],
)
def test_malformed_patterns_name_their_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ignore.parse(text)
    assert str(caught.value) == message


def test_copy_exclude_takes_patterns_without_a_file() -> None:
    ignore = Ignore.of(["*.md", "", "!README.md"], where="Dockerfile:3")
    assert [ignore.excludes(path) for path in ("a.md", "README.md", "x")] == [True, False, False]


@pytest.mark.parametrize(
    "pattern", ["*a" * 30 + "b", "**/a/" * 12 + "b", "*" * 60 + "b", "**/" * 40 + "b"]
)
def test_no_pattern_takes_forever(pattern: str) -> None:
    begin = time.monotonic()
    assert not Ignore.parse(pattern).excludes("a" * 60 + "/a" * 60)
    assert time.monotonic() - begin < 5


segments = st.lists(st.sampled_from(["a", "b", "ab", ".x"]), min_size=1, max_size=4)
lines = st.lists(
    st.sampled_from(["a", "b", "*", "**", "?", "/", "!", ".x", "[a-b]", "\n", "\n", " ", "#"])
).map("".join)


@given(lines, segments)
def test_pruning_never_changes_an_answer(text: str, parts: list[str]) -> None:
    try:
        ignore = Ignore.parse(text)
    except ConfigError:
        return
    verdict = ignore.judge(parts[0])
    for depth in range(2, len(parts) + 1):
        below = ignore.judge("/".join(parts[:depth]), verdict)
        assert below.excluded or not verdict.prune
        verdict = below


@given(st.text())
def test_any_text_is_an_ignore_file_or_a_configuration_error_with_a_line(text: str) -> None:
    where = ".dockerignore:"
    try:
        Ignore.parse(text).excludes("a/b")
    except ConfigError as error:
        where = error.where
    assert where.startswith(".dockerignore:")
