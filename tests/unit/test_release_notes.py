from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manyfest.errors import ReleaseError
from manyfest.markdown import escaped_but_code
from manyfest.release.project.load import load
from manyfest.release.versions.commits import Change, read_change
from manyfest.release.versions.git import Commit
from manyfest.release.versions.notes import commit_pages, in_groups, notes, section
from manyfest.release.versions.version import Version, find_version
from tests.unit.repositories import Git, commit, make_repository

VERSION = Version(
    text="2.6.1",
    revision="abc1234" + "0" * 33,
    major=2,
    minor=6,
    patch=1,
    prerelease=False,
    commit_time=1700000000,
    dirty=False,
    snapshot=False,
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    run = make_repository(tmp_path, monkeypatch)
    (tmp_path / "manyfest.yaml").write_text("name: server\nbuild: {platforms: [linux/amd64]}\n")
    return run


def change(message: str, revision: str = "abc1234") -> Change:
    return read_change(Commit(revision=revision.ljust(40, "0"), message=message))


def notes_of(folder: Path, told: str = "") -> str:
    return notes(load(folder / "manyfest.yaml"), find_version(folder, told, {}), {})


def test_a_section_has_the_changes_in_groups() -> None:
    found = [
        change("Tidy up the messages", "1111111"),
        change("perf: read once", "2222222"),
        change("docs: say so", "3333333"),
        change("fix(api): answer 404", "4444444"),
        change("feat: list the clients", "5555555"),
        change("security(tls): refuse 1.0", "6666666"),
        change("chore(api)!: drop v1\n\nBREAKING CHANGE: use v2\ninstead", "7777777"),
        change("feat: show the version", "8888888"),
    ]
    assert section(VERSION, found) == (
        "## 2.6.1 - 2023-11-14\n"
        "\n"
        "### Breaking changes\n"
        "\n"
        "- **api:** drop v1 (7777777)\n"
        "  use v2 instead\n"
        "\n"
        "### Features\n"
        "\n"
        "- list the clients (5555555)\n"
        "- show the version (8888888)\n"
        "\n"
        "### Fixes\n"
        "\n"
        "- **api:** answer 404 (4444444)\n"
        "\n"
        "### Performance\n"
        "\n"
        "- read once (2222222)\n"
        "\n"
        "### Other changes\n"
        "\n"
        "- Tidy up the messages (1111111)\n"
        "- security(tls): refuse 1.0 (6666666)"
    )


def test_each_commit_has_a_link_where_its_page_is_known() -> None:
    text = section(VERSION, [change("fix: x")], "https://github.com/you/server/commit/")
    page = "https://github.com/you/server/commit/abc1234000000000000000000000000000000000"
    assert f"- x ([abc1234]({page}))" in text


def test_nothing_that_users_see_is_said() -> None:
    assert in_groups([change("ci: another runner")]) == "Nothing that users would notice."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("handle `None` in snake_case", "handle `None` in snake_case"),
        ("a *b* _c_ __d__ ~e~", r"a \*b\* \_c\_ \_\_d\_\_ \~e\~"),
        ("[click](javascript:x) ![](y)", r"\[click\](javascript:x) !\[\](y)"),
        ("<script>x</script> &lt; a|b", r"\<script\>x\</script\> \&lt; a\|b"),
        ("an unclosed `code", r"an unclosed \`code"),
        ("``twice` so", r"\``twice` so"),
        (r"C:\new", r"C:\\new"),
        ("# a heading", r"\# a heading"),
        ("- a list", r"\- a list"),
        ("+ a list", r"\+ a list"),
        ("> a quote", r"\> a quote"),
        ("1. a list", r"1\. a list"),
        ("12) a list", r"12\) a list"),
        ("===", r"\==="),
        ("1.0 is out (#12)", "1.0 is out (#12)"),
        ("a\n\n## b\t \x1b[31mred \u202eevil\x00", r"a ## b \\x1b\[31mred \\u202eevil\\x00"),
        ("  ", ""),
        ("ä 🎉 中", "ä 🎉 中"),
    ],
)
def test_what_a_message_holds_is_shown_and_is_no_markup(text: str, shown: str) -> None:
    assert escaped_but_code(text) == shown


RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKS = st.text(st.sampled_from("\\`*_{}[]()<>#+-.!|~&@:=\"'/ 1a\t\n\xe4;"), max_size=40)


@settings(deadline=None)
@given(MARKS)
def test_a_renderer_finds_text_and_code_in_whatever_a_message_holds(text: str) -> None:
    entry = change(f"fix({text})!: x{text}\n\nBREAKING CHANGE: {text}")
    *_, paragraph, _, _, _ = RENDERER.parse(section(VERSION, [entry]))
    inside = paragraph.children or []
    plain = {"text", "code_inline", "softbreak", "strong_open", "strong_close"}
    assert {token.type for token in inside} <= plain
    shown = "".join(token.content for token in inside)
    scope = f"{entry.scope}:" if escaped_but_code(entry.scope) else ""
    assert letters(shown) == letters(f"{scope}{entry.text}(abc1234){entry.warning}")


def letters(text: str) -> str:
    """All but blanks and the marks of code."""
    return "".join(text.split()).replace("`", "")


