"""Authentication as a generator of requests, and the transport that runs it.

A registry says what it wants with a 401 (:mod:`.challenge`). For Bearer, a token is got from the
service that it names (:mod:`.token_requests`) and kept for all requests that it allows
(:mod:`.tokens`). Credentials go to the registry that they are for, and to its token service; to
another host, where an answer leads, none are sent.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from msgspec.structs import replace

from manyfest.errors import AccessDenied, ManyfestError, RateLimited, RegistryError
from manyfest.stores.registry.auth.credentials import Credentials, NoCredentials
from manyfest.stores.registry.auth.secret import Credential, Secret
from manyfest.stores.registry.auth.token_requests import (
    TokenService,
    basic_authorization,
    check_realm,
    token_by_get,
    token_by_post,
)
from manyfest.stores.registry.auth.tokens import (
    MOST_RESOURCES,
    Token,
    TokenCache,
    grants_of,
    merge_scopes,
    parse_token,
)
from manyfest.stores.registry.http import (
    Origin,
    Request,
    Response,
    Transport,
    place_of_answer,
)

if TYPE_CHECKING:
    from manyfest.stores.registry.auth.challenge import Challenge

_LARGEST_TOKEN_ANSWER = 256 * 1024
_DOCKER_HUB_API = "registry-1.docker.io"

AuthFlow = Generator[Request, Response, None]


class Authenticator:
    """What is known of registries' authentication: tokens, credentials, and who wants Basic.

    Nothing here sends anything; many threads may use it at once.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        plain_http: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``plain_http`` are the hosts, ``HOST[:PORT]``, that the user allows http to."""
        self._credentials = credentials or NoCredentials()
        self._plain_http = plain_http
        self._clock = clock
        self._tokens = TokenCache()
        self._basic: dict[tuple[Origin, str], Secret] = {}
        self._flights: WeakValueDictionary[tuple[Origin, tuple[str, ...]], threading.Lock] = (
            WeakValueDictionary()
        )
        self._flights_lock = threading.Lock()

    def flow(self, request: Request) -> AuthFlow:
        """The requests to send for ``request``, one after the other; the answer to the last one is
        the answer to ``request``, be it another 401.

        Whoever runs the flow sends in each answer and leaves closing it to the flow, but for the
        last. Raises :class:`AccessDenied` if the token service refuses, or the registry a password,
        :class:`RegistryError` if the registry's challenge breaks the rules, and
        :class:`~manyfest.errors.ConfigError` from the credentials.
        """
        # Where an answer led, as an upload's Location does, may be another registry: that a user
        # is known there is no reason to act in his name (CVE-2026-50151).
        if "Authorization" in request.headers or request.places is not None:
            yield request
            return
        used = self._known(request)
        response = yield _authorized(request, used)
        # A 401 from where a redirect led is not the registry's, and gets no answer.
        if response.status != 401 or Origin.of(response.url) != request.origin:
            return
        challenge = _best_challenge(response)
        if challenge is None:
            return
        authorization: Secret | None
        if challenge.scheme == "bearer":
            # It may be the same as before; the request goes out again all the same, as the answer
            # to the last one is the answer.
            authorization = yield from self._bearer(request, response, challenge, used)
        else:
            authorization = self._basic_authorization(request)
            if authorization is None:
                return
            if authorization == used:
                raise _not_accepted(self._credential(request), request)
        response.close()
        response = yield _authorized(request, authorization)
        if response.status == 401 and challenge.scheme == "basic":
            raise _not_accepted(self._credential(request), request)

    def _known(self, request: Request) -> Secret | None:
        """What was good enough for the same before, so that no 401 is needed."""
        token = self._tokens.find(request.origin, request.scopes, now=self._clock())
        if token is not None:
            return _bearer_of(token.value)
        return self._basic.get(_key(request)) if self._basic else None

    def _basic_authorization(self, request: Request) -> Secret | None:
        credential = self._credential(request)
        if credential is None or not credential.username:
            return None
        authorization = Secret(basic_authorization(credential))
        if len(self._basic) >= MOST_RESOURCES:
            self._basic.clear()
        self._basic[_key(request)] = authorization
        return authorization

    def _bearer(
        self, request: Request, response: Response, challenge: Challenge, used: Secret | None
    ) -> Generator[Request, Response, Secret]:
        """A token for what the request and the challenge name. Of many threads that want the same
        one, the first gets it, and the others wait for it."""
        registry = request.origin
        asked = challenge.parameters.get("scope", "").split()
        scopes = merge_scopes((*request.scopes, *asked))
        service = check_realm(
            challenge.parameters.get("realm", ""),
            challenge.parameters.get("service", ""),
            registry=registry,
            place=place_of_answer(response),
            plain_http=self._plain_http,
        )
        response.close()
        with self._flight(registry, scopes):
            token = self._tokens.find(registry, scopes, now=self._clock())
            if token is not None and _bearer_of(token.value) == used:
                self._tokens.drop(registry, token.value)
                token = None
            if token is None:
                token = yield from self._new_token(request, service, scopes)
                self._tokens.add(registry, token, now=self._clock())
        return _bearer_of(token.value)

    def _new_token(
        self, request: Request, service: TokenService, scopes: tuple[str, ...]
    ) -> Generator[Request, Response, Token]:
        credential = self._credential(request)
        if credential is not None and credential.registry_token:
            return Token(credential.registry_token, grants_of(scopes), math.inf)
        asked_at = self._clock()
        body = yield from _fetch(service, scopes, credential, request)
        return parse_token(body, scopes, now=asked_at, where=service_name(service))

    def _flight(self, registry: Origin, scopes: tuple[str, ...]) -> threading.Lock:
        with self._flights_lock:
            return self._flights.setdefault((registry, scopes), threading.Lock())

    def _credential(self, request: Request) -> Credential | None:
        return self._credentials.find(registry_name(request.origin), repository_of(request))


class AuthTransport:
    """Sends requests with the authentication that they turn out to need."""

    def __init__(self, inner: Transport, authenticator: Authenticator) -> None:
        self._inner = inner
        self._authenticator = authenticator

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport` and :meth:`Authenticator.flow`."""
        flow = self._authenticator.flow(request)
        try:
            outgoing = next(flow)
            while True:
                response = self._inner.send(outgoing)
                try:
                    outgoing = flow.send(response)
                except StopIteration:
                    return response
                except BaseException:
                    response.close()
                    raise
        finally:
            flow.close()

    def close(self) -> None:
        self._inner.close()


