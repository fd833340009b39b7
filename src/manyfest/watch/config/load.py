"""Reads ``watch.yaml``, and refuses what nothing could be watched by."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from manyfest.errors import ConfigError, UsageError
from manyfest.notify.address import address
from manyfest.oci import json
from manyfest.oci.platform import Platform
from manyfest.oci.reference import check_registry, is_tag
from manyfest.release.versions.ranges import Range
from manyfest.settings.decode import Readers, decode
from manyfest.settings.document import parse, read
from manyfest.stores.registry.auth.secret import NO_SECRET, Secret
from manyfest.trust.public_key import PublicKey
from manyfest.watch.config.file import HookKey, ImageKey, RecipientKey, TagsKey, WatchFile
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.units import Rate, Repository, Span
from manyfest.watch.config.values import (
    Hook,
    Origin,
    RegistryRule,
    TagChoice,
    WatchConfig,
    WatchedImage,
)
from manyfest.watch.recipients import URGENT, USUAL, Digest, Quiet, Recipient, Words, check_zone
from manyfest.watch.values import Place, Rule

FILE_NAME = "watch.yaml"

MAX_SIZE = 512 * 1024
"""Bytes of the file: some thousands of images."""

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_APPRISE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|[A-Za-z][A-Za-z0-9.+-]*://\S+")
_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_LONGEST_NAME = 128
_SHORTEST_SECRET = 16

_READERS: Readers = {
    Digest: Digest.parse,
    Pattern: Pattern.parse,
    Platform: Platform.parse,
    Quiet: Quiet.parse,
    Rate: Rate.parse,
    Repository: Repository.parse,
    Span: Span.parse,
    Words: Words.parse,
}


class _Read(NamedTuple):
    """A document and where its keys stand."""

    path: Path
    lines: Mapping[str, int]
    environ: Mapping[str, str]

    def where(self, key: str) -> str:
        """The line of the key, or of what it is under."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        line = self.lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)

    def wrong(self, key: str, what: str, mend: str = "") -> NoReturn:
        raise ConfigError(f"{key!r}: {what}", where=self.where(key), mend=mend)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> WatchConfig:
    """The configuration in the file; ``environ`` has what ``env:NAME`` names.

    Raises :class:`~manyfest.errors.ConfigError`, with file, line and key, for the first fault.
    """
    node = read(path, start="`manyfest watch --help` shows one", limit=MAX_SIZE)
    file, lines = decode(node, WatchFile, path, _READERS)
    it = _Read(path, lines, environ)
    if file.every.seconds < 1:
        it.wrong("every", "less than a second", "write 5m")
    recipients = {name: _recipient(it, name, each) for name, each in file.notify.items()}
    images = tuple(
        _image(it, f"images[{position}]", each, file.every, tuple(recipients))
        for position, each in enumerate(file.images)
    )
    _require_distinct(it, "images", [image.name for image in images], "are called")
    if file.url and not _URL.fullmatch(file.url):
        it.wrong("url", "no http or https address", "write https://HOST")
    return WatchConfig(
        images=images,
        title=file.title,
        url=file.url.rstrip("/"),
        public=file.public,
        every=file.every.seconds,
        recipients=recipients,
        registries={
            host: RegistryRule(
                host=_host(it, host),
                budget=each.budget.budget if each.budget else None,
                plain_http=each.plain_http,
            )
            for host, each in file.registries.items()
        },
        hooks={name: _hook(it, name, each) for name, each in file.webhooks.items()},
        database=_secret(it, "history.database", file.history.database),
        keep=file.history.keep.seconds,
        path=path,
    )


def image_of(
    asked: Mapping[str, object], every: float, recipients: Sequence[str], origin: Origin = "page"
) -> WatchedImage:
    """The image that ``asked`` describes, as the file would: JSON of what stands under ``images``.
    ``every`` is how often it is looked at if that is not said, in seconds; ``recipients`` are those
    that may be told.

    Raises :class:`~manyfest.errors.ConfigError`, which names the key.
    """
    path = Path("image")
    try:
        text = json.dumps(asked).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        raise ConfigError("there is something in it that is no character") from None
    try:
        node = parse(text, path)
        key, lines = decode(node, ImageKey, path, _READERS)
        if key.signed_by:  # whoever may write to the page may not read our files by it
            _Read(path, lines, {}).wrong(
                "signed_by", "only watch.yaml names keys", "write the image into watch.yaml"
            )
        image = _image(_Read(path, lines, {}), "", key, Span(every), recipients)
    except ConfigError as error:
        raise ConfigError(error.what, mend=error.mend) from None
    return WatchedImage(
        rule=image.rule, tags=image.tags, every=image.every, notify=image.notify, origin=origin
    )


