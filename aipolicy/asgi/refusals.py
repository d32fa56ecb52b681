"""The answers to crawlers that are refused: problem documents (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import Scope, Send

from aipolicy.asgi.events import DisallowedFetch
from aipolicy.signals.header_field import Header

# RFC 9421 §5 asks for a signature, with what draft-ietf-webbotauth-httpsig-protocol-01 §5.2 has it cover.
_ASKING: Header = (
    b"accept-signature",
    b'sig1=("@authority" "@method" "@path" "signature-agent";key="sig1");created;expires;tag="web-bot-auth"',
)


class Refusal(NamedTuple):
    """A whole response."""

    status: int
    headers: list[Header]
    body: bytes


def closed(fetch: DisallowedFetch) -> Refusal:
    """403 for a crawler that the policy closes the path to: why, and where the policy is."""
    token = fetch.crawler.product_token
    detail = f"This site's AI policy does not let {token} fetch this. /robots.txt says what it may."
    return _problem(403, "Forbidden", fetch, {"detail": detail})


def unproven(fetch: DisallowedFetch, ways: Mapping[str, object]) -> Refusal:
    """403 for a client that is not the licensed crawler that it claims to be: why, and how that is shown."""
    token = fetch.crawler.product_token
    how = " verify_by says how it can be." if ways else ""
    detail = (
        f"This site's AI policy lets {token} fetch this, and nobody else who says so. That this client is "
        f"{token} could not be verified: {fetch.reason}.{how} /robots.txt says what others may."
    )
    asking = [_ASKING] if "web_bot_auth" in ways else []
    more = {"detail": detail, "identity": str(fetch.identity), "verify_by": dict(ways)}
    return _problem(403, "Forbidden", fetch, more, asking)


def undecided(fetch: DisallowedFetch, seconds: int) -> Refusal:
    """503 for one of which it isn't known yet: it may come again after so many seconds."""
    token = fetch.crawler.product_token
    detail = (
        f"This site's AI policy lets {token} fetch this. Whether this client is {token} is not known yet: "
        f"{fetch.reason}."
    )
    later = [(b"retry-after", b"%d" % seconds)]
    return _problem(503, "Service Unavailable", fetch, {"detail": detail}, later)


async def refuse_handshake(send: Send, status: int, headers: list[Header], body: bytes, scope: Scope) -> None:
    """Refuse the handshake of a WebSocket, with a whole response where the server can send one."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        return await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    return await send({"type": "websocket.http.response.body", "body": body})


def _problem(
    status: int,
    title: str,
    fetch: DisallowedFetch,
    more: Mapping[str, object],
    headers: list[Header] | None = None,
) -> Refusal:
    """Never to be stored: a shared cache would give it to the site's readers."""
    policy = fetch.policy
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        **more,
        "crawler": fetch.crawler.product_token,
        "policy": {"preferences": str(policy.effective), "visibility": str(policy.visibility)},
        "robots_txt": "/robots.txt",
    }
    body = json.dumps(problem).encode("ascii")
    own = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"user-agent"),
    ]
    return Refusal(status, [*own, *(headers or [])], body)
