from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.cli.summary import summary
from manyfest.errors import ReleaseError
from manyfest.markdown import code, escaped, table
from manyfest.release.reporting.report import release_report
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.tags import TAGS
from tests.unit.releases import ONE, make_release, with_image


def test_a_release(tmp_path: Path) -> None:
    release = with_image(make_release(tmp_path, to=(ONE, "ghcr.io/us/app")))
    PUBLISH.run(release)
    TAGS.run(release)
    report = release_report(release, [])
    amd64, arm64 = (each.digest for each in report.platforms)
    assert (
        summary(report, "### Fixes\n\n- a fix\n")
        == f"""\
## app 2.6.1

`{report.digest}`, commit `0123456`

| Platform | Digest | Size |
| --- | --- | --- |
| linux/amd64 | `{amd64}` | {report.platforms[0].size} B |
| linux/arm64 | `{arm64}` | {report.platforms[1].size} B |

| Repository | Tags |
| --- | --- |
| one.example/app | `2.6.1` `2.6.1-amd64` `2.6.1-arm64` `2.6` `latest` |
| [ghcr.io/us/app](https://ghcr.io/us/app) | `2.6.1` `2.6.1-amd64` `2.6.1-arm64` `2.6` `latest` |

```
docker pull one.example/app:2.6.1
docker pull ghcr.io/us/app:2.6.1
```

### Fixes

- a fix
"""
    )


def test_a_tag_that_is_ahead_is_said_to_stay(tmp_path: Path) -> None:
    release = with_image(make_release(tmp_path))
    PUBLISH.run(release)
    release.kept = {"one.example/app:latest": "it holds 3.0.0 <there>"}
    text = summary(release_report(release, []))
    assert "| `2.6.1` `2.6.1-amd64` `2.6.1-arm64` `2.6` |" in text
    assert text.endswith(
        "```\n\n- `one.example/app:latest` stays where it is: it holds 3.0.0 \\<there\\>\n"
    )


def test_a_failure_says_why_and_where_the_tags_stand(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    release.standing = {"one.example/app:latest": "put back", "one.example/app:2.6": "not known"}
    error = ReleaseError("<b>broke</b>\n# all", where="one.example/app:2.6", mend="try again")
    assert (
        summary(release_report(release, [], error))
        == """\
## app 2.6.1 was not released

`one.example/app:2.6`: \\<b\\>broke\\</b\\> # all; try again

| Tag | Stands |
| --- | --- |
| `one.example/app:latest` | put back |
| `one.example/app:2.6` | not known |
"""
    )


def test_a_release_without_tags_or_commit_says_less(tmp_path: Path) -> None:
    report = release_report(with_image(make_release(tmp_path, to=())), [])
    text = summary(replace(report, revision=""))
    assert text.startswith(f"## app 2.6.1\n\n`{report.digest}`\n\n| Platform ")
    assert "Repository" not in text
    assert "```" not in text


def test_nothing_in_a_text_is_markup() -> None:
    assert escaped("fix `a|b` <img src=x> [l](u)\n# me *_~\x1b 2. &amp; a_b _c_") == (
        r"fix \`a\|b\` \<img src=x\> \[l\](u) # me \*\_\~\\x1b 2. \&amp; a_b \_c\_"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("12. a", "12\\. a"),
        ("3) a", "3\\) a"),
        ("===", "\\==="),
        ("2 a", "2 a"),
    ],
)
def test_nothing_at_the_beginning_is_markup(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_nothing_ends_code() -> None:
    assert code("plain") == "`plain`"
    assert code("a `b` ``c``") == "``` a `b` ``c`` ```"
    assert code("a\nb") == "`a b`"


def test_nothing_ends_a_cell() -> None:
    assert table(("A", "B"), [("x|y", escaped("x|y"))]) == (
        "| A | B |\n| --- | --- |\n| x\\|y | x\\|y |"
    )
