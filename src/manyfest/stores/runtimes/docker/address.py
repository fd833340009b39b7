"""Where Docker's daemon listens: the answer that ``docker`` itself comes to.

``DOCKER_HOST`` decides, else the context that ``DOCKER_CONTEXT`` or ``docker context use`` names,
else it is one of the usual sockets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from manyfest.errors import ConfigError, NotFound
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.auth.credential_files import read_credential_file

SYSTEM_SOCKET = "/var/run/docker.sock"

_NO_CONTEXT = "default"
_PLAIN_PORT, _TLS_PORT = 2375, 2376


class Address(Struct, frozen=True, kw_only=True):
    """The ``path`` of a Unix socket; or a ``host`` and a ``port``, by TLS if there is a folder
    with ``certificates``: ``ca.pem``, and ``cert.pem`` and ``key.pem`` if we have to show one."""

    path: str = ""
    host: str = ""
    port: int = 0
    certificates: Path | None = None

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def find_address(environ: Mapping[str, str], home: Path, *, root: Path = Path("/")) -> Address:
    """The daemon's address; ``root`` is where the system's socket is looked up.

    Raises :class:`~manyfest.errors.NotFound` if nothing names one and no usual socket is there,
    and :class:`~manyfest.errors.ConfigError` for one that cannot be used.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    if host := environ.get("DOCKER_HOST", ""):
        named = environ.get("DOCKER_CERT_PATH", "")
        by_tls = bool(environ.get("DOCKER_TLS_VERIFY"))
        certificates = (Path(named) if named else folder) if by_tls else None
        return _parse(host, certificates, said_by="DOCKER_HOST")
    context = environ.get("DOCKER_CONTEXT") or _current_context(folder)
    if context and context != _NO_CONTEXT:
        return _of_context(folder / "contexts", context)
    return _usual(environ, root)


def _usual(environ: Mapping[str, str], root: Path) -> Address:
    """The system's socket, or that of a daemon which the user runs (rootless Docker)."""
    paths = [root / SYSTEM_SOCKET.lstrip("/")]
    if runtime := environ.get("XDG_RUNTIME_DIR", ""):
        paths.append(Path(runtime) / "docker.sock")
    for path in paths:
        if path.exists():
            return Address(path=str(path))
    raise NotFound(
        f"there is no Docker here: no {' and no '.join(map(str, paths))}",
        mend="start it, or say where it listens by DOCKER_HOST",
    )


def _current_context(folder: Path) -> str:
    file = read_credential_file(folder / "config.json")
    name = file.document.get("currentContext") or ""
    if not isinstance(name, str):
        raise ConfigError("'currentContext' is not a name", where=str(file.path))
    return name


def _of_context(folder: Path, name: str) -> Address:
    """A context's endpoint, from where ``docker context create`` puts it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    path = folder / "meta" / key / "meta.json"
    said_by = f"Docker's context {name[:80]!r}"
    try:
        context = msgspec.json.decode(path.read_bytes(), type=_Context)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such context", where=said_by, mend="see: docker context ls"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", where=said_by) from None
    certificates = folder / "tls" / key / "docker"
    host = context.endpoints.docker.host
    return _parse(host, certificates if certificates.is_dir() else None, said_by=said_by)


class _Endpoint(msgspec.Struct, frozen=True, rename="pascal"):
    host: str


class _Endpoints(msgspec.Struct, frozen=True):
    docker: _Endpoint


class _Context(msgspec.Struct, frozen=True, rename="pascal"):
    """``meta.json``, as much of it as matters."""

    endpoints: _Endpoints


def _parse(text: str, certificates: Path | None, *, said_by: str) -> Address:
    scheme, _, rest = text.partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return Address(path=rest)
    if scheme == "tcp":
        return _parse_tcp(text, certificates, said_by)
    if scheme == "ssh":
        raise ConfigError(
            f"{text[:200]!r} leads through ssh, which is not spoken here",
            where=said_by,
            mend="forward its socket (ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST)"
            " and set DOCKER_HOST=unix:///tmp/docker.sock",
        )
    raise _unusable(text, said_by)


def _parse_tcp(text: str, certificates: Path | None, said_by: str) -> Address:
    """Whoever may speak to the daemon is root on its machine, so nothing unprotected leaves this
    one."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unusable(text, said_by) from None
    if not host or "@" in parts.netloc or parts.path.strip("/"):
        raise _unusable(text, said_by)
    if certificates is None and place_of(host) is not Place.LOOPBACK:
        raise ConfigError(
            f"{text[:200]!r} is another machine, and would be spoken to without TLS",
            where=said_by,
            mend="set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem",
        )
    default = _TLS_PORT if certificates else _PLAIN_PORT
    return Address(host=host, port=port or default, certificates=certificates)


def _unusable(text: str, said_by: str) -> ConfigError:
    return ConfigError(
        f"{text[:200]!r} is no address of a daemon",
        where=said_by,
        mend="write unix:///PATH or tcp://HOST:PORT",
    )
