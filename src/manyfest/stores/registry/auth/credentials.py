"""Who we are to a registry: credentials, and where they are looked for.

The files are Docker's ``config.json`` and podman's ``auth.json``, which share one form
(:mod:`.credential_files`); both may point at helper programs (:mod:`.credential_helpers`). Both
are loaded when a registry asks who we are, which not every one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from manyfest.stores.registry.auth.secret import Credential, Secret

if TYPE_CHECKING:
    from manyfest.stores.registry.auth.credential_files import CredentialFile
    from manyfest.stores.registry.auth.credential_helpers import CredentialHelper

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Credentials(Protocol):
    """Something that knows who we are to a registry."""

    def find(self, host: str, repository: str = "") -> Credential | None:
        """The credential for ``HOST[:PORT]``, and for the repository if there is one for it alone;
        ``None`` if there is none."""
        ...


class NoCredentials:
    """We are nobody."""

    def find(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        return None


class CredentialStore(Struct, frozen=True):
    """The user's own credentials, as docker and podman keep them.

    ``files`` are looked through in order, and the first that has a credential decides. ``login``
    and ``logout`` change the first one.
    """

    files: tuple[Path, ...]
    environ: Mapping[str, str]

    def find(self, host: str, repository: str = "") -> Credential | None:
        """See :class:`Credentials`. Raises :class:`~manyfest.errors.ConfigError` for a damaged
        file, with the line, and for a helper that fails."""
        from manyfest.stores.registry.auth.credential_files import read_credential_file

        for path in self.files:
            file = read_credential_file(path)
            credential = self._find_in(file, host, repository)
            if credential is not None:
                return credential
        return None

    def login(self, host: str, username: str, secret: Secret) -> str:
        """Keep the credential as ``docker login`` does, in a helper if one is set for the host.

        Returns where it is kept, for the user to know. Raises
        :class:`~manyfest.errors.ConfigError`.
        """
        from manyfest.stores.registry.auth.credential_files import (
            read_credential_file,
            write_credential_file,
        )

        key = server_key(host)
        file = read_credential_file(self.files[0])
        kept = self._helper(file, host)
        if kept is None:
            write_credential_file(file.with_login(key, username, secret))
            return str(file.path)
        helper, server = kept
        helper.store(server, username, secret)
        write_credential_file(file.with_empty_login(key))
        return helper.program

    def logout(self, host: str) -> bool:
        """Forget what ``login`` keeps; whether there was anything. Raises
        :class:`~manyfest.errors.ConfigError`."""
        from manyfest.stores.registry.auth.credential_files import (
            read_credential_file,
            write_credential_file,
        )

        file = read_credential_file(self.files[0])
        kept = self._helper(file, host)
        known = kept is not None and _erase(*kept)
        remaining = file.without_login(server_names(host))
        if remaining is None:
            return known
        write_credential_file(remaining)
        return True

    def _find_in(self, file: CredentialFile, host: str, repository: str) -> Credential | None:
        """What the helper does not know may stand in the file itself."""
        kept = self._helper(file, host)
        if kept is not None:
            helper, server = kept
            credential = helper.get(server)
            if credential is not None:
                return credential
        return file.find(server_names(host), repository)

    def _helper(self, file: CredentialFile, host: str) -> tuple[CredentialHelper, str] | None:
        """The helper for a host and the name that it knows the host by, if one is set."""
        own = [name for name in server_names(host) if file.helpers.get(name)]
        program = file.helpers[own[0]] if own else file.default_helper
        if not program:
            return None
        from manyfest.stores.registry.auth.credential_helpers import CredentialHelper

        helper = CredentialHelper(program, named_in=str(file.path), environ=self.environ)
        return helper, own[0] if own else server_key(host)


def _erase(helper: CredentialHelper, server: str) -> bool:
    """Some helpers fail at what they do not know, so they are asked first."""
    if helper.get(server) is None:
        return False
    helper.erase(server)
    return True


def default_credential_store(environ: Mapping[str, str], home: Path) -> CredentialStore:
    """Where docker and podman keep credentials: what is named in the environment first."""
    named = environ.get("REGISTRY_AUTH_FILE", "")
    docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    podman = (Path(runtime) / "containers/auth.json",) if runtime else ()
    files = (docker, *podman, configuration / "containers/auth.json")
    return CredentialStore((Path(named), *files) if named else files, environ)


def server_key(host: str) -> str:
    """The name under which docker keeps a host's credentials; Docker Hub's is a legacy URL."""
    return DOCKER_HUB_KEY if host in _DOCKER_HUB_HOSTS else host


def server_names(host: str) -> tuple[str, ...]:
    """Every name under which a host's credentials may be found, the usual one first."""
    if host in _DOCKER_HUB_HOSTS:
        return (DOCKER_HUB_KEY, "docker.io", "index.docker.io", "registry-1.docker.io")
    return (host,)
