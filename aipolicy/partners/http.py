"""The HTTP interface for partners: the feed, the check of hosts, and answers to removal requests.

Mount the routes in any Starlette application. Every request needs a partner's bearer token; every error is a
problem document (RFC 9457). What a partner sends is bounded in bytes and lines, and it sees only what is its
own. An answer carries ``Content-Digest`` (RFC 9530), and the registry records what each partner read.
"""

import base64
import functools
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.errors import CursorError, PartnerError, RegistryError, UnknownRemovalError
from aipolicy.partners.feed import MAX_EVENTS, Feed
from aipolicy.partners.ledger import Partner, Partners
from aipolicy.partners.removals import Removals
from aipolicy.registry import Registry

MAX_BODY_BYTES = 2_000_000
MAX_HOSTS = 10_000
MAX_WAIT = 30.0
"""Seconds that a request for an empty page may wait for an event."""

_BODY_SECONDS = 30.0
_LOOK = 0.25  # seconds between two looks for an event
_FAILURES, _FORGIVEN_SECONDS = 10, 60.0  # wrong tokens of one address, and when they are forgotten
_ADDRESSES = 4096
_ANSWER = {
    "obligation",
    "outcome",
    "reason",
    "dataset_version",
    "reference",
    "expected_completion",
}
_LINES = "application/x-ndjson"

Handler = Callable[["_Service", Request, Partner], Awaitable[Response]]


class _ProblemError(Exception):
    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers


def routes(registry: Registry) -> list[Route]:
    """Return the routes, below ``/partners``.

    Raises:
        RegistryError: The partner tables can't be created.
    """
    service = _Service(Partners(registry))
    return [
        Route("/partners/feed", service.endpoint(_feed), methods=["GET"]),
        Route("/partners/check", service.endpoint(_check), methods=["POST"]),
        Route("/partners/removals", service.endpoint(_list_removals), methods=["GET"]),
        Route("/partners/removals", service.endpoint(_answer_many), methods=["POST"]),
        Route("/partners/removals/{id}", service.endpoint(_answer), methods=["POST"]),
    ]


class _Service:
    """The state of the handlers: the partners, and the addresses that sent wrong tokens."""

    def __init__(self, partners: Partners) -> None:
        self.partners = partners
        self.feed, self.removals = Feed(partners), Removals(partners)
        self._failures: BoundedCache[str, tuple[int, float]] = BoundedCache(_ADDRESSES)

    def endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that authenticates the partner and turns errors into problem documents."""

        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            try:
                return await handler(self, request, await self._authenticate(request))
            except _ProblemError as problem:
                return _problem(problem)
            except CursorError as error:
                return _problem(_ProblemError(409, "The cursor is no longer valid", str(error)))
            except UnknownRemovalError as error:
                return _problem(_ProblemError(404, "Unknown removal request", str(error)))
            except PartnerError as error:
                return _problem(_ProblemError(422, "Invalid request", str(error)))
            except RegistryError:
                again = {"Retry-After": "5"}
                detail = "the registry can't be read or written now; send the request again"
                return _problem(_ProblemError(503, "Temporarily unavailable", detail, again))

        return answer

    async def _authenticate(self, request: Request) -> Partner:
        address = request.client.host if request.client else ""
        count, since = self._failures.get(address, (0, 0.0))
        if count >= _FAILURES and time.monotonic() - since < _FORGIVEN_SECONDS:
            detail = "too many requests with a wrong token came from this address; try again in a minute"
            raise _ProblemError(429, "Too many failures", detail, {"Retry-After": "60"})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = None
        if scheme.lower() == "bearer" and token:
            found = await to_thread.run_sync(self.partners.authenticate, token.strip())
        if found is None:
            again = time.monotonic() - since < _FORGIVEN_SECONDS
            self._failures.keep(address, (count + 1, since) if again else (1, time.monotonic()))
            detail = "send the token that the platform gave you: Authorization: Bearer TOKEN"
            raise _ProblemError(401, "No valid token", detail, {"WWW-Authenticate": "Bearer"})
        return found


async def _feed(service: _Service, request: Request, partner: Partner) -> Response:
    cursor = request.query_params.get("after")
    limit = int(_number(request, "limit", 1000, least=1, most=MAX_EVENTS))
    deadline = time.monotonic() + _number(request, "wait", 0, least=0, most=MAX_WAIT)
    while True:
        page = await to_thread.run_sync(service.feed.page, partner, cursor, limit)
        if page.lines or time.monotonic() >= deadline:
            break
        cursor = page.cursor  # what was examined isn't examined again
        await anyio.sleep(_LOOK)
    body = page.body
    digest = hashlib.sha256(body).hexdigest()
    if page.upto > page.after:
        record = functools.partial(
            service.partners.record_read,
            partner,
            kind="feed",
            after=page.after,
            upto=page.upto,
            events=len(page.lines),
            digest=digest,
        )
        await to_thread.run_sync(record)
    following = request.url.include_query_params(after=page.cursor)
    return _answered(body, _LINES, {"Link": f'<{following}>; rel="next"', "ETag": f'"{digest}"'})


async def _check(service: _Service, request: Request, partner: Partner) -> Response:
    hosts = [_host(line, number) for number, line in enumerate(await _lines(request), 1)]
    if len(hosts) > MAX_HOSTS:
        raise _ProblemError(413, "Too many hosts", f"send at most {MAX_HOSTS} hosts in one request")
    seq, found = await to_thread.run_sync(
        lambda: (service.partners.registry.seq, list(service.feed.check(partner, hosts)))
    )
    body = b"".join(_line(each) for each in found)
    record = functools.partial(
        service.partners.record_read,
        partner,
        kind="check",
        after=None,
        upto=seq,
        events=len(found),
        digest=hashlib.sha256(body).hexdigest(),
    )
    await to_thread.run_sync(record)
    return _answered(body, _LINES)


async def _list_removals(service: _Service, request: Request, partner: Partner) -> Response:
    state = request.query_params.get("state")
    find = functools.partial(service.removals.find, partner_name=partner.name, state=state)
    found = await to_thread.run_sync(find)
    now = service.partners.clock()
    body = b"".join(_line(each.to_dict(now)) for each in found)
    return _answered(body, _LINES)


async def _answer(service: _Service, request: Request, partner: Partner) -> Response:
    stated = _object(await _body(request), "the body")
    found = await to_thread.run_sync(_record, service, partner, request.path_params["id"], stated)
    return _answered(_line(found), "application/json")


async def _answer_many(service: _Service, request: Request, partner: Partner) -> Response:
    """Record each line's answer. A line that is invalid has its problem in the same line of the response."""

    def record_all(lines: list[bytes]) -> list[bytes]:
        results = []
        for number, line in enumerate(lines, 1):
            try:
                stated = _object(line, f"line {number}")
                id_ = stated.pop("id", "")
                results.append(_line(_record(service, partner, str(id_), stated)))
            except (PartnerError, _ProblemError) as error:
                results.append(_line({"line": number, "problem": str(error)}))
        return results

    results = await to_thread.run_sync(record_all, await _lines(request))
    return _answered(b"".join(results), _LINES)


