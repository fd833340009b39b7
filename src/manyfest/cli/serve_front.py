"""What ``manyfest serve`` is told of those who come to it: TLS, users, rights, limits, log and
metrics."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from manyfest.cli.session import Session
from manyfest.cli.sizes import parse_size
from manyfest.errors import UsageError

if TYPE_CHECKING:
    from manyfest.serve.access.gate import Challenge, Gate
    from manyfest.serve.access.places import Places
    from manyfest.serve.notifications.notifier import Notifier
    from manyfest.serve.policy import Policy
    from manyfest.serve.server import Certificate

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Front(Struct, frozen=True, kw_only=True):
    """The options, as they were given."""

    tls_cert: Path | None
    tls_key: Path | None
    tls_self_signed: bool
    tls_name: tuple[str, ...]
    htpasswd: Path | None
    access: Path | None
    anonymous_read: bool
    login: Challenge
    plain_http_passwords: bool
    public_url: str
    trusted_proxy: tuple[str, ...]
    allowed_host: tuple[str, ...]
    max_upload: int | None
    max_uploads: int
    max_rate: float
    access_log: str
    metrics: str
    notify: tuple[str, ...]


def front_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb these options, and its function a :class:`Front` as ``front``."""

    @functools.wraps(function)
    def with_front(*args: object, **options: object) -> None:
        own = {name: options.pop(name) for name in Front.__struct_fields__}
        function(*args, front=Front(**own), **options)  # type: ignore[arg-type]

    for option in reversed(_OPTIONS):
        with_front = option(with_front)
    return with_front


_OPTIONS: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
    click.option(
        "--tls-cert", type=_FILE, help="Speak TLS, with the certificates in this PEM file."
    ),
    click.option("--tls-key", type=_FILE, help="The certificate's key, in a PEM file."),
    click.option(
        "--tls-self-signed",
        is_flag=True,
        help="Speak TLS with a certificate of an authority of its own, which is made once.",
    ),
    click.option(
        "--tls-name",
        metavar="NAME",
        multiple=True,
        help="With --tls-self-signed: another name or address that clients use. Repeat it.",
    ),
    click.option(
        "--htpasswd", type=_FILE, help="Users and their passwords, as htpasswd -B writes them."
    ),
    click.option("--access", type=_FILE, help="A YAML file that says who may do what where."),
    click.option("--anonymous-read", is_flag=True, help="Let anyone pull; users do the rest."),
    click.option(
        "--login",
        type=click.Choice(["token", "basic"]),
        default="token",
        show_default=True,
        help="How clients are asked to log in. Both are taken.",
    ),
    click.option(
        "--plain-http-passwords",
        is_flag=True,
        help="Take passwords over plain http from other machines.",
    ),
    click.option(
        "--public-url", metavar="URL", default="", help="How clients reach it, if by a proxy."
    ),
    click.option(
        "--trusted-proxy",
        metavar="ADDRESS",
        multiple=True,
        help="Believe this proxy, or network of proxies, when it says who asks. Repeat it.",
    ),
    click.option(
        "--allowed-host",
        metavar="NAME",
        multiple=True,
        help="A name that clients on this machine use besides localhost. Repeat it.",
    ),
    click.option(
        "--max-upload", metavar="SIZE", callback=parse_size, help="Refuse larger blobs: 20GB."
    ),
    click.option(
        "--max-uploads",
        metavar="N",
        type=click.IntRange(1, 100_000),
        default=512,
        show_default=True,
        help="Uploads at a time; an eighth of them from one client.",
    ),
    click.option(
        "--max-rate",
        metavar="N",
        type=click.FloatRange(0),
        default=0,
        help="Requests a second from one client.",
    ),
    click.option(
        "--access-log",
        metavar="FILE",
        default="",
        help="Write a line of JSON for each request; - is stdout.",
    ),
    click.option(
        "--metrics", metavar="HOST:PORT", default="", help="Answer Prometheus there, at /metrics."
    ),
    click.option(
        "--notify",
        metavar="URL[,env:NAME]",
        multiple=True,
        help="Tell this webhook of pushes, with the token in the variable NAME. Repeat it.",
    ),
]


