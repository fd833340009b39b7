"""The gate: every request comes through it before anything is done for it.

It asks who sends the request, whether that one has the right that the endpoint needs in the
repository that is named, and says otherwise how to log in. Whether there is such a repository is
looked at afterwards, so that who may not read it learns nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from manyfest.oci.reference import is_repository
from manyfest.serve.access.htpasswd import User
from manyfest.serve.access.live_file import LiveFile
from manyfest.serve.access.passwords import Login, Passwords, parse_basic
from manyfest.serve.access.places import Places
from manyfest.serve.access.rights import NOBODY, Access, Right
from manyfest.serve.access.tokens import Claims, Tokens
from manyfest.serve.access.visitor import ACTIONS, Known
from manyfest.serve.asgi import Request
from manyfest.serve.errors import Refusal
from manyfest.serve.routes import Endpoint, Route

Challenge = Literal["token", "basic"]
"""How clients are asked to log in. What they bring is taken either way."""

SERVICE = "manyfest"
"""What the token service calls this registry."""

_BASIC = 'Basic realm="manyfest", charset="UTF-8"'
_PAGES = frozenset[Endpoint]({"overview", "page"})
_LISTS = frozenset[Endpoint]({"overview", "catalog"})
_TOO_LITTLE = "insufficient_scope"


class Gate:
    """Lets requests through, as what they are."""

    def __init__(
        self,
        users: LiveFile[dict[str, User]],
        access: Access | LiveFile[Access],
        *,
        challenge: Challenge = "token",
        places: Places | None = None,
    ) -> None:
        self.tokens = Tokens()
        self.places = places or Places()
        self._users = users
        self._access = access
        self._challenge = challenge
        self._passwords = Passwords(lambda: users.value)

    @property
    def access(self) -> Access:
        """Who may do what, now."""
        return self._access.value if isinstance(self._access, LiveFile) else self._access

    @property
    def users(self) -> Mapping[str, User]:
        """All users, now."""
        return self._users.value

    def refresh(self) -> None:
        """Read again what has changed."""
        self._users.refresh()
        if isinstance(self._access, LiveFile):
            self._access.refresh()

    def close(self) -> None:
        """End what was begun."""
        self._passwords.close()

    async def admit(self, request: Request, route: Route, other_name: str = "") -> Known:
        """Who sends this. If the repository has an ``other_name``, the right must be had under that
        too. Raises :class:`~manyfest.serve.errors.Refusal`: 401 if logging in may help, 403 if it
        did not, 429."""
        visitor = await self.identify(request, route)
        if route.endpoint == "version":
            if visitor.name == NOBODY and visitor.claims is None:
                raise self.ask(request, route, "log in, or ask for a token as nobody")
        elif route.endpoint in _LISTS:
            self._admit_to_list(visitor, request, route)
        elif route.endpoint != "token":
            self._admit_to_repository(visitor, request, route)
            if other_name and not visitor.has(
                right_for(route.endpoint, request.method), other_name
            ):
                raise self._refusal(visitor, request, route, other_name)
        return visitor

    def _admit_to_list(self, visitor: Known, request: Request, route: Route) -> None:
        """What is not to be seen is left out of the list: that there is one is no secret. Clients
        log in when they are asked only, and people when they want to."""
        if visitor.claims is not None:
            if not visitor.claims.grants("registry", "catalog", "*"):
                raise self.ask(request, route, "the token is not for the catalogue", _TOO_LITTLE)
        elif visitor.name == NOBODY:
            by_token = route.endpoint == "catalog" and self._challenge == "token"
            if by_token or not self.access.is_open or "login" in request.query():
                raise self.ask(request, route, "log in to see what there is")

    def _admit_to_repository(self, visitor: Known, request: Request, route: Route) -> None:
        right = right_for(route.endpoint, request.method)
        if not visitor.may(right, route.name):
            raise self._refusal(visitor, request, route, route.name)
        source = _mounted_from(request, route)
        if source and visitor.has("read", source) and not visitor.may("read", source):
            raise self.ask(request, route, f"the token is not for {source}", _TOO_LITTLE)

    async def identify(self, request: Request, route: Route) -> Known:
        """Who sends this, whatever it is that is asked for; the request bears the name from then
        on. Raises as :meth:`admit` does."""
        header = request.header("authorization")
        if not header:
            return Known(NOBODY, self.access)
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            return await self.by_password(request, route, parse_basic(value))
        claims = self._claims(value.strip()) if scheme.lower() == "bearer" else None
        if claims is None or route.endpoint == "token":
            raise self.ask(request, route, "this token does not count, or no more", "invalid_token")
        request.user = claims.sub
        return Known(claims.sub, self.access, claims)

    async def by_password(self, request: Request, route: Route, login: Login | None) -> Known:
        """The user whose password this is. Raises as :meth:`admit` does."""
        client = self.places.client(request)
        user = await self._passwords.user(login, client) if login is not None else None
        if user is None:
            raise self.ask(request, route, "the user name or the password is wrong")
        request.user = user.name
        return Known(user.name, self.access)

    def ask(self, request: Request, route: Route, what: str, fault: str = "") -> Refusal:
        """The answer to who should log in, in the way that is meant for what was asked."""
        if self._challenge == "basic" or route.endpoint in _PAGES or route.endpoint == "token":
            field = _BASIC
        else:
            field = f'Bearer realm="{self.places.url(request)}/token",service="{SERVICE}"'
            scope = _scope(route, request)
            field += f',scope="{scope}"' if scope else ""
            field += f',error="{fault}"' if fault else ""
        return Refusal("UNAUTHORIZED", what, headers={"WWW-Authenticate": field})

    def _claims(self, token: str) -> Claims | None:
        """What a token says, as long as its user is one and has the same password."""
        claims = self.tokens.read(token)
        if claims is None or claims.sub == NOBODY:
            return claims
        user = self.users.get(claims.sub)
        return claims if user is not None and user.stamp == claims.stamp else None

    def _refusal(self, visitor: Known, request: Request, route: Route, name: str) -> Refusal:
        """Another token may help, or logging in; or nothing does."""
        right = right_for(route.endpoint, request.method)
        doing = f"{right} {name}"
        if visitor.name == NOBODY:
            fault = _TOO_LITTLE if visitor.claims else ""
            return self.ask(request, route, f"log in to {doing}", fault)
        if visitor.claims is not None and visitor.has(right, name):
            return self.ask(request, route, f"the token is not for this: {doing}", _TOO_LITTLE)
        return Refusal("DENIED", f"{visitor.name} may not {doing}")


def right_for(endpoint: Endpoint, method: str) -> Right:
    """The right that it takes to do so in a repository. Giving up an upload is part of pushing."""
    if method in ("GET", "HEAD") and endpoint != "upload":
        return "read"
    return "delete" if method == "DELETE" and endpoint != "upload" else "write"


def _scope(route: Route, request: Request) -> str:
    """What a token should be for, so that it is enough for this request."""
    if route.endpoint == "catalog":
        return "registry:catalog:*"
    if not route.name:
        return ""
    right = right_for(route.endpoint, request.method)
    actions = "pull,push" if right == "write" else ACTIONS[right]
    source = _mounted_from(request, route)
    return f"repository:{route.name}:{actions}" + (f" repository:{source}:pull" if source else "")


def _mounted_from(request: Request, route: Route) -> str:
    """The other repository that a blob is to be had from; empty if there is none."""
    if route.endpoint != "uploads":
        return ""
    query = request.query()
    source = query.get("from", "") if "mount" in query else ""
    return source if is_repository(source) and source != route.name else ""
