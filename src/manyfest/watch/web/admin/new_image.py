"""From the form for a new image to what ``watch.yaml`` would have under ``images``. It is checked
where that file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyfest.watch.web.admin.forms import Form


def asked_for(form: Form) -> dict[str, object]:
    """The keys that something was written for."""
    asked: dict[str, object] = {
        "name": form.text("name"),
        "in": form.lines("in"),
        "mirrors": form.lines("mirrors"),
        "platforms": form.lines("platforms"),
        "tags": _tags(form),
        **{key: form.text(key) for key in ("late", "soak", "settle", "every")},
    }
    needed = ("in", "platforms")
    return {key: value for key, value in asked.items() if value or key in needed}


def _tags(form: Form) -> dict[str, object]:
    newest = form.text("newest")
    is_count = newest.isascii() and newest.isdecimal() and len(newest) < 10
    asked: dict[str, object] = {
        "versions": form.text("versions"),
        "match": form.text("match"),
        "newest": int(newest) if is_count else newest,
        "names": form.text("names").replace(",", " ").split(),
    }
    return {key: value for key, value in asked.items() if value}
