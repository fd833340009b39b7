"""``manyfest watch``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from manyfest.amounts import counted
from manyfest.cli.platforms import platforms_option
from manyfest.cli.session import Session, with_registries, with_session
from manyfest.errors import AnswerIsNo, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.watch.config.values import WatchConfig, WatchedImage

_config_option = click.option(
    "-c",
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What is watched, instead of watch.yaml here.",
)


class _OrWatch(click.Group):
    """A group whose first command is meant where no other one is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name that command, unless another is named or asked for help."""
        first = args[0] if args else ""
        if first not in {*self.commands, *ctx.help_option_names}:
            self._require_no_slip(first)
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def _require_no_slip(self, word: str) -> None:
        """An image of Docker Hub may be called almost as a command is; then it is written in
        full."""
        import difflib

        near = difflib.get_close_matches(word, self.commands, n=1, cutoff=0.8)
        if near:
            raise UsageError(
                f"no such command: {word!r}",
                mend=f"did you mean {near[0]!r}? The image is docker.io/library/{word}",
            )


@click.group(cls=_OrWatch)
def command() -> None:
    """Watch images all the time: see when versions are complete, show it, and tell people.

    `manyfest watch` alone is `manyfest watch run`: it watches what watch.yaml says.

    A watch.yaml has, at least:

    \b
      images:
        - in: [docker.io/gotify/server, ghcr.io/gotify/server]
          platforms: [linux/amd64, linux/arm64]
    """


@command.command("run", short_help="Watch, until interrupted.")
@click.argument("references", nargs=-1, metavar="[REF]...")
@platforms_option("Without watch.yaml: every version must have this platform")
@click.option(
    "--every",
    default="5m",
    show_default=True,
    metavar="TIME",
    help="Without watch.yaml: how often each tag is looked at.",
)
@_config_option
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Where the pages are.",
)
@click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How log lines are written.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be watched; keep and tell nothing.")
@with_registries
def run(
    session: Session,
    references: tuple[str, ...],
    platforms: tuple[str, ...],
    every: str,
    file: Path | None,
    listen: str,
    log: str,
    *,
    dry_run: bool,
) -> None:
    """Watch images, and serve a page that shows them, until interrupted.

    What is watched, and who is told, is in watch.yaml; SIGHUP has it read again. Without one, the
    ten newest versions at each REF are watched, or the tag that it names.

    What was seen is kept in watch.db beside watch.yaml, or in the database that it names.
    """
    from manyfest.watch import logs
    from manyfest.watch.run import require_extra
    from manyfest.watch.run import run as watch

    require_extra()
    config = _config(references, platforms, every, file)
    if dry_run:
        _show(session, config)
        return
    logs.set_up(
        "json" if log == "json" else "text",
        level=logging.WARNING if session.quiet else logging.INFO,
    )
    code = watch(
        config,
        listen,
        plain_http=session.plain_http,
        ca_file=session.ca_file,
        log=logging.getLogger("manyfest.requests").info if session.verbose else None,
    )
    if code:
        click.get_current_context().exit(code)


@command.command("check-config", short_help="Check watch.yaml.")
@_config_option
@with_session
def check_config(session: Session, file: Path | None) -> None:
    """Read watch.yaml as a watch would, and say what is wrong with it."""
    from manyfest.notify.send import obstacle
    from manyfest.watch.history.address import parse as parse_database
    from manyfest.watch.run import database_of

    config = _file(file)
    parse_database(database_of(config))
    for recipient in config.recipients.values():
        why = obstacle(recipient.address)
        if why:
            session.say(f"warning: {recipient.where}: {why}")
    session.say(
        f"{config.path} is right: {counted(len(config.images), 'image')},"
        f" {counted(len(config.recipients), 'recipient')},"
        f" {counted(len(config.hooks), 'webhook')}"
    )


@command.command("notify-test", short_help="Send a test message.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_config_option
@with_session
def notify_test(session: Session, names: tuple[str, ...], file: Path | None) -> None:
    """Send each recipient in watch.yaml, or those with these NAMEs, a test message."""
    from manyfest.watch.notify.trial import notify_test as try_out

    config = _file(file)
    for name in names:
        if name not in config.recipients:
            known = ", ".join(config.recipients) or "nobody"
            raise UsageError(f"nobody is called {name[:80]!r}", mend=f"there is {known}")
    if not config.recipients:
        raise UsageError("it names nobody to tell", where=str(config.path), mend="add 'notify'")
    failed = []
    for name in names or config.recipients:
        answer = try_out(config.recipients[name], config.url)
        session.out(f"{name}: {answer.fault or 'told'}")
        failed += [name] if answer.fault else []
    if failed:
        raise AnswerIsNo(f"not told: {', '.join(failed)}")


@command.command("user", short_help="Let somebody sign in.")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--remove", is_flag=True, help="Let NAME no longer sign in; its API tokens go too.")
@_config_option
@with_session
def user(
    session: Session, name: str, file: Path | None, *, password_stdin: bool, remove: bool
) -> None:
    """Let NAME sign in to the pages with a password, which is asked for; or give NAME another one.

    A password is never taken from the command line, where other users could see it.
    """
    import time

    from manyfest.stores.registry.auth.secret import Secret
    from manyfest.watch.run import database_of, require_extra

    require_extra()
    from manyfest.watch.access.accounts import set_password
    from manyfest.watch.history.history import History

    database = database_of(_file_if_there(file))
    if remove:
        with History.open(database, alone=False) as history:
            if not history.people.remove_user(name):
                raise NotFound(f"nobody is called {name[:80]!r}", where=history.name)
            session.say(f"{name} may not sign in any more")
        return
    if password_stdin:
        password = sys.stdin.read().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with History.open(database, alone=False) as history:
        set_password(history.people, name, Secret(password), time.time())
        session.say(f"{name} may sign in; this is kept in {history.name}")


def _config(
    references: Sequence[str], platforms: Sequence[str], every: str, file: Path | None
) -> WatchConfig:
    """What the file says, or what the REFs and options make."""
    from manyfest.watch.config.units import Span
    from manyfest.watch.config.values import WatchConfig

    if not references:
        if platforms:
            raise UsageError("--platform is for REFs; watch.yaml has its own platforms")
        return _file(file)
    if file is not None:
        raise UsageError("either REFs are watched or what --config says, and not both")
    if not platforms:
        raise UsageError(
            "nothing says which platforms a version must have", mend="name them with --platform"
        )
    seconds = Span.parse(every).seconds
    images = tuple(_image(each, platforms, seconds) for each in references)
    names = [image.name for image in images]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two REFs are called {name}", mend="write a watch.yaml for them")
    return WatchConfig(images=images, every=seconds)


def _image(reference: str, platforms: Sequence[str], every: float) -> WatchedImage:
    from manyfest.oci.reference import Name
    from manyfest.watch.config.load import image_of

    name = Name.parse(reference.removeprefix("docker://"))
    if name.digest is not None:
        raise UsageError("a digest never changes", where=reference, mend="name a tag, or none")
    asked: dict[str, object] = {"in": [name.place], "platforms": list(platforms)}
    if name.tag:
        asked["tags"] = {"names": [name.tag]}
    return image_of(asked, every, (), "file")


def _file(file: Path | None) -> WatchConfig:
    from manyfest.watch.config.load import FILE_NAME, load

    return load(file or Path(FILE_NAME))


def _file_if_there(file: Path | None) -> WatchConfig:
    """The file, or what holds without one."""
    from manyfest.watch.config.load import FILE_NAME
    from manyfest.watch.config.values import WatchConfig

    if file is None and not Path(FILE_NAME).exists():
        return WatchConfig(images=())
    return _file(file)


def _show(session: Session, config: WatchConfig) -> None:
    """Each tag that would be watched, and where."""
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Lists
    from manyfest.watch.poll.choose import choose

    plain = tuple(each.host for each in config.registries.values() if each.plain_http)
    with replace(session, plain_http=session.plain_http + plain).stores() as stores:
        for image in config.images:
            found: set[str] = set()
            for place in image.rule.places if image.tags.describes else ():
                with stores.source(Reference.parse(place.repository)) as source:
                    try:
                        found.update(source.tags() if isinstance(source, Lists) else ())
                    except NotFound as error:
                        session.say(f"warning: nothing is there yet: {error}")
            for tag in choose(image.tags, found):
                places = " ".join(place.repository for place in image.rule.places)
                session.out(f"{image.name} {tag} {places}")