def _record(service: _Service, partner: Partner, removal_id: str, stated: dict[str, Any]) -> dict[str, Any]:
    if unknown := stated.keys() - _ANSWER:
        name = sorted(unknown)[0]
        raise PartnerError(f"{name[:80]!r} is unknown: use {', '.join(sorted(_ANSWER))}")
    for name, value in stated.items():
        if value is not None and not isinstance(value, str):
            raise PartnerError(f"{name} must be text")
    expected = stated.get("expected_completion") or ""
    try:
        day = date.fromisoformat(expected) if expected else None
    except ValueError:
        fix = "use a day like 2026-10-01"
        raise PartnerError(f"expected_completion {expected[:80]!r} is invalid: {fix}") from None
    removal = service.removals.answer(
        removal_id,
        obligation=stated.get("obligation") or "",
        outcome=stated.get("outcome") or "",
        reason=stated.get("reason"),
        dataset_version=stated.get("dataset_version"),
        reference=stated.get("reference"),
        expected_completion=day,
        by=partner.name,
        partner_name=partner.name,
    )
    return removal.to_dict(service.partners.clock())


def _number(request: Request, name: str, default: float, *, least: float, most: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not least <= value <= most:
        raise _ProblemError(400, "Invalid parameter", f"{name} is {text[:80]!r}; use {least:g} to {most:g}")
    return value


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        with anyio.fail_after(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    detail = f"send at most {MAX_BODY_BYTES} bytes in one request"
                    raise _ProblemError(413, "The body is too large", detail)
                parts.append(part)
    except TimeoutError:
        detail = f"the body didn't arrive within {_BODY_SECONDS:g} seconds"
        raise _ProblemError(408, "The body is too slow", detail) from None
    except ClientDisconnect:
        raise _ProblemError(400, "The body is incomplete", "the connection ended before the body") from None
    return b"".join(parts)


async def _lines(request: Request) -> list[bytes]:
    return [line for line in (await _body(request)).split(b"\n") if line.strip(b" \t\r")]


def _host(line: bytes, number: int) -> str:
    try:
        value = json.loads(line)
        host = value["host"] if isinstance(value, dict) else value
    except (ValueError, KeyError, RecursionError):
        host = None
    if not isinstance(host, str):
        detail = f'line {number} has no host; write {{"host": "blog.example"}}'
        raise _ProblemError(400, "Invalid line", detail)
    return host


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _ProblemError(400, "Invalid JSON", f"{where} is no JSON object")
    return value


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _answered(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    every = {"Content-Digest": f"sha-256=:{digest}:", "Cache-Control": "no-store"}
    return Response(body, media_type=media_type, headers={**every, **(headers or {})})


def _problem(problem: _ProblemError) -> Response:
    document = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    return Response(
        _line(document),
        problem.status,
        {"Cache-Control": "no-store", **(problem.headers or {})},
        "application/problem+json",
    )
