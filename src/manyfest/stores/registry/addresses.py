"""What kind of place an address is: the internet, a private network, this machine.

A registry names other addresses, for tokens and for blobs, and a client that goes wherever it is
told can be sent where only it can reach: to services of its own machine, to the metadata service
of its cloud (CVE-2026-33540, CVE-2026-48978).
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


class Place(Enum):
    """Where an address lies, seen from here."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"


def place_of(address: str) -> Place | None:
    """The place of an IP address or of ``localhost``; ``None`` for any other name.

    What a name stands for is only known once the connection stands.
    """
    host = address.lower().rstrip(".").partition("%")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return Place.LOOPBACK
    try:
        found = ip_address(host)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or _behind_nat64(found) or found
    if found.is_link_local or found.is_multicast:
        return Place.LINK_LOCAL
    if found.is_loopback or found.is_unspecified:
        return Place.LOOPBACK
    return Place.PUBLIC if found.is_global else Place.PRIVATE


def redirect_places(registry: Place) -> frozenset[Place]:
    """Where a registry may send a download to.

    Private addresses are allowed even to a public registry, because registries of companies and
    private endpoints of object storage work like that; such a request carries no credentials, and
    what comes back must have the digest asked for. This machine and link-local addresses, where
    clouds keep their metadata service, are allowed only to a registry that lies there itself.
    """
    return frozenset({Place.PUBLIC, Place.PRIVATE, registry})


def realm_places(registry: Place) -> frozenset[Place]:
    """Where a registry may send for tokens, a request that carries credentials.

    A public registry's tokens come from a public address; a private one may use either.
    """
    return frozenset({Place.PUBLIC} if registry is Place.PUBLIC else redirect_places(registry))


def _behind_nat64(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that ``64:ff9b::/96`` leads to (RFC 6052)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
