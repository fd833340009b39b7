"""Programs that keep credentials: ``docker-credential-NAME get|store|erase``.

The protocol is that of docker-credential-helpers: the request on standard input, the answer as
JSON on standard output, and an error as text there with a status other than 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from msgspec import Struct

from manyfest.errors import ConfigError
from manyfest.stores.registry.auth.secret import Credential, Secret

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_TOKEN_USER = "<token>"  # noqa: S105 - the name that marks an identity token
_NOT_FOUND = "credentials not found"
_SECONDS = 60


class CredentialHelper(Struct, frozen=True):
    """The helper ``name``, as the file ``named_in`` says."""

    name: str
    named_in: str
    environ: Mapping[str, str]

    @property
    def program(self) -> str:
        return f"docker-credential-{self.name}"

    def get(self, server: str) -> Credential | None:
        """What it keeps for ``server``; ``None`` if it keeps nothing.

        Raises :class:`ConfigError` if it cannot be run, fails or answers nonsense.
        """
        status, answer = self._run("get", server)
        if status and _NOT_FOUND in answer.lower():
            return None
        if status:
            raise self._failed("get", answer)
        username, secret = self._parse(answer)
        if username == _TOKEN_USER:
            return Credential(identity_token=Secret(secret), source=self.program)
        return Credential(username=username, password=Secret(secret), source=self.program)

    def store(self, server: str, username: str, secret: Secret) -> None:
        """Keep a credential. Raises :class:`ConfigError`."""
        wanted = {"ServerURL": server, "Username": username, "Secret": secret.reveal()}
        status, answer = self._run("store", json.dumps(wanted))
        if status:
            for form in (json.dumps(secret.reveal())[1:-1], secret.reveal()):
                answer = answer.replace(form, "***") if form else answer
            raise self._failed("store", answer)

    def erase(self, server: str) -> None:
        """Forget what is kept for ``server``. Raises :class:`ConfigError`."""
        status, answer = self._run("erase", server)
        if status and _NOT_FOUND not in answer.lower():
            raise self._failed("erase", answer)

    def _run(self, action: str, message: str) -> tuple[int, str]:
        import subprocess

        if not re.fullmatch(_NAME, self.name):
            raise ConfigError(
                f"{self.name!r} is not the name of a credential helper", where=self.named_in
            )
        try:
            done = subprocess.run(
                [self.program, action],
                input=message.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
                env=dict(self.environ),
            )
        except FileNotFoundError:
            raise ConfigError(
                f"the credential helper {self.program} is not installed",
                where=self.named_in,
                mend="install it, or take its name out of the file",
            ) from None
        except OSError as error:
            raise ConfigError(
                f"the credential helper {self.program} cannot be run: {error.strerror}",
                where=self.named_in,
            ) from None
        except subprocess.TimeoutExpired:
            # Its own message would show the input and the output.
            raise ConfigError(
                f"the credential helper {self.program} took longer than {_SECONDS} seconds",
                where=self.named_in,
            ) from None
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def _parse(self, answer: str) -> tuple[str, str]:
        """The answer itself is kept out of the error: it holds the secret."""
        try:
            document = json.loads(answer)
            username, secret = document["Username"], document["Secret"]
        except (ValueError, TypeError, KeyError):
            username, secret = None, None
        if not isinstance(username, str) or not isinstance(secret, str):
            raise ConfigError(
                f"the credential helper {self.program} did not answer with Username and Secret",
                where=self.named_in,
            ) from None
        return username, secret

    def _failed(self, action: str, answer: str) -> ConfigError:
        line = answer.strip().partition("\n")[0][:200]
        shown = "".join(c if c.isprintable() else "?" for c in line)
        reason = shown or "it gives no reason"
        return ConfigError(
            f"the credential helper {self.program} could not {action}: {reason}",
            where=self.named_in,
        )
