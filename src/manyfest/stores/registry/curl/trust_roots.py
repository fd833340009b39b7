"""Which certificate authorities are trusted: the system's, wherever it keeps them.

The libcurl in pycurl's wheels was built on one distribution and looks in that one's place only
(``/etc/pki/tls/certs/ca-bundle.crt``), so the place is looked up here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ConfigError

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine, Gentoo, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL up to 9
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL 7 and later
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine without ca-certificates, macOS, BSD
)
_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_HASHED_NAME = r"[0-9a-f]{8}\.[0-9]"


class TrustRoots(Struct, frozen=True):
    """PEM files that are read whole, and a directory that OpenSSL looks certificates up in."""

    files: tuple[str, ...] = ()
    directory: str = ""


def find_trust_roots(
    environ: Mapping[str, str], *, extra: str = "", root: Path = Path("/")
) -> TrustRoots:
    """The authorities to trust: what ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name, else the
    system's, and the PEM file ``extra`` besides.

    ``root`` is where the system's paths are looked up. Raises :class:`ConfigError` for a file that
    was named and cannot be read.
    """
    named = environ.get("SSL_CERT_FILE", "")
    directory = environ.get("SSL_CERT_DIR", "")
    for path, source in ((named, "SSL_CERT_FILE"), (extra, "the CA file")):
        if path and not os.access(path, os.R_OK):
            raise ConfigError(f"{source} names a file that cannot be read", where=path)
    found = TrustRoots((named,) if named else (), directory)
    if not named and not directory:
        found = _system_roots(root)
    return TrustRoots((*found.files, extra) if extra else found.files, found.directory)


def _system_roots(root: Path) -> TrustRoots:
    """A directory with hashed names if there is one, because OpenSSL then reads the one
    certificate that it needs instead of 140 for each connection; else a bundle."""
    for name in _DIRECTORIES:
        directory = root / name.lstrip("/")
        if directory.is_dir() and any(re.fullmatch(_HASHED_NAME, n) for n in os.listdir(directory)):
            return TrustRoots(directory=str(directory))
    for name in _BUNDLES:
        bundle = root / name.lstrip("/")
        if bundle.is_file():
            return TrustRoots(files=(str(bundle),))
    return TrustRoots()
