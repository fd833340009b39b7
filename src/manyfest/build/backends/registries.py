"""How buildah reaches registries as we do: the same credentials, certificates and plain http, in
files that are readable by nobody else."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from manyfest.build.bases import BaseImage
from manyfest.oci.reference import Name
from manyfest.stores.base import Source
from manyfest.stores.registry.auth.credentials import Credentials
from manyfest.stores.registry.auth.secret import Credential
from manyfest.stores.registry.store import RegistryStore


class Access(Struct, frozen=True, kw_only=True):
    """``options`` are for buildah's command line, ``environment`` is for its process."""

    options: tuple[str, ...]
    environment: Mapping[str, str]


def write_access(
    folder: Path,
    images: Sequence[BaseImage],
    *,
    credentials: Credentials,
    ca_file: Path | None,
    environ: Mapping[str, str],
) -> Access:
    """Write to ``folder`` what buildah must know to read ``images``."""
    logins = folder / "auth.json"
    _write(logins, json.dumps({"auths": _logins(images, credentials)}))
    options = ["--authfile", str(logins)]
    if ca_file is not None:
        certificates = folder / "certificates"
        certificates.mkdir(mode=0o700)
        shutil.copyfile(ca_file, certificates / "ca.crt")
        options += ["--cert-dir", str(certificates)]
    plain = sorted({_registry(image) for image in images if _is_plain(image.source)})
    if not plain:
        return Access(options=tuple(options), environment={})
    registries = folder / "registries.conf"
    _write(registries, _users_own(environ) + "".join(map(_insecure, plain)))
    return Access(
        options=tuple(options), environment={"CONTAINERS_REGISTRIES_CONF": str(registries)}
    )


def _registry(image: BaseImage) -> str:
    return Name.parse(image.full_name).registry


def _is_plain(store: Source) -> bool:
    return isinstance(store, RegistryStore) and store.repository.url.startswith("http:")


def _logins(images: Sequence[BaseImage], credentials: Credentials) -> dict[str, dict[str, str]]:
    logins: dict[str, dict[str, str]] = {}
    for name in (Name.parse(image.full_name) for image in images):
        found = credentials.find(name.registry, name.repository)
        if found is not None:
            logins[f"{name.registry}/{name.repository}"] = _login(found)
    return logins


def _login(found: Credential) -> dict[str, str]:
    """As ``docker login`` keeps it (containers-auth.json(5))."""
    pair = f"{found.username}:{found.password.reveal()}".encode()
    login = {"auth": base64.b64encode(pair).decode()}
    if found.identity_token:
        login["identitytoken"] = found.identity_token.reveal()
    return login


def _users_own(environ: Mapping[str, str]) -> str:
    """The user's own settings, with mirrors and short names: ours are added to them
    (containers-registries.conf(5))."""
    home = Path(environ.get("HOME", "/"))
    named = environ.get("CONTAINERS_REGISTRIES_CONF", "")
    usual = (
        home / ".config/containers/registries.conf",
        Path("/etc/containers/registries.conf"),
    )
    for path in (Path(named),) if named else usual:
        if path.is_file():
            return path.read_text() + "\n"
    return ""


def _insecure(registry: str) -> str:
    return f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n'


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
