"""Responses to refused crawlers: problem documents (RFC 9457)."""

import json
from collections.abc import Mapping

from aipolicy.serving.disallowed_fetches import DisallowedFetch
from aipolicy.serving.exchange import Response
from aipolicy.signals.header_field import Header

# RFC 9421 §5 asks for a signature that covers the fields of draft-ietf-webbotauth-httpsig-protocol-01 §5.2.
_ACCEPT_SIGNATURE: Header = (
    b"accept-signature",
    b'sig1=("@authority" "@method" "@path" "signature-agent";key="sig1");created;expires;tag="web-bot-auth"',
)


def closed(fetch: DisallowedFetch) -> Response:
    """Return the 403 for a crawler to which the policy closes the path."""
    token = fetch.crawler.product_token
    detail = f"This site's AI policy does not let {token} fetch this. /robots.txt says what it may fetch."
    return _problem(403, "Forbidden", fetch, {"detail": detail})


def unverified(fetch: DisallowedFetch, methods: Mapping[str, object]) -> Response:
    """Return the 403 for a client that isn't the licensed crawler that it claims to be.

    Args:
        fetch: The request, with the result of the verification.
        methods: The methods by which the crawler can be verified.
    """
    token = fetch.crawler.product_token
    methods_hint = " verify_by has the methods of verification." if methods else ""
    detail = (
        f"This site's AI policy lets {token} fetch this, but only after verification. This client could not "
        f"be verified as {token}: {fetch.reason}.{methods_hint} /robots.txt says what others may fetch."
    )
    headers = [_ACCEPT_SIGNATURE] if "web_bot_auth" in methods else []
    more = {"detail": detail, "identity": str(fetch.identity), "verify_by": dict(methods)}
    return _problem(403, "Forbidden", fetch, more, headers)


def undecided(fetch: DisallowedFetch, seconds: int) -> Response:
    """Return the 503 for a client that isn't verified yet; it may retry after ``seconds``."""
    token = fetch.crawler.product_token
    detail = (
        f"This site's AI policy lets {token} fetch this, but only after verification. This client is not "
        f"verified as {token} yet: {fetch.reason}. Retry later."
    )
    retry = [(b"retry-after", b"%d" % seconds)]
    return _problem(503, "Service Unavailable", fetch, {"detail": detail}, retry)


def _problem(
    status: int,
    title: str,
    fetch: DisallowedFetch,
    more: Mapping[str, object],
    headers: list[Header] | None = None,
) -> Response:
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
    common = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),  # a shared cache would give it to the site's readers
        (b"vary", b"user-agent"),
    ]
    return Response(status, [*common, *(headers or [])], body)
