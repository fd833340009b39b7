"""Templates to HTML. All that comes from outside is escaped; nothing is marked as safe but the
fragments that were rendered here."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from manyfest.amounts import size
from manyfest.watch import addresses
from manyfest.watch.web import static_files
from manyfest.watch.web.pages import times, words
from manyfest.watch.web.pages.page import Fragment, Page
from manyfest.watch.wording import span, told

_NOTHING = "\N{EN DASH}"
"""Where there is no figure."""


def fragment(name: str, template: str, /, **values: object) -> Fragment:
    """The fragment ``name``, from the template of that name among the fragments."""
    return Fragment.of(
        name, _environment().get_template(f"fragments/{template}.html").render(values)
    )


def document(
    page: Page, *, site: str, path: str, now: float, query: str = "", again: str = ""
) -> str:
    """The whole page, ready to be sent. ``path`` is where it is, if it can be followed from there;
    ``query`` is what was searched for. ``again`` is where it is had anew, if not where it is."""
    template = _environment().get_template("layout.html")
    text = template.render(page=page, site=site, path=path, now=now, query=query, again=again)
    return times.fill_in(text, now)


def tab_title(page: Page, site: str) -> str:
    """The state first: a tab shows no more than its beginning."""
    return " · ".join(filter(None, (page.state, page.title, site)))


def percent(share: float | None) -> str:
    """``99.98 %``; only what is whole is 100."""
    if share is None:
        return _NOTHING
    if share >= 1:
        return "100 %"
    return f"{min(share * 100, 99.99):.2f} %"


def millis(seconds: float | None) -> str:
    """``42 ms`` or ``1.3 s``."""
    if seconds is None:
        return _NOTHING
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def short(digest: str) -> str:
    """The beginning of a digest, enough to tell it from others."""
    return digest[:19]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("manyfest.watch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        ago=times.ago_mark,
        exact=times.exact,
        iso=times.iso,
        millis=millis,
        moment=times.moment,
        percent=percent,
        short=short,
        size=size,
        span=span,
    )
    environment.globals.update(
        address=addresses,
        incident_title=words.incident_title,
        kinds=words.KINDS,
        registry_of=words.registry_of,
        standings=words.STANDINGS,
        states=words.STATES,
        static=static_files.address,
        tab_title=tab_title,
        told=told,
    )
    return environment
