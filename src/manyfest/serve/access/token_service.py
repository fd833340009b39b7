"""``/token``: the token service (Docker Registry v2 authentication, "Token Authentication
Specification"; by POST, "OAuth2")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from manyfest.oci.reference import is_repository
from manyfest.serve.access.gate import Gate
from manyfest.serve.access.passwords import Login
from manyfest.serve.access.rights import NOBODY
from manyfest.serve.access.tokens import LIFETIME, Grant
from manyfest.serve.access.visitor import ACTIONS, Known
from manyfest.serve.asgi import Response
from manyfest.serve.call import Call, Handler
from manyfest.serve.errors import Refusal

_MOST_SCOPES = 32
_LARGEST_FORM = 16 * 1024

_FRESH = {"Cache-Control": "no-store", "Content-Type": "application/json"}


def handlers(gate: Gate) -> dict[str, Handler]:
    """The endpoint, by methods."""

    async def by_get(call: Call) -> Response:
        """A token for who sent the request, or for nobody."""
        visitor = await gate.identify(call.request, call.route)
        return _answer(gate, visitor, call.request.values("scope"))

    async def by_post(call: Call) -> Response:
        """The same, with user name and password in a form."""
        form = _form(await call.request.body(_LARGEST_FORM, "a form"))
        if form.get("grant_type") != "password":
            return _unsupported()
        login = Login(form.get("username", ""), form.get("password", "").encode())
        visitor = await gate.by_password(call.request, call.route, login)
        return _answer(gate, visitor, [form.get("scope", "")])

    return {"GET": by_get, "HEAD": by_get, "POST": by_post}


def granted(visitor: Known, scopes: Iterable[str]) -> tuple[Grant, ...]:
    """What of the scopes that are asked for the visitor has a right to. What is no scope of a
    registry's, or names what can be no repository, grants nothing."""
    found = (_grant(visitor, scope) for each in scopes for scope in each.split())
    return tuple(grant for grant in found if grant is not None)


def _grant(visitor: Known, scope: str) -> Grant | None:
    kind, _, rest = scope.partition(":")
    name, _, asked = rest.rpartition(":")
    if scope == "registry:catalog:*":
        return Grant("registry", "catalog", ("*",))
    if kind != "repository" or not is_repository(name):
        return None
    wanted = set(asked.split(","))
    actions = tuple(
        action
        for right, action in ACTIONS.items()
        if wanted & {action, "*"} and visitor.has(right, name)
    )
    return Grant("repository", name, actions) if actions else None


def _answer(gate: Gate, visitor: Known, scopes: Sequence[str]) -> Response:
    if sum(len(each.split()) for each in scopes) > _MOST_SCOPES:
        raise Refusal("UNSUPPORTED", f"ask for {_MOST_SCOPES} scopes at most", status=400)
    user = gate.users.get(visitor.name) if visitor.name != NOBODY else None
    token, claims = gate.tokens.issue(
        visitor.name, user.stamp if user else "", granted(visitor, scopes)
    )
    issued = datetime.fromtimestamp(claims.iat, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "token": token,
        "access_token": token,
        "expires_in": LIFETIME,
        "issued_at": issued,
    }
    return Response.json(document, _FRESH)


def _form(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("ascii"), max_num_fields=_MOST_SCOPES))
    except ValueError:
        raise Refusal("UNSUPPORTED", "this is not a form", status=400) from None


def _unsupported() -> Response:
    """RFC 6749, section 5.2."""
    return Response(400, _FRESH, b'{"error":"unsupported_grant_type"}')
