"""From a webhook's body to what it hints at. Pure.

Each form is read as its sender documents it; what one does not need to know is not looked at. A
hint with an empty tag means: look at the list of tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from manyfest.errors import ManyfestError, UsageError
from manyfest.oci import json
from manyfest.oci.reference import DOCKER_HUB, Name, is_tag
from manyfest.watch.config.values import HookForm

MAX_SIZE = 1024 * 1024
"""Bytes of a body."""

MAX_HINTS = 100
"""Of one webhook; real ones have some dozens at most."""

Headers = Mapping[str, str]
"""By names in lower case."""


class Hint(Struct, frozen=True):
    """That ``tag`` in ``repository`` (``host/name``) may have changed."""

    repository: str
    tag: str


def parse(form: HookForm, body: bytes, headers: Headers) -> tuple[Hint, ...]:
    """What a webhook hints at, each once; nothing, if it is about something else.

    Raises :class:`~manyfest.errors.UsageError` for a body that is not of this form.
    """
    try:
        document = json.decode(body, "the webhook", dict)
    except ManyfestError as error:
        raise UsageError(error.what) from None
    if not isinstance(document, dict):
        raise UsageError("the webhook is no JSON object")
    hints: dict[Hint, None] = {}
    for repository, tag in _PARSERS[form](document, headers):
        try:
            name = Name.parse(repository)
        except UsageError:
            raise UsageError(f"{repository[:80]!r} is no repository") from None
        hints[Hint(name.place, tag if is_tag(tag) else "")] = None
        if len(hints) == MAX_HINTS:
            break
    return tuple(hints)


def _docker_hub(document: dict[str, Any], _: Headers) -> Iterator[tuple[str, str]]:
    repository = _text(document, "repository", "repo_name")
    yield f"{DOCKER_HUB}/{repository}", _maybe(document, "push_data", "tag")


def _ghcr(document: dict[str, Any], headers: Headers) -> Iterator[tuple[str, str]]:
    event = headers.get("x-github-event", "")
    if event not in ("package", "registry_package") or document.get("action") != "published":
        return
    package = document.get(event) or document.get("package")
    if not isinstance(package, dict) or _maybe(package, "package_type").lower() != "container":
        return
    owner, name = _text(package, "owner", "login"), _text(package, "name")
    metadata = ("package_version", "container_metadata", "tag", "name")
    # GitHub shows names as people write them, and GHCR knows them in lower case.
    yield f"ghcr.io/{owner}/{name}".lower(), _maybe(package, *metadata)


def _harbor(document: dict[str, Any], _: Headers) -> Iterator[tuple[str, str]]:
    """Both forms: Harbor's own, and CloudEvents with the same ``event_data`` in ``data``."""
    kind = _maybe(document, "type")
    if kind == "harbor.artifact.pushed":
        data: Any = document.get("data")
    elif kind.upper() == "PUSH_ARTIFACT":
        data = document.get("event_data")
    else:
        return
    resources = data.get("resources") if isinstance(data, dict) else None
    if not isinstance(resources, list):
        raise UsageError("the webhook has no resources")
    name = _text(data, "repository", "repo_full_name")
    for resource in resources:
        if not isinstance(resource, dict):
            raise UsageError("the webhook has a resource that is none")
        # Of an image that has no tag, the digest stands in its place.
        host = _text(resource, "resource_url").partition("/")[0]
        yield f"{host}/{name}", _maybe(resource, "tag")


def _quay(document: dict[str, Any], _: Headers) -> Iterator[tuple[str, str]]:
    place = _maybe(document, "docker_url") or f"quay.io/{_text(document, 'repository')}"
    tags = document.get("updated_tags", [])
    if isinstance(tags, dict):  # as older versions of Quay have it: each with its digest
        tags = list(tags)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise UsageError("the webhook's updated_tags are no list of tags")
    for tag in tags or [""]:
        yield place, tag


def _distribution(document: dict[str, Any], _: Headers) -> Iterator[tuple[str, str]]:
    events = document.get("events")
    if not isinstance(events, list):
        raise UsageError("the webhook has no events")
    for event in events:
        if not isinstance(event, dict):
            raise UsageError("the webhook has an event that is none")
        # A manifest that comes by its digest is a part of an index, as a rule: its tag follows.
        if event.get("action") == "push" and _maybe(event, "target", "tag"):
            host = _host_of(event)
            yield f"{host}/{_text(event, 'target', 'repository')}", _maybe(event, "target", "tag")


def _host_of(event: dict[str, Any]) -> str:
    """The registry's name as its clients write it, or as it calls itself."""
    host = _maybe(event, "request", "host")
    if not host:
        try:
            host = urlsplit(_text(event, "target", "url")).netloc
        except ValueError:
            host = ""
    if not host:
        raise UsageError("the webhook does not say which registry it is from")
    return host


_PARSERS: dict[HookForm, Callable[[dict[str, Any], Headers], Iterator[tuple[str, str]]]] = {
    "docker-hub": _docker_hub,
    "ghcr": _ghcr,
    "harbor": _harbor,
    "quay": _quay,
    "distribution": _distribution,
}


def _maybe(document: Any, *keys: str) -> str:
    """The text under these keys, or the empty one."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


def _text(document: Any, *keys: str) -> str:
    """The text under these keys. Raises :class:`~manyfest.errors.UsageError`."""
    text = _maybe(document, *keys)
    if not text:
        raise UsageError(f"the webhook has no {'.'.join(keys)}")
    return text
