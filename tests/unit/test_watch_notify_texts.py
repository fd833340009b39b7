"""What people read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from manyfest.notify.message import Message
from manyfest.watch.notify import texts
from manyfest.watch.recipients import Recipient, Words
from manyfest.watch.values import Event, Kind
from tests.unit.watching import NOW, at, event, of_registry, recipient

PAGE = "https://releases.example.org"


def compose(
    to: Recipient, events: Sequence[Event], page: str = "", *, repeated: bool = False
) -> Message:
    return texts.compose(to, events, page, now=NOW, repeated=repeated)


def test_a_version_that_is_complete() -> None:
    assert compose(recipient(), [event("complete", lag=1290.0)], PAGE) == Message(
        title="gotify/server 2.6.1 is complete everywhere",
        text="Is complete everywhere, 21 min 30 s after it was first seen\n"
        "https://releases.example.org/images/gotify/server/2.6.1",
        markdown="Is complete everywhere, 21 min 30 s after it was first seen  \n"
        "<https://releases.example.org/images/gotify/server/2.6.1>",
        link="https://releases.example.org/images/gotify/server/2.6.1",
        tone="success",
        priority=5,
    )


def test_what_is_not_fresh_any_more_says_when_it_was() -> None:
    happened = event("complete", at=at("2026-11-26T05:59Z"))
    told = texts.compose(recipient(), [happened], now=at("2026-11-26T08:00Z"))
    assert told.title == "gotify/server 2.6.1 is complete everywhere"
    assert told.text == "26 Nov 05:59 UTC is complete everywhere"


def test_platforms_that_are_ready_in_one_place_at_one_moment_are_one_line() -> None:
    events = [
        event("platform ready", platform="linux/amd64", place="ghcr.io/us/app"),
        event("platform ready", platform="linux/arm64", place="ghcr.io/us/app"),
        event("platform ready", platform="linux/amd64", place="docker.io/us/app"),
    ]
    message = compose(recipient(), events)
    assert message.title == "gotify/server 2.6.1 has 2 platforms ready"
    assert message.text == (
        "Has linux/amd64, linux/arm64 ready in ghcr.io/us/app\n"
        "Has linux/amd64 ready in docker.io/us/app"
    )


def test_a_message_is_named_after_what_matters_most() -> None:
    events = [event("platform ready", platform="linux/amd64"), event("complete"), event("late")]
    message = compose(recipient(), events)
    assert message.title == "gotify/server 2.6.1 is late"
    assert (message.tone, message.priority) == ("failure", 8)


def test_a_tag_that_moved_says_from_where_to_where() -> None:
    moved = event(
        "moved",
        tag="latest",
        place="ghcr.io/us/app",
        was=f"sha256:{'a' * 64}",
        what=f"sha256:{'b' * 64}",
    )
    message = compose(recipient(), [moved])
    assert message.title == "gotify/server latest was moved in ghcr.io/us/app"
    assert message.text == (
        "Was moved in ghcr.io/us/app (from sha256:aaaaaaaaaaaa to sha256:bbbbbbbbbbbb)"
    )


def test_many_things_are_counted_and_each_says_when_it_was() -> None:
    events = [
        event("complete", at=at("2026-11-25T22:59Z")),
        event("late", tag="2.6.2", why="no linux/arm64"),
        of_registry("unreachable", why="no such host"),
    ]
    message = compose(recipient(zone="Europe/Berlin"), events, PAGE)
    assert message.title == "3 events: 1 unreachable, 1 late, 1 complete"
    assert message.text == (
        "25 Nov 23:59 CET gotify/server 2.6.1 is complete everywhere\n"
        "26 Nov 21:31 CET gotify/server 2.6.2 is late: no linux/arm64\n"
        "26 Nov 21:31 CET ghcr.io gives no answers: no such host\n"
        "https://releases.example.org/"
    )


def test_what_is_too_much_for_one_message_is_counted() -> None:
    events = [event("complete", tag=str(number)) for number in range(60)]
    lines = compose(recipient(), events).text.split("\n")
    assert len(lines) == 51
    assert lines[49] == "26 Nov 20:31 UTC gotify/server 49 is complete everywhere"
    assert lines[50] == "and more; 60 events: 60 complete in all"


def test_what_may_have_been_told_before_says_so() -> None:
    message = compose(recipient(), [event("complete")], repeated=True)
    assert message.text == "This may have been told before.\nIs complete everywhere"
    assert message.markdown == "This may have been told before.  \nIs complete everywhere"


@pytest.mark.parametrize(
    ("kind", "priority", "tone"),
    [
        ("appeared", 2, "info"),
        ("platform ready", 2, "info"),
        ("complete", 5, "success"),
        ("soaked", 5, "success"),
        ("late", 8, "failure"),
        ("incomplete", 7, "warning"),
        ("moved", 5, "info"),
        ("vanished", 8, "failure"),
        ("differ", 7, "warning"),
        ("agree", 5, "success"),
        ("unreachable", 8, "failure"),
        ("recovered", 5, "success"),
    ],
)
def test_how_loud_each_kind_is(kind: Kind, priority: int, tone: str) -> None:
    message = compose(recipient(), [event(kind)])
    assert (message.priority, message.tone) == (priority, tone)


def test_the_page_of_a_registry() -> None:
    silent = of_registry("unreachable", "localhost:5000")
    assert compose(recipient(), [silent], f"{PAGE}/below").link == (
        "https://releases.example.org/below/registries/localhost:5000"
    )


def test_words_of_one_s_own() -> None:
    told = recipient(
        title=Words.parse("[{{kind}}] {{image}}"),
        words=Words.parse("{{tag}} on {{platforms}} ({{count}}) after {{lag}}: {{why}}\n{{link}}"),
    )
    events = [
        event("platform ready", platform="linux/amd64", lag=60.0),
        event("platform ready", platform="linux/arm64", lag=60.0),
    ]
    message = compose(told, events, PAGE)
    assert message.title == "[platform ready] gotify/server"
    assert message.text == (
        "2.6.1 on linux/amd64, linux/arm64 (2) after 1 min: \n"
        "https://releases.example.org/images/gotify/server/2.6.1"
    )


def test_words_around_ours() -> None:
    told = recipient(words=Words.parse("**{{title}}**\n{{text}}"))
    message = compose(told, [event("late", why="a *b*")])
    assert message.text == "**gotify/server 2.6.1 is late**\nIs late: a *b*"
    assert message.markdown == "**gotify/server 2.6.1 is late**\nIs late: a \\*b\\*"


def test_of_many_things_a_template_has_what_they_share() -> None:
    told = recipient(words=Words.parse("{{count}} since {{time}}: {{image}}{{tag}}\n{{text}}"))
    events = [event("complete"), event("complete", tag="2.6.2", at=NOW + 60)]
    assert compose(told, events).text == (
        "2 since 26 Nov 20:31 UTC: \n"
        "26 Nov 20:31 UTC gotify/server 2.6.1 is complete everywhere\n"
        "26 Nov 20:32 UTC gotify/server 2.6.2 is complete everywhere"
    )


HOSTILE = "![x](https://evil.example/?{{why}})\x1b]8;;http://evil\x07\u202e\n# <img src=x>"
SHOWN = "![x](https://evil.example/?{{why}})\\x1b]8;;http://evil\\x07\\u202e # <img src=x>"
MARKED = (
    "!\\[x\\](https://evil.example/?{{why}})"
    "\\\\x1b\\]8;;http://evil\\\\x07\\\\u202e # \\<img src=x\\>"
)


@pytest.mark.parametrize("words", [None, "{{tag}}: {{why}}"])
def test_tags_and_reasons_are_words_only(words: str | None) -> None:
    told = recipient(words=Words.parse(words) if words else None)
    message = compose(told, [event("late", tag=HOSTILE, why=HOSTILE)], PAGE)
    assert message.title == f"gotify/server {SHOWN} is late"
    assert SHOWN in message.text
    assert MARKED in message.markdown
    assert "![" not in message.markdown
    assert "<img" not in message.markdown.replace("\\<img", "")
    for text in (message.title, message.text, message.markdown):
        assert text.replace("\n", "").isprintable()
    assert message.link.startswith(
        "https://releases.example.org/images/gotify/server/%21%5Bx%5D%28"
    )


def test_a_reason_is_not_endless() -> None:
    message = compose(recipient(), [event("late", why="x" * 5000)])
    assert message.text == f"Is late: {'x' * 491}…"