def test_a_message_without_end_is_cut() -> None:
    text = section(VERSION, [change("a" * 10_000)])
    assert f"- {'a' * 500}… (abc1234)" in text


def test_scopes_and_warnings_are_no_markup_either() -> None:
    text = section(VERSION, [change("fix(*x*)!: y\n\nBREAKING CHANGE: # z\n<b>")])
    assert "- **\\*x\\*:** y (abc1234)\n  \\# z \\<b\\>" in text


def test_a_commit_without_a_message_is_listed() -> None:
    assert "- no message (abc1234)" in section(VERSION, [change("")])


@pytest.mark.parametrize(
    ("project", "variables", "pages"),
    [
        ("https://github.com/you/app", {}, "https://github.com/you/app/commit/"),
        ("https://gitlab.com/you/app", {}, "https://gitlab.com/you/app/-/commit/"),
        ("https://codeberg.org/you/app", {}, "https://codeberg.org/you/app/commit/"),
        ("https://bitbucket.org/you/app", {}, "https://bitbucket.org/you/app/commits/"),
        ("https://gitlab.corp.org/a/b/c", {}, "https://gitlab.corp.org/a/b/c/-/commit/"),
        ("http://gitea.lan:3000/you/app", {}, "http://gitea.lan:3000/you/app/commit/"),
        ("https://git.example.org/you/app", {}, ""),
        ("https://notgitlab.example.org/you/app", {}, ""),
        (
            "https://git.example.org/you/app",
            {"GITHUB_SERVER_URL": "https://git.example.org"},
            "https://git.example.org/you/app/commit/",
        ),
        (
            "https://git.example.org/you/app",
            {"CI_SERVER_URL": "https://git.example.org"},
            "https://git.example.org/you/app/-/commit/",
        ),
        (
            "https://git.example.org/you/app",
            {"CI_FORGE_URL": "https://git.example.org", "CI_FORGE_TYPE": "forgejo"},
            "https://git.example.org/you/app/commit/",
        ),
        ("https://git.example.org/you/app", {"CI_SERVER_URL": "https://gitlab.com"}, ""),
        ("", {"GITHUB_SERVER_URL": "https://github.com"}, ""),
    ],
)
def test_where_the_commits_of_a_project_are_shown(
    project: str, variables: dict[str, str], pages: str
) -> None:
    assert commit_pages(project, variables) == pages


def test_a_final_version_has_all_changes_since_the_last_final_one(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0", message="feat: of 1.0.0")
    commit(run, "v1.1.0-rc.1", message="feat: of the candidate")
    commit(run, "v1.1.0", message="fix: of the final one")
    text = notes_of(tmp_path)
    assert text.startswith("## 1.1.0 - 2023-11-14\n")
    assert ("of the candidate" in text, "of the final one" in text) == (True, True)
    assert "of 1.0.0" not in text


def test_a_pre_release_has_the_changes_since_the_version_before_it(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "v1.1.0-rc.1", message="feat: of the first")
    commit(run, "v1.1.0-rc.2", message="fix: of the second")
    assert "of the first" not in notes_of(tmp_path)
    commit(run, message="fix: of the snapshot")
    assert "of the second" not in notes_of(tmp_path)
    assert "of the snapshot" in notes_of(tmp_path)


def test_the_first_version_has_all_commits(run: Git, tmp_path: Path) -> None:
    commit(run, message="feat: begin")
    commit(run, message="fix: go on")
    text = notes_of(tmp_path, "0.1.0")
    assert ("- begin (" in text, "- go on (" in text) == (True, True)


def test_the_versions_of_others_are_passed_over(run: Git, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        "name: server\nversion_prefix: server/\nbuild: {platforms: [linux/amd64]}\n"
    )
    run("add", "manyfest.yaml")
    commit(run, "server/v1.0.0", message="feat: of the first")
    run("mv", "manyfest.yaml", "other.yaml")
    commit(run, "client/v9.0.0", message="fix: of the second")
    run("mv", "other.yaml", "manyfest.yaml")
    commit(run, "server/v1.0.1", message="fix: of the third")
    config = load(tmp_path / "manyfest.yaml")
    text = notes(config, find_version(tmp_path, "", {}, prefix="server/"), {})
    assert ("of the first" in text, "of the second" in text) == (False, True)


def test_a_report_has_a_title_of_its_own(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0", message="feat: begin")
    config, version = load(tmp_path / "manyfest.yaml"), find_version(tmp_path, "", {})
    assert notes(config, version, {}, titled=False).startswith("### Features\n\n- begin (")


def test_links_lead_to_where_the_clone_came_from(run: Git, tmp_path: Path) -> None:
    revision = commit(run, "v1.0.0", message="feat: begin")
    run("remote", "add", "origin", "git@github.com:you/server.git")
    assert f"(https://github.com/you/server/commit/{revision})" in notes_of(tmp_path)


def test_a_shallow_clone_has_no_notes(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    commit(run, "v1.1.0")
    run("clone", "--quiet", "--depth=1", "--branch=v1.1.0", f"file://{tmp_path}", "shallow")
    (tmp_path / "shallow/manyfest.yaml").write_bytes((tmp_path / "manyfest.yaml").read_bytes())
    with pytest.raises(ReleaseError, match="the versions before this commit are not known"):
        notes_of(tmp_path / "shallow")