def _image(
    it: _Read, key: str, asked: ImageKey, every: Span, recipients: Sequence[str]
) -> WatchedImage:
    under = f"{key}." if key else ""
    places = (
        *(Place(repository=each.place) for each in asked.in_),
        *(
            Place(repository=each.in_.place, mirror=True, late=each.late.seconds)
            for each in asked.mirrors
        ),
    )
    _require_distinct(it, f"{under}in", [place.repository for place in places], "name")
    _require_distinct(it, f"{under}platforms", list(map(str, asked.platforms)), "name")
    name = asked.name or _usual_name(asked.in_[0].place)
    if not _IMAGE.fullmatch(name) or len(name) > _LONGEST_NAME:
        it.wrong(
            f"{under}name",
            f"{name[:80]!r} is not a name",
            "use letters, digits, '.', '_', '-' and '/'",
        )
    looked = (asked.every or every).seconds
    if looked < 1:
        it.wrong(f"{under}every", "less than a second", "write 5m")
    return WatchedImage(
        rule=Rule(
            image=name,
            places=places,
            platforms=tuple(map(str, asked.platforms)),
            late=asked.late.seconds,
            soak=asked.soak.seconds,
            settle=asked.settle.seconds,
        ),
        tags=_tags(it, f"{under}tags", asked.tags),
        every=looked,
        notify=_told(it, f"{under}notify", asked.notify, recipients),
        signed_by=_key(it, f"{under}signed_by", asked.signed_by),
    )


def _usual_name(place: str) -> str:
    """``gotify/server`` of ``docker.io/gotify/server``; ``debian`` of Docker's own image."""
    return place.partition("/")[2].removeprefix("library/")


def _tags(it: _Read, key: str, asked: TagsKey | None) -> TagChoice:
    if asked is None:
        return TagChoice(versions="*")
    if asked.versions:
        _check_range(it, f"{key}.versions", asked.versions)
    for position, name in enumerate(asked.names):
        if not is_tag(name):
            it.wrong(f"{key}.names[{position}]", f"{name[:80]!r} is not a tag")
    if not (asked.versions or asked.match or asked.names):
        it.wrong(key, "no tag is chosen", "say 'versions', 'match' or 'names'")
    return TagChoice(
        names=tuple(dict.fromkeys(asked.names)),
        versions=asked.versions,
        match=asked.match,
        newest=asked.newest,
    )


def _check_range(it: _Read, key: str, text: str) -> None:
    try:
        Range.parse(text)
    except UsageError as error:
        it.wrong(key, error.what, error.mend)


def _key(it: _Read, key: str, text: str) -> PublicKey | None:
    """The key in that file, which may stand beside the document, or in the variable."""
    if not text:
        return None
    try:
        return PublicKey.load(text, it.environ, it.path.parent)
    except UsageError as error:
        it.wrong(key, f"{text[:200]}: {error.what}", error.mend)


def _told(
    it: _Read, key: str, asked: tuple[str, ...] | None, recipients: Sequence[str]
) -> tuple[str, ...]:
    for position, name in enumerate(asked or ()):
        if name not in recipients:
            known = ", ".join(recipients) or "none"
            it.wrong(f"{key}[{position}]", f"nobody is called {name[:80]!r}", f"there is {known}")
    return tuple(recipients) if asked is None else asked


def _recipient(it: _Read, name: str, asked: RecipientKey) -> Recipient:
    key = f"notify.{name}"
    _check_word(it, key, name)
    if not _APPRISE.fullmatch(asked.url):  # it may be a secret, and is not shown
        mend = "write gotify://HOST/TOKEN, or env:NAME for a variable that holds it"
        it.wrong(f"{key}.url", "no Apprise URL", mend)
    try:
        zone = check_zone(asked.zone)
    except UsageError as error:
        it.wrong(f"{key}.zone", error.what, error.mend)
    return Recipient(
        name=name,
        address=address(asked.url, it.environ),
        where=it.where(key),
        kinds=USUAL if asked.events is None else frozenset(asked.events),
        urgent=URGENT if asked.urgent is None else frozenset(asked.urgent),
        quiet=asked.quiet,
        digest=asked.digest,
        zone=zone,
        title=asked.title,
        words=asked.text,
    )


def _hook(it: _Read, name: str, asked: HookKey) -> Hook:
    key = f"webhooks.{name}"
    _check_word(it, key, name)
    secret = _secret(it, f"{key}.secret", asked.secret)
    if len(secret.reveal()) < _SHORTEST_SECRET:
        it.wrong(f"{key}.secret", f"shorter than {_SHORTEST_SECRET} characters")
    if asked.from_ == "docker-hub" and not _WORD.fullmatch(secret.reveal()):
        it.wrong(
            f"{key}.secret",
            "it stands in an address",
            "use up to 64 letters, digits, '.', '_' and '-'",
        )
    return Hook(name=name, form=asked.from_, secret=secret)


def _secret(it: _Read, key: str, text: str) -> Secret:
    """What the text is, or the variable that it names."""
    found = _VARIABLE.fullmatch(text)
    if found is None:
        return Secret(text) if text else NO_SECRET
    held = it.environ.get(found[1], "").strip()
    if not held:
        it.wrong(key, f"the variable {found[1]} is not set")
    return Secret(held)


def _host(it: _Read, host: str) -> str:
    try:
        known = check_registry(host)
    except UsageError:
        it.wrong(f"registries.{host}", "no host of a registry", "write HOST or HOST:PORT")
    if known != host:
        it.wrong(f"registries.{host}", "not the registry's own name", f"write {known}")
    return host


def _check_word(it: _Read, key: str, name: str) -> None:
    if not _WORD.fullmatch(name):
        it.wrong(key, "not a name", "use up to 64 letters, digits, '.', '_' and '-'")


def _require_distinct(it: _Read, key: str, items: Iterable[str], does: str) -> None:
    seen: set[str] = set()
    for item in items:
        if item in seen:
            it.wrong(key, f"two {does} {item}", "take one out")
        seen.add(item)
