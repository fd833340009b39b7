"""The files that docker and podman keep credentials in: ``config.json`` and ``auth.json``.

One form for both: ``auths`` by registry, ``credHelpers`` by registry and ``credsStore`` for all
(docker's ``cli/config/configfile``; containers-auth.json(5)). What manyfest does not know in them
is kept as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from manyfest.errors import ConfigError
from manyfest.stores.files import new_file
from manyfest.stores.registry.auth.secret import NO_SECRET, Credential, Secret

_LARGEST = 4 * 1024 * 1024


class CredentialFile(Struct, frozen=True, kw_only=True):
    """One such file. ``document`` is its JSON, and stays out of ``repr`` for what it holds."""

    path: Path
    document: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def __repr__(self) -> str:
        return f"CredentialFile(path={self.path!r})"

    @property
    def helpers(self) -> Mapping[str, str]:
        """``credHelpers``: the name of the helper for a registry."""
        return self._section("credHelpers", str)

    @property
    def default_helper(self) -> str:
        """``credsStore``: the name of the helper for every other registry."""
        name = self.document.get("credsStore") or ""
        if not isinstance(name, str):
            raise self._wrong("credsStore", "is not a name")
        return name

    def find(self, names: tuple[str, ...], repository: str) -> Credential | None:
        """The credential for a registry that goes by ``names``.

        A key may go on with a namespace or a repository, as podman's do; the most specific wins.
        """
        entries = self._section("auths", dict)
        wanted = [f"{name}/{repository}" for name in names] if repository else list(names)
        best, depth = "", -1
        for key in entries:
            reach = _reach(key)
            if entries[key] and len(reach) > depth and any(_covers(reach, w) for w in wanted):
                best, depth = key, len(reach)
        return self._credential(best, entries[best]) if best else None

    def with_login(self, key: str, username: str, secret: Secret) -> CredentialFile:
        """The same file with this credential, in the form that docker writes."""
        pair = f"{username}:{secret.reveal()}".encode()
        return self._with_entry(key, {"auth": base64.b64encode(pair).decode()})

    def with_empty_login(self, key: str) -> CredentialFile:
        """The same file with the mark that docker leaves when a helper holds the credential."""
        return self._with_entry(key, {})

    def without_login(self, names: tuple[str, ...]) -> CredentialFile | None:
        """The same file less what it has for a registry; ``None`` if that is nothing."""
        entries = self._section("auths", dict)
        kept = {
            key: value for key, value in entries.items() if _reach(key) not in map(_reach, names)
        }
        if len(kept) == len(entries):
            return None
        return replace(self, document={**self.document, "auths": kept})

    def _with_entry(self, key: str, entry: dict[str, str]) -> CredentialFile:
        entries = {**self._section("auths", dict), key: entry}
        return replace(self, document={**self.document, "auths": entries})

    def _section(self, name: str, kind: type) -> Mapping[str, Any]:
        section = self.document.get(name) or {}
        if not isinstance(section, dict):
            raise self._wrong(name, "is not an object")
        for key, value in section.items():
            if not isinstance(value, kind):
                raise self._wrong(
                    key, f"in {name!r} is not {'a name' if kind is str else 'an object'}"
                )
        return section

    def _credential(self, key: str, entry: Mapping[str, object]) -> Credential:
        for name in ("auth", "username", "password", "identitytoken", "registrytoken"):
            if not isinstance(entry.get(name) or "", str):
                raise self._wrong(key, f"has a {name!r} that is not a text")
        username, password = self._pair(key, entry)
        return Credential(
            username=username,
            password=password,
            identity_token=Secret(str(entry.get("identitytoken") or "")),
            registry_token=Secret(str(entry.get("registrytoken") or "")),
            source=str(self.path),
        )

    def _pair(self, key: str, entry: Mapping[str, object]) -> tuple[str, Secret]:
        """``auth`` is ``USER:PASSWORD`` in base64; without it there are two plain keys."""
        packed = str(entry.get("auth") or "")
        if not packed:
            return str(entry.get("username") or ""), Secret(str(entry.get("password") or ""))
        try:
            username, colon, password = (
                base64.b64decode(packed, validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise self._wrong(key, "has an 'auth' that is not USER:PASSWORD in base64") from None
        # Docker pads with NUL bytes what old versions wrote.
        return username, Secret(password.rstrip("\0")) if password else NO_SECRET

    def _wrong(self, key: str, what: str) -> ConfigError:
        return ConfigError(
            f"{key!r} {what}", where=f"{self.path}:{_line_of(self.text, key)}", mend="log in again"
        )


def read_credential_file(path: Path) -> CredentialFile:
    """The file; an empty one if there is none.

    Raises :class:`ConfigError` with the line if it is not what it should be.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode()
    except (FileNotFoundError, NotADirectoryError):
        return CredentialFile(path=path)
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8", where=str(path)) from None
    return CredentialFile(path=path, document=_parse(text, path), text=text)


def write_credential_file(file: CredentialFile) -> None:
    """Replace the file whole, readable by its owner only.

    A link stays a link: what it points at is replaced. Raises :class:`ConfigError`.
    """
    target = Path(os.path.realpath(file.path))
    content = json.dumps(file.document, indent="\t", ensure_ascii=False).encode() + b"\n"
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with new_file(target, mode=0o600) as output:
            output.write(content)
    except OSError as error:
        raise ConfigError(f"it cannot be written: {error.strerror}", where=str(file.path)) from None


def _parse(text: str, path: Path) -> Mapping[str, Any]:
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        # The error itself holds the whole text, secrets and all.
        raise ConfigError(f"it is not JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    except RecursionError:
        raise ConfigError("it is nested too deeply", where=str(path)) from None
    if not isinstance(document, dict):
        raise ConfigError("it is not a JSON object", where=f"{path}:1")
    return document


def _reach(key: str) -> str:
    """What a key is for: ``HOST[:PORT]`` and perhaps a path of namespaces.

    Old keys are URLs, and their path is the registry's API, not a namespace.
    """
    scheme, found, rest = key.partition("://")
    if found and scheme in ("http", "https"):
        return rest.partition("/")[0].lower()
    host, _, path = key.partition("/")
    path = path.strip("/")
    return host.lower() if path in ("", "v1", "v2") else f"{host.lower()}/{path}"


def _covers(reach: str, wanted: str) -> bool:
    wanted = _reach(wanted) if "://" in wanted else wanted
    return wanted == reach or wanted.startswith(f"{reach}/")


def _line_of(text: str, key: str) -> int:
    before, found, _ = text.partition(json.dumps(key, ensure_ascii=False))
    return before.count("\n") + 1 if found else 1
