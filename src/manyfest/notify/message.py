"""What is told: a title, a text, and a page to open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Self

from msgspec import Struct

from manyfest.markdown import escaped, plain

Tone = Literal["info", "success", "warning", "failure"]
"""How a service colours a message that has colours."""

LOW, NORMAL, HIGH, HIGHEST = 2, 5, 8, 10
"""Priorities as Gotify counts them, from 0 to 10. Its Android app makes a sound from 4 on and
vibrates from 8 on; below, a message is only listed."""

_LINK = re.compile(r"https?://[!#-;=?-Z_a-z~-]+")
_LONGEST_LINK = 2000


class Message(Struct, frozen=True, kw_only=True):
    """The same words twice: ``text`` for where they are seen as they are, ``markdown`` for where
    that has a meaning; in neither can anything from elsewhere be more than words. ``link`` is a
    page with more about it, or empty. With ``in_markdown`` a service that knows Markdown gets
    that; else it gets plain text, unless its URL asks for the other.
    """

    title: str
    text: str
    markdown: str
    link: str = ""
    tone: Tone = "info"
    priority: int = NORMAL
    in_markdown: bool = False

    @classmethod
    def of_lines(
        cls,
        title: str,
        lines: Sequence[str],
        *,
        link: str = "",
        tone: Tone = "info",
        priority: int = NORMAL,
        in_markdown: bool = False,
    ) -> Self:
        """A message whose words may be anybody's, and whose last line is the ``link``. One that is
        no address on the web is left out."""
        link = link if is_link(link) else ""
        shown = [plain(line) for line in lines]
        marked = [escaped(line) for line in lines]
        return cls(
            title=plain(title),
            text="\n".join([*shown, link] if link else shown),
            markdown="  \n".join([*marked, f"<{link}>"] if link else marked),
            link=link,
            tone=tone,
            priority=priority,
            in_markdown=in_markdown,
        )


def is_link(text: str) -> bool:
    """Whether it is an address on the web in which nothing ends a link or begins markup."""
    return len(text) <= _LONGEST_LINK and _LINK.fullmatch(text) is not None