def registry_name(origin: Origin) -> str:
    """The host as the user knows it, and as credentials are kept under."""
    return "docker.io" if origin.host == _DOCKER_HUB_API else str(origin)


def repository_of(request: Request) -> str:
    """The repository that the first scope is for; the empty string if it names none."""
    parts = request.scopes[0].split(":") if request.scopes else []
    return ":".join(parts[1:-1]) if len(parts) > 2 and parts[0] == "repository" else ""


def _key(request: Request) -> tuple[Origin, str]:
    """Whom a credential is for: podman keeps some for single repositories."""
    return request.origin, repository_of(request)


def service_name(service: TokenService) -> str:
    """The host of a token service, for messages."""
    return str(Origin.of(service.realm))


def _fetch(
    service: TokenService,
    scopes: tuple[str, ...],
    credential: Credential | None,
    request: Request,
) -> Generator[Request, Response, bytes]:
    """The token service's answer: for an identity token by POST, and by GET where the service
    knows no POST; else by GET."""
    if credential is not None and credential.identity_token:
        response = yield token_by_post(service, scopes, credential)
        if response.status in (404, 405) and credential.username:
            response.close()
            response = yield token_by_get(service, scopes, credential)
    else:
        has_password = credential is not None and bool(credential.username)
        response = yield token_by_get(service, scopes, credential if has_password else None)
    if response.status != 200:
        response.close()
        raise _refusal(response.status, service, credential, request)
    return response.read_all(_LARGEST_TOKEN_ANSWER)


def _refusal(
    status: int, service: TokenService, credential: Credential | None, request: Request
) -> ManyfestError:
    host = registry_name(request.origin)
    where = "/".join(filter(None, (host, repository_of(request))))
    if status in (400, 401, 403):
        whose = (
            f"the credentials from {credential.source or 'the caller'}" if credential else "nobody"
        )
        return AccessDenied(
            f"{service_name(service)} gives no token for {_doing(request)} to {whose} ({status})",
            where=where,
            mend=f"log in with: manyfest login {host}",
            status=status,
        )
    if status == 429:
        return RateLimited(
            f"{service_name(service)} limits how often tokens are asked for",
            where=where,
            status=429,
        )
    return RegistryError(
        f"{service_name(service)}, where its tokens come from, answers {status}",
        where=where,
        status=status,
    )


def _not_accepted(credential: Credential | None, request: Request) -> AccessDenied:
    """What to say of a user name and password that the registry knew when it refused."""
    host = registry_name(request.origin)
    source = (credential.source if credential else "") or "the caller"
    return AccessDenied(
        f"the registry does not accept the credentials from {source} (401)",
        where="/".join(filter(None, (host, repository_of(request)))),
        mend=f"log in with: manyfest login {host}",
        status=401,
    )


def _doing(request: Request) -> str:
    actions = request.scopes[0].rpartition(":")[2].split(",") if request.scopes else []
    return "a push" if "push" in actions else "a deletion" if "delete" in actions else "a pull"


def _best_challenge(response: Response) -> Challenge | None:
    from manyfest.stores.registry.auth.challenge import parse_challenges

    challenges = parse_challenges(response.headers.get_all("WWW-Authenticate"))
    known = {challenge.scheme: challenge for challenge in reversed(challenges)}
    return known.get("bearer") or known.get("basic")


def _bearer_of(token: Secret) -> Secret:
    return Secret(f"Bearer {token.reveal()}")


def _authorized(request: Request, authorization: Secret | None) -> Request:
    if authorization is None:
        return request
    headers = request.headers.replaced("Authorization", authorization.reveal())
    return replace(request, headers=headers)
