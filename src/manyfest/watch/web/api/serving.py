"""From a request to an operation, and from what comes of it to an answer. Every path takes every
method: what it has no operation for is refused in the same form as all else."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from manyfest.errors import ManyfestError
from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.access import secrets
from manyfest.watch.access.accounts import Bearer
from manyfest.watch.web.admin.context import accounts_of, base_url, cookie_of, service_of
from manyfest.watch.web.api import reading
from manyfest.watch.web.api.operations import Call, Operation, fault_of
from manyfest.watch.web.api.replies import JSON, Fault, Reply, problem, response
from manyfest.watch.web.paths import anything

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

_IN_PATH = re.compile(r"\{image\}")


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="manyfest watch"'}


def routes(operations: Iterable[Operation]) -> list[Route]:
    """One route for each path, in the order of the operations."""
    paths: dict[str, list[Operation]] = {}
    for each in operations:
        paths.setdefault(each.path, []).append(each)
    return [
        Route(_IN_PATH.sub(anything("image"), path), Path(each)) for path, each in paths.items()
    ]


class Path:
    """Answers what is asked at one path."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = {each.method: each for each in operations}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        try:
            reply = await self._reply(request)
        except ManyfestError as error:
            reply = _refused(request, error)
        except Exception:
            logger.exception("%s %s failed", request.method[:20], request.url.path[:200])
            reply = problem(500, "the watch failed; its log says why")
        await _answer(request, reply)(scope, receive, send)

    async def _reply(self, request: Request) -> Reply:
        method = "GET" if request.method == "HEAD" else request.method
        operation = self._operations.get(method)  # type: ignore[call-overload]
        if operation is None:
            allowed = ", ".join(sorted({*self._operations, *_implied(self._operations)}))
            raise Fault(405, f"{method[:20]} is not possible here", headers={"Allow": allowed})
        query = reading.query(request.scope["query_string"], operation.query)
        bearer = await run_in_threadpool(_admitted, request, operation)
        body: object = None
        if operation.body is not None:
            body = reading.decoded(await reading.body(request, JSON), operation.body)
        call = Call(
            service=service_of(request),
            path={name: str(value) for name, value in request.path_params.items()},
            query=query,
            body=body,
            bearer=bearer,
            base=base_url(request),
            accept=request.headers.get("accept", ""),
        )
        return await run_in_threadpool(operation.run, call)


def _implied(methods: Iterable[str]) -> Iterable[str]:
    return ("HEAD",) if "GET" in methods else ()


def _admitted(request: Request, operation: Operation) -> Bearer | None:
    """Whoever asks, if that may be: raises :class:`Fault` 401 or 403 otherwise.

    A cookie is good for reading alone: what changes something takes a token, which no page of
    somebody else's can have sent along.
    """
    if operation.scope == "open":
        return None
    bearer = _bearer(request)
    if operation.scope == "write":
        if bearer is None:
            raise Fault(401, "this takes an API token that may write", headers=_CHALLENGE)
        if not bearer.may_write:
            raise Fault(403, "this token may only read")
        return bearer
    is_closed = operation.scope == "signed" or not service_of(request).config.public
    if is_closed and bearer is None and not _has_session(request):
        raise Fault(401, "this takes an API token, or to be signed in", headers=_CHALLENGE)
    return bearer


def _bearer(request: Request) -> Bearer | None:
    """Whose token came along; none came if there is no such field. Raises :class:`Fault` 401 for
    one that is nobody's: who shows a token means it."""
    authorization = request.headers.get("authorization", "")
    if not authorization:
        return None
    token = secrets.bearer(authorization)
    bearer = token and accounts_of(request).bearer(token)
    if not bearer:
        raise Fault(401, "this is nobody's token", headers=_CHALLENGE)
    return bearer


def _has_session(request: Request) -> bool:
    cookie: Secret | None = cookie_of(request)
    return cookie is not None and accounts_of(request).session(cookie) is not None


def _refused(request: Request, error: ManyfestError) -> Reply:
    fault = fault_of(error)
    if fault is not error:
        log = logger.error if fault.status >= 500 else logger.debug
        log("%s %s: %s", request.method[:20], request.url.path[:200], error)
    return problem(fault.status, str(fault), fault.headers)


def _answer(request: Request, reply: Reply) -> Response:
    answer = response(reply, request.method, request.headers.get("if-none-match", ""))
    if not service_of(request).config.public or "authorization" in request.headers:
        answer.headers["Cache-Control"] = "private, no-cache"
    return answer


class _Nothing:
    """Answers what is asked where nothing is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        reply = problem(404, "there is nothing at this path; /api/openapi.json says what there is")
        await _answer(request, reply)(scope, receive, send)


def nothing_else() -> Route:
    """What is left below ``/api/``."""
    return Route(f"/api/{anything('path')}", _Nothing())
