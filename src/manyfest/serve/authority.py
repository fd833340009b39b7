"""A certificate for a registry that has none: a small authority of its own, and what it signs.

Clients are told to trust the authority once. It is kept in a folder, so they need not be told again
when the registry gets a new certificate: because the old one ends soon, or for another name.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.stores.files import new_file, write_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName, KeyUsage

_AUTHORITY_LASTS = timedelta(days=3650)
_LASTS = timedelta(days=397)
"""No longer than browsers and Apple's systems take."""

_RENEWED = timedelta(days=90)
"""How long before its end a certificate is renewed; a registry may run as long as that."""

_CLOCKS = timedelta(hours=1)
"""How much clients' clocks may be behind."""

_NAME = "manyfest serve"
_MOST_NAMES = 100


class Issued(Struct, frozen=True):
    """Files of a certificate and of its authority, the SHA-256 of the latter, and the days on which
    they end."""

    chain: Path
    key: Path
    authority: Path
    fingerprint: str
    ends: datetime
    authority_ends: datetime


def state_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where what is to last is kept: ``MANYFEST_STATE_DIR``, or ``manyfest`` in
    ``XDG_STATE_HOME``."""
    told = environ.get("MANYFEST_STATE_DIR")
    if told:
        return Path(told)
    base = Path(environ.get("XDG_STATE_HOME", ""))
    # By its specification a relative path there counts as none.
    return (base if base.is_absolute() else home / ".local/state") / "manyfest"


def usual_names(host: str) -> list[str]:
    """What a registry that listens at ``host`` may be called: this machine's name and loopback."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - those are no names
        names.insert(0, host)
    return list(dict.fromkeys(filter(_is_name, names)))


def issue(folder: Path, names: Iterable[str], *, now: datetime | None = None) -> Issued:
    """A certificate for all ``names``, and those that it had before; what is there already is
    taken as long as it will do.

    Raises :class:`~manyfest.errors.UsageError` for what is no name, if ``cryptography`` is not
    installed, or if the folder's files are damaged; :class:`~manyfest.errors.StoreError` if it
    cannot be written.
    """
    _check_installed()
    wanted = list(dict.fromkeys(map(_tidy, names)))
    for name in wanted:
        if not _is_name(name):
            raise UsageError(f"{name[:80]!r} is neither a host's name nor an address")
    with write_errors(str(folder)), _alone(folder):
        return _Folder(folder, now or datetime.now(UTC)).issue(wanted)


class _Folder:
    """The files, looked at by one process at a time."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self._now = now
        self._authority = folder / "ca.pem"
        self._authority_key = folder / "ca-key.pem"
        self._chain = folder / "cert.pem"
        self._key = folder / "key.pem"

    def issue(self, names: list[str]) -> Issued:
        from cryptography.hazmat.primitives.hashes import SHA256

        authority, key, is_new = self._the_authority()
        certificate = None if is_new else self._the_certificate(authority, names)
        if certificate is None:
            certificate = self._new_certificate(authority, key, names)
        return Issued(
            chain=self._chain,
            key=self._key,
            authority=self._authority,
            fingerprint=authority.fingerprint(SHA256()).hex(":").upper(),
            ends=certificate.not_valid_after_utc,
            authority_ends=authority.not_valid_after_utc,
        )

    def _the_authority(self) -> tuple[Certificate, EllipticCurvePrivateKey, bool]:
        """What signs, and whether it is another than before."""
        found = _read(self._authority, self._authority_key)
        if found is not None and self._lasts(found[0], _LASTS):
            return *found, False
        key = _new_key()
        certificate = _sign(
            key,
            public=key,
            subject=f"{_NAME} on {socket.gethostname()}"[:64],
            issuer=None,
            alternatives=(),
            lasts=(self._now - _CLOCKS, self._now + _AUTHORITY_LASTS),
        )
        _write(self._authority_key, key, None)
        _write(self._authority, certificate, None)
        return certificate, key, True

    def _the_certificate(self, authority: Certificate, names: list[str]) -> Certificate | None:
        """The one that is there, if it will do."""
        found = _read(self._chain, self._key)
        if found is None:
            return None
        certificate = found[0]
        names.extend(name for name in _names_of(certificate) if name not in names)
        fits = set(names) <= set(_names_of(certificate))
        signed = _is_signed_by(certificate, authority)
        return certificate if fits and signed and self._lasts(certificate, _RENEWED) else None

    def _new_certificate(
        self, authority: Certificate, key: EllipticCurvePrivateKey, names: list[str]
    ) -> Certificate:
        own = _new_key()
        certificate = _sign(
            key,
            public=own,
            subject=_NAME,
            issuer=authority,
            alternatives=tuple(map(_general, names[:_MOST_NAMES])),
            lasts=(self._now - _CLOCKS, self._now + _LASTS),
        )
        _write(self._key, own, None)
        _write(self._chain, certificate, authority)
        return certificate

    def _lasts(self, certificate: Certificate, time: timedelta) -> bool:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return begins <= self._now and self._now + time <= ends


def _sign(
    key: EllipticCurvePrivateKey,
    *,
    public: EllipticCurvePrivateKey,
    subject: str,
    issuer: Certificate | None,
    alternatives: tuple[GeneralName, ...],
    lasts: tuple[datetime, datetime],
) -> Certificate:
    """A certificate for ``alternatives``; without an ``issuer`` an authority's own (RFC 5280)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    is_authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer is not None else name)
        .public_key(public.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(lasts[0])
        .not_valid_after(lasts[1])
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None),
            critical=True,
        )
        .add_extension(_usage(signs=is_authority), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, SHA256())


def _usage(*, signs: bool) -> KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _read(chain: Path, key: Path) -> tuple[Certificate, EllipticCurvePrivateKey] | None:
    """What two files say; ``None`` if one is missing or they do not belong together: a start that
    was killed left one of them."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        private = load_pem_private_key(key.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise UsageError(
            "this is not the certificate or key that was put there",
            where=str(chain.parent),
            mend="remove the files in it, and have clients trust the new ca.pem",
        ) from None
    if not isinstance(private, EllipticCurvePrivateKey):
        return None
    belongs = certificate.public_key() == private.public_key()
    return (certificate, private) if belongs else None


def _write(
    path: Path, what: Certificate | EllipticCurvePrivateKey, then: Certificate | None
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509 import Certificate

    pem = serialization.Encoding.PEM
    if isinstance(what, Certificate):
        raw = what.public_bytes(pem) + (then.public_bytes(pem) if then is not None else b"")
        mode = 0o644
    else:
        raw = what.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        mode = 0o600
    with new_file(path, mode=mode) as file:
        file.write(raw)


def _is_signed_by(certificate: Certificate, authority: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _names_of(certificate: Certificate) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _general(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _tidy(name: str) -> str:
    """The one way to write a name that is the same."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def _is_name(text: str) -> bool:
    """Whether it is an address, or a host's name, which may begin with ``*.``."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removeprefix("*.").split(".")
        return len(text) <= 253 and all(
            0 < len(label) < 64 and label.isascii() and label.replace("-", "a").isalnum()
            for label in labels
        )
    return True


def _check_installed() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise UsageError(
            "a certificate is made with cryptography, which is not installed",
            mend="pip install 'manyfest[serve]'",
        ) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time, in a folder that others do not see into."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
