"""The shape of ``watch.yaml``; the JSON Schema in the documentation is made of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from manyfest.oci.platform import Platform
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.units import Rate, Repository, Span
from manyfest.watch.config.values import HookForm
from manyfest.watch.recipients import Digest, Quiet, Words
from manyfest.watch.values import Kind


class TagsKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tags are watched. A text alone is its 'versions'; if nothing is said, the ten newest
    versions."""

    short_form: ClassVar[str] = "versions"

    versions: Annotated[
        str,
        Meta(description="Those that are versions in this range, as npm writes it; * for all."),
    ] = ""
    match: Annotated[
        Pattern | None,
        Meta(description="Those that this regular expression describes as a whole."),
    ] = None
    newest: Annotated[
        int,
        Meta(description="So many of them at most: the highest versions.", ge=1, le=100_000),
    ] = 10
    names: Annotated[
        tuple[str, ...],
        Meta(description="These too, whether they are there or not.", examples=[["latest"]]),
    ] = ()


class MirrorKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A repository that follows the others. A text alone is its 'in'."""

    short_form: ClassVar[str] = "in"

    in_: Annotated[Repository, Meta(description="The repository.")] = msgspec.field(name="in")
    late: Annotated[
        Span, Meta(description="After how long it is late, from a version's first sighting.")
    ] = Span(0.0)


class ImageKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image, where it should be, and for which platforms."""

    in_: Annotated[
        tuple[Repository, ...],
        Meta(
            description="The repositories that each version must be in.",
            min_length=1,
            examples=[["docker.io/gotify/server", "ghcr.io/gotify/server"]],
        ),
    ] = msgspec.field(name="in")
    platforms: Annotated[
        tuple[Platform, ...],
        Meta(
            description="The platforms that each version must have.",
            min_length=1,
            examples=[["linux/amd64", "linux/arm64"]],
        ),
    ]
    name: Annotated[
        str,
        Meta(description="What it is called; its first repository's name if left out."),
    ] = ""
    mirrors: Annotated[
        tuple[MirrorKey, ...],
        Meta(description="Repositories that follow; no version waits for them to be complete."),
    ] = ()
    tags: Annotated[TagsKey | None, Meta(description="Which tags are watched.")] = None
    late: Annotated[
        Span, Meta(description="A version that is not complete after so long is late; 0: never.")
    ] = Span(0.0)
    soak: Annotated[
        Span, Meta(description="How long a version must have been complete to be called soaked.")
    ] = Span(0.0)
    settle: Annotated[
        Span,
        Meta(description="How long bad news must last to be believed: caches give old answers."),
    ] = Span(60.0)
    every: Annotated[
        Span | None, Meta(description="How often its tags are looked at, instead of 'every'.")
    ] = None
    signed_by: Annotated[
        str,
        Meta(
            description="The key by which each version must be signed: a file beside this one, or"
            " env:NAME for an environment variable that holds it.",
            examples=["cosign.pub"],
        ),
    ] = ""
    notify: Annotated[
        tuple[str, ...] | None,
        Meta(description="Who is told of it, by their names under 'notify'; all if left out."),
    ] = None


class RecipientKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is told. A text alone is its 'url'."""

    short_form: ClassVar[str] = "url"

    url: Annotated[
        str,
        Meta(
            description="An Apprise URL, or env:NAME for an environment variable that holds it.",
            examples=["env:GOTIFY_URL"],
        ),
    ]
    events: Annotated[
        tuple[Kind, ...] | None,
        Meta(description="What is told; if left out, all but each step on the way."),
    ] = None
    urgent: Annotated[
        tuple[Kind, ...] | None,
        Meta(
            description="What is told at once, also at a quiet time; late and unreachable if left"
            " out."
        ),
    ] = None
    quiet: Annotated[
        Quiet | None, Meta(description="The time of each day at which nothing else is told.")
    ] = None
    digest: Annotated[
        Digest | None, Meta(description="That what is not urgent is collected and told together.")
    ] = None
    zone: Annotated[
        str, Meta(description="The time zone of 'quiet' and 'digest'.", examples=["Europe/Berlin"])
    ] = "UTC"
    title: Annotated[Words | None, Meta(description="The title, instead of our own.")] = None
    text: Annotated[Words | None, Meta(description="The text, instead of our own.")] = None


class RegistryKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a registry may be asked."""

    budget: Annotated[
        Rate | None, Meta(description="How many requests it gets at most, in which time.")
    ] = None
    plain_http: Annotated[
        bool, Meta(description="Speak plain http to it. Loopback ones may without being named.")
    ] = False


class HookKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook that says that something may have changed: POST /hooks/NAME."""

    from_: Annotated[HookForm, Meta(description="Whose form it has.")] = msgspec.field(name="from")
    secret: Annotated[
        str,
        Meta(
            description="What it proves itself with, at least 16 characters; better env:NAME, for"
            " an environment variable that holds it.",
            examples=["env:HOOK_SECRET"],
        ),
    ]


class HistoryKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where what was seen is kept."""

    database: Annotated[
        str,
        Meta(
            description="SQLAlchemy's URL of the database, or env:NAME for an environment variable"
            " that holds it; if left out, the file watch.db beside this one.",
            examples=["env:DATABASE_URL", "sqlite:////var/lib/manyfest/watch.db"],
        ),
    ] = ""
    keep: Annotated[Span, Meta(description="How long what was observed is kept.")] = Span(
        400 * 86400.0
    )


class WatchFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is watched, who is told, and how registries are asked."""

    images: Annotated[
        tuple[ImageKey, ...],
        Meta(
            description="What is watched.",
            examples=[[{"in": ["docker.io/gotify/server"], "platforms": ["linux/arm64"]}]],
        ),
    ]
    title: Annotated[str, Meta(description="The page's title.")] = "Releases"
    url: Annotated[
        str,
        Meta(
            description="Where people reach the page; notices link to it.",
            examples=["https://releases.example.org"],
        ),
    ] = ""
    public: Annotated[
        bool, Meta(description="Whether everybody may see the page; else those who sign in may.")
    ] = True
    every: Annotated[Span, Meta(description="How often each tag is looked at.")] = Span(300.0)
    notify: Annotated[
        dict[str, RecipientKey], Meta(description="Who is told, by a name of your choice.")
    ] = {}
    registries: Annotated[
        dict[str, RegistryKey], Meta(description="How registries may be asked, by their hosts.")
    ] = {}
    webhooks: Annotated[
        dict[str, HookKey], Meta(description="Which webhooks are taken, by a name of your choice.")
    ] = {}
    history: HistoryKey = HistoryKey()
