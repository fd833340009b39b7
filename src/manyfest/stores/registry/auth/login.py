"""Trying credentials before they are kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from msgspec import Struct

from manyfest.errors import AccessDenied
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.auth.secret import Credential, Secret
from manyfest.stores.registry.connect import Registries


class _Only(Struct, frozen=True):
    """One credential, for one host."""

    host: str
    credential: Credential

    def find(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        return self.credential if host == self.host else None


def try_login(
    host: str,
    username: str,
    secret: Secret,
    *,
    plain_http: tuple[str, ...] = (),
    ca_file: Path | None = None,
) -> None:
    """Ask the registry whether it knows these credentials.

    Raises :class:`~manyfest.errors.AccessDenied` if it does not, and what connecting raises.
    """
    credential = Credential(username=username, password=secret)
    registries = Registries(
        plain_http=plain_http, ca_file=ca_file, credentials=_Only(host, credential)
    )
    with closing(registries):
        try:
            expect(registries.ping(host), 200, doing="the login", where=host).close()
        except AccessDenied as error:
            raise AccessDenied(
                "the registry does not accept these credentials",
                where=host,
                mend="check the user name, and whether a token is needed instead of the password",
                status=error.status,
                code=error.code,
            ) from None