def certificate_of(session: Session, front: Front, host: str) -> Certificate | None:
    """What it proves its name with. Raises :class:`UsageError`."""
    from manyfest.serve.server import Certificate

    if (front.tls_cert is None) != (front.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    if front.tls_name and not front.tls_self_signed:
        raise UsageError("--tls-name is of use with --tls-self-signed only")
    if front.tls_cert is not None and front.tls_key is not None:
        if front.tls_self_signed:
            raise UsageError("--tls-self-signed makes a certificate, and --tls-cert names one")
        return Certificate(front.tls_cert, front.tls_key)
    return _self_signed(session, front, host) if front.tls_self_signed else None


def policy_of(session: Session, front: Front, host: str) -> Policy:
    """How it treats those who come to ``host``. Raises :class:`UsageError`."""
    from manyfest.listening import parse_address
    from manyfest.serve.access.places import Places
    from manyfest.serve.access_log import AccessLog
    from manyfest.serve.limits import Limits
    from manyfest.serve.metrics import Metrics
    from manyfest.serve.policy import Policy

    places = Places(front.public_url, front.trusted_proxy, (host, *front.allowed_host))
    return Policy(
        gate=_gate_of(session, front, places),
        places=places,
        limits=Limits(
            uploads=front.max_uploads,
            uploads_per_client=max(front.max_uploads // 8, 1),
            rate=front.max_rate,
        ),
        log=AccessLog(front.access_log) if front.access_log else None,
        metrics=Metrics() if front.metrics else None,
        metrics_at=parse_address(front.metrics) if front.metrics else ("127.0.0.1", 0),
        plain_passwords=front.plain_http_passwords,
        notifier=_notifier_of(session, front, places) if front.notify else None,
    )


def _notifier_of(session: Session, front: Front, places: Places) -> Notifier:
    from manyfest.serve.notifications.notifier import Notifier
    from manyfest.serve.notifications.receiver import Receiver
    from manyfest.stores.registry.curl.transport import CurlTransport

    receivers = [Receiver.parse(text, os.environ, session.plain_http) for text in front.notify]
    transport = CurlTransport(ca_file=str(session.ca_file or ""))
    return Notifier(receivers, places, transport)


def _gate_of(session: Session, front: Front, places: Places) -> Gate | None:
    if front.htpasswd is None:
        for name in ("access", "anonymous_read", "plain_http_passwords"):
            if getattr(front, name):
                raise UsageError(f"--{name.replace('_', '-')} goes together with --htpasswd")
        return None
    from manyfest.serve.access import file, htpasswd
    from manyfest.serve.access.gate import Gate
    from manyfest.serve.access.live_file import LiveFile
    from manyfest.serve.access.passwords import check_bcrypt
    from manyfest.serve.access.rights import everything_for_users

    if front.access is not None and front.anonymous_read:
        raise UsageError("say in the file of --access who may read: read: [anyone]")
    check_bcrypt()
    users = LiveFile(front.htpasswd, htpasswd.load)
    if front.access is None:
        access = everything_for_users(anonymous_read=front.anonymous_read)
        return Gate(users, access, challenge=front.login, places=places)
    rules = LiveFile(front.access, file.load)
    for name in sorted(rules.value.users() - users.value.keys()):
        session.say(f"{front.access}: names {name}, who is not in {front.htpasswd}")
    return Gate(users, rules, challenge=front.login, places=places)


def _self_signed(session: Session, front: Front, host: str) -> Certificate:
    from manyfest.serve.authority import issue, state_folder, usual_names
    from manyfest.serve.server import Certificate

    folder = state_folder(os.environ, Path.home()) / "serve"
    issued = issue(folder, [*usual_names(host), *front.tls_name])
    session.say(
        f"clients must trust {issued.authority} (SHA-256 {issued.fingerprint}), until"
        f" {issued.authority_ends:%Y-%m-%d}"
    )
    session.say("docker: copy it to /etc/docker/certs.d/HOST:PORT/ca.crt")
    session.say("podman, skopeo, buildah: copy it to /etc/containers/certs.d/HOST:PORT/ca.crt")
    session.say(f"manyfest: add --ca-file {issued.authority}")
    return Certificate(issued.chain, issued.key)
