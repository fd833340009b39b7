"""A command is run in the image of each platform, before anybody sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from manyfest.amounts import counted
from manyfest.errors import UsageError
from manyfest.release.project.config import Config, Smoke
from manyfest.release.project.template import values
from manyfest.release.steps.moves import moves
from manyfest.release.steps.step import Release, Step
from manyfest.release.versions.version import Version

if TYPE_CHECKING:
    from manyfest.release.smoke.trial import Trial

_MINUTE = 60.0


def _check(release: Release) -> str:
    if release.config.check.smoke is None:
        return "no 'check.smoke' is configured"
    return "every tag points at it already" if is_published(release) else ""


def is_published(release: Release) -> bool:
    """Whether every tag of the release holds this very image, in every repository: nothing is left
    that a test could keep from anybody. That some of them do proves nothing: no verdict is kept,
    and another tool may have put the image there."""
    planned = moves(release)
    return bool(planned) and all(move.is_done for move in planned)


def _run(release: Release) -> str:
    smoke = release.config.check.smoke
    if smoke is None:
        return "nothing is configured"
    # Loaded when something is tried.
    from manyfest.release.smoke.run import smoke_test

    folder = release.archive.parent
    passed = smoke_test(
        release.built.source,
        release.built.graph.root.descriptor,
        trial_of(smoke, release.config, release.version),
        runtime=smoke.runtime,
        folder=folder if folder.is_dir() else None,
        progress=release.progress,
        where=release.config.where("check.smoke"),
    )
    return f"{counted(len(passed.platforms), 'platform')} passed, run by {passed.runtime}"


def trial_of(smoke: Smoke, config: Config, version: Version) -> Trial:
    """What is tried. Raises :class:`~manyfest.errors.ConfigError` for a template that needs what is
    not known."""
    from manyfest.release.smoke.trial import Trial

    return Trial(
        command=smoke.command,
        expect=smoke.expect.render(values(config.name, version)),
        exit=smoke.exit,
        timeout=smoke.timeout.seconds if smoke.timeout else _MINUTE,
        hidden=tuple(_hidden(config)),
    )


def _hidden(config: Config) -> Iterator[bytes]:
    """What a build should not have put into the image, as far as it is here: an image may have been
    built elsewhere."""
    from manyfest.build.secrets import BuildSecret

    for text in config.build.secrets:
        try:
            yield from BuildSecret.parse(text, os.environ, folder=config.root).hidden
        except UsageError:
            continue


SMOKE = Step("smoke", _check, _run)
