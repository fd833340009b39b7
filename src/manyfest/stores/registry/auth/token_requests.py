"""How a token is asked for, and whom it may be asked of. Pure.

The registry names its token service, the realm, and a dishonest one could name any address
(CVE-2026-33540, CVE-2026-48978): so the realm is checked, and the request for a token follows no
redirect.
"""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import Struct

from manyfest.errors import RegistryError
from manyfest.stores.registry.addresses import Place, place_of, realm_places
from manyfest.stores.registry.auth.secret import Credential
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Origin, Request, check_place

_CLIENT = "manyfest"


class TokenService(Struct, frozen=True, kw_only=True):
    """The realm that a registry named, after :func:`check_realm`."""

    realm: str
    service: str
    places: frozenset[Place] | None


def check_realm(
    realm: str, service: str, *, registry: Origin, place: Place, plain_http: frozenset[str]
) -> TokenService:
    """The token service, if credentials may go to it: over https, or over http if the registry is
    asked over http itself and the realm is on the same host, on loopback as the registry is, or
    the user allowed http to it (``plain_http``, as ``HOST[:PORT]``).

    The registry's own host is trusted wherever it lies; another one must lie where a registry at
    ``place`` may send to. Raises :class:`RegistryError` or :class:`ConnectionFailed`.
    """
    try:
        origin = Origin.of(realm)
    except RegistryError as error:
        raise RegistryError(f"its token service: {error}", where=str(registry)) from None
    is_own_host = origin.host == registry.host
    is_loopback = place is Place.LOOPBACK is place_of(origin.host)
    may_be_plain = registry.scheme == "http" and (
        is_own_host or is_loopback or str(origin) in plain_http
    )
    if origin.scheme == "http" and not may_be_plain:
        raise RegistryError(
            f"its token service {origin} uses plain http, where credentials could be read",
            where=str(registry),
            mend=f"only if you trust the network: --plain-http {registry} --plain-http {origin}",
        )
    places = None if is_own_host else realm_places(place)
    checked = TokenService(realm=realm.partition("#")[0], service=service, places=places)
    check_place(_request(checked, "GET", checked.realm, Headers()), origin.host)
    return checked


def token_by_get(
    service: TokenService, scopes: tuple[str, ...], credential: Credential | None
) -> Request:
    """Ask with name and password (or an identity token in its place), or as nobody."""
    fields = [("client_id", _CLIENT), ("service", service.service)]
    if credential is not None:
        fields.append(("account", credential.username))
    fields += [("scope", scope) for scope in scopes]
    query = urlencode([(name, value) for name, value in fields if value], safe=":/,")
    url = f"{service.realm}{'&' if '?' in service.realm else '?'}{query}"
    headers = Headers({"Authorization": basic_authorization(credential)} if credential else {})
    return _request(service, "GET", url, headers)


def token_by_post(
    service: TokenService, scopes: tuple[str, ...], credential: Credential
) -> Request:
    """Trade an identity token for an access token (OAuth 2, RFC 6749, section 6)."""
    form = {
        "grant_type": "refresh_token",
        "service": service.service,
        "client_id": _CLIENT,
        "scope": " ".join(scopes),
        "refresh_token": credential.identity_token.reveal(),
    }
    headers = Headers({"Content-Type": "application/x-www-form-urlencoded"})
    return _request(service, "POST", service.realm, headers, urlencode(form).encode())


def basic_authorization(credential: Credential) -> str:
    """RFC 7617. An identity token stands in for a password that is not there."""
    import base64

    secret = credential.password or credential.identity_token
    pair = f"{credential.username}:{secret.reveal()}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _request(
    service: TokenService, method: str, url: str, headers: Headers, body: bytes | None = None
) -> Request:
    """Others wait for the token, and wherever the service may lie, it may not send on."""
    return Request(
        method=method,
        url=url,
        headers=headers,
        body=body,
        follow=False,
        places=service.places,
        urgent=True,
    )
