"""Crawlers that the policy closes a path to: reported, or refused with 403, as they declare themselves.

Off unless asked for: robots.txt and headers ask, this answers. Never for robots.txt or a well-known file,
where a crawler reads what is asked of it.
"""

import json

from starlette.types import Scope

from aipolicy.asgi.events import DisallowedFetch, Hook, Reporter
from aipolicy.core.crawlers import Crawler
from aipolicy.core.headers import Header
from aipolicy.core.memo import Memo
from aipolicy.core.recognition import LONGEST_USER_AGENT, declared_crawlers
from aipolicy.core.render import Rendering

MODES = ("off", "monitor", "declared")

_REMEMBERED = 8192  # User-Agents
_LONGEST_REMEMBERED = 512  # octets


class Enforcer:
    """Recognises crawlers, reports their disallowed fetches, and refuses them in the mode ``declared``."""

    def __init__(self, mode: str, on_event: Hook | None) -> None:
        self._refuses = mode == "declared"
        self._reporter = None if on_event is None else Reporter(on_event)
        self._memo: Memo[bytes, tuple[Crawler, ...]] = Memo(_REMEMBERED)

    def declared(self, scope: Scope) -> tuple[bytes, tuple[Crawler, ...]]:
        """The User-Agent of a request, and the crawlers it declares: nearly always none, and quickly."""
        user_agent = b""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value
                break
        crawlers = self._memo.get(user_agent)
        return user_agent, self._recognised(user_agent) if crawlers is None else crawlers

    def disallowed(
        self, scope: Scope, *, rendering: Rendering, host: bytes, target: str
    ) -> DisallowedFetch | None:
        """The disallowed fetch that a request is, or None."""
        user_agent, crawlers = self.declared(scope)
        crawler = next((c for c in crawlers if rendering.closed_to(c, target)), None)
        if crawler is None:
            return None
        return DisallowedFetch(
            crawler=crawler,
            policy=rendering.policy,
            host=host[:256].decode("latin-1"),
            method=scope["method"],
            path=target[:2048],
            user_agent=user_agent[:512].decode("latin-1"),
            refused=self._refuses,
        )

    def _recognised(self, user_agent: bytes) -> tuple[Crawler, ...]:
        crawlers = declared_crawlers(user_agent[:LONGEST_USER_AGENT].decode("latin-1"))
        if len(user_agent) <= _LONGEST_REMEMBERED:
            self._memo.keep(user_agent, crawlers)
        return crawlers

    def report(self, fetch: DisallowedFetch) -> None:
        """Tell the hook, if there is one."""
        if self._reporter is not None:
            self._reporter.report(fetch)


def refusal(fetch: DisallowedFetch) -> tuple[list[Header], bytes]:
    """Headers and body of the 403: a problem document (RFC 9457) that says why, and where the policy is.

    Never to be stored: a shared cache would give it to the site's readers.
    """
    token, says = fetch.crawler.product_token, str(fetch.policy.effective)
    problem = {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": f"This site's AI policy does not let {token} fetch this. /robots.txt says what it may.",
        "crawler": token,
        "policy": {"preferences": says, "visibility": str(fetch.policy.visibility)},
        "robots_txt": "/robots.txt",
    }
    body = json.dumps(problem).encode("ascii")
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"user-agent"),
    ]
    return headers, body
