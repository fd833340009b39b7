from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store

from manyfest.errors import UsageError
from manyfest.serve.authority import Issued, issue, state_folder, usual_names

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "serve"


def leaf(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificates(issued.chain.read_bytes())[0]


def authority(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.authority.read_bytes())


def names(issued: Issued) -> list[str]:
    found = leaf(issued).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def test_a_certificate_is_for_the_names_and_signed_by_the_authority(folder: Path) -> None:
    issued = issue(folder, ["registry.test", "192.0.2.1", "::1"], now=NOW)
    assert names(issued) == ["registry.test", "192.0.2.1", "::1"]
    store = Store([authority(issued)])
    subject = x509.DNSName("registry.test")
    verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(subject)
    assert verifier.verify(leaf(issued), []) == [leaf(issued), authority(issued)]
    assert issued.fingerprint == authority(issued).fingerprint(SHA256()).hex(":").upper()


def test_keys_are_for_their_owner_alone(folder: Path) -> None:
    issued = issue(folder, ["localhost"], now=NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600, "cert.pem": 0o644, "key.pem": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert issued.key.name == "key.pem"


def test_python_takes_the_files(folder: Path) -> None:
    issued = issue(folder, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    ssl.create_default_context(cafile=str(issued.authority))


def test_the_next_start_has_the_same(folder: Path) -> None:
    first = issue(folder, ["localhost", "::1"], now=NOW)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert issue(folder, ["localhost", "0:0:0:0:0:0:0:1"], now=NOW + timedelta(days=300)) == first
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_another_name_makes_a_certificate_for_all_and_leaves_the_authority(folder: Path) -> None:
    first = issue(folder, ["one.test"], now=NOW)
    second = issue(folder, ["TWO.test"], now=NOW)
    assert names(second) == ["two.test", "one.test"]
    assert second.fingerprint == first.fingerprint
    assert issue(folder, ["one.test"], now=NOW) == second


def test_what_ends_soon_is_renewed_and_clients_need_not_be_told(folder: Path) -> None:
    first = issue(folder, ["localhost"], now=NOW)
    serial = leaf(first).serial_number
    second = issue(folder, ["localhost"], now=NOW + timedelta(days=308))
    assert leaf(second).serial_number != serial
    assert second.fingerprint == first.fingerprint
    assert second.ends == NOW + timedelta(days=308 + 397)


def test_an_authority_does_not_sign_beyond_its_end(folder: Path) -> None:
    first = issue(folder, ["localhost"], now=NOW)
    later = issue(folder, ["localhost"], now=NOW + timedelta(days=3650 - 396))
    assert later.fingerprint != first.fingerprint
    assert later.ends < later.authority_ends


def test_a_start_that_was_killed_in_between_is_made_good(folder: Path) -> None:
    first = issue(folder, ["localhost"], now=NOW)
    first.chain.unlink()
    assert issue(folder, ["localhost"], now=NOW).fingerprint == first.fingerprint
    (folder / "ca-key.pem").write_bytes(first.key.read_bytes())
    second = issue(folder, ["localhost"], now=NOW)
    leaf(second).verify_directly_issued_by(authority(second))
    assert second.fingerprint != first.fingerprint


def test_what_was_damaged_is_not_replaced_in_silence(folder: Path) -> None:
    issue(folder, ["localhost"], now=NOW)
    (folder / "ca.pem").write_text("damaged")
    with pytest.raises(UsageError, match="this is not the certificate or key that was put there"):
        issue(folder, ["localhost"], now=NOW)


@pytest.mark.parametrize(
    "name", ["", "a b", "a..b", "x" * 300, "https://x", "a/b", "*", "1.2.3.4/8"]
)
def test_what_is_no_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is neither a host's name nor an address"):
        issue(folder, [name])


def test_this_machine_has_several_names() -> None:
    assert usual_names("192.0.2.7")[:4] == ["192.0.2.7", "localhost", "127.0.0.1", "::1"]
    assert usual_names("0.0.0.0")[:3] == ["localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, "/home/ada/.local/state/manyfest"),
        ({"XDG_STATE_HOME": "/state"}, "/state/manyfest"),
        ({"XDG_STATE_HOME": "state"}, "/home/ada/.local/state/manyfest"),
        ({"XDG_STATE_HOME": "/state", "MANYFEST_STATE_DIR": "/own"}, "/own"),
    ],
)
def test_where_it_is_kept(environ: dict[str, str], folder: str) -> None:
    assert state_folder(environ, Path("/home/ada")) == Path(folder)
