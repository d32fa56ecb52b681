"""A small crawler that obeys RFC 9309, except for one fault on request.

As a command: python -m tests.conformance.crawler URL [FAULT]
"""

import html
import http.client
import re
import sys
import time
import urllib.parse
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Protocol

from tests.conformance.engine import Engine

TOKEN = "TestCrawler"
_NOTHING, _ANYTHING = b"User-agent: *\nDisallow: /\n", b""
_REDIRECTS = (301, 302, 303, 307, 308)


class Decides(Protocol):
    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool: ...


@dataclass
class Reply:
    status: int
    body: bytes
    headers: http.client.HTTPMessage


@dataclass
class Copy:
    """A cached robots.txt, and the time when it is stale."""

    body: bytes
    until: float


class Links(HTMLParser):
    def __init__(self, *, marked_too: bool) -> None:
        super().__init__()
        self.found: list[str] = []
        self.follow, self._marked_too = True, marked_too

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "img" or (tag == "link" and attributes.get("rel") == "alternate"):
            self.found.append(attributes.get("src") or attributes["href"])
        if tag == "meta" and attributes.get("name") == "robots" and "nofollow" in attributes["content"]:
            self.follow = self._marked_too
        if tag == "a" and (self._marked_too or attributes.get("rel") != "nofollow"):
            self.found.append(attributes["href"])


@dataclass
class Crawler:
    """A crawler that follows every link. ``ignores``: it never looks at robots.txt.

    ``agent``: the User-Agent that it sends instead of its own; ``reads_as``: the one for robots.txt.
    ``follows``: links, and not redirects alone.
    """

    fault: str = ""
    engine: Decides | None = None
    ignores: bool = False
    agent: str = ""
    reads_as: str = ""
    follows: bool = True
    robots: dict[str, Copy] = field(default_factory=dict)

    def crawl(self, url: str) -> None:
        decides = self.engine or Engine(self.fault)
        agent = "Mozilla/5.0 (nobody)" if self.fault == "own-name" else f"{TOKEN}/1.0 (a test)"
        self._headers = {"User-Agent": self.agent or agent}
        if self.fault == "robots-first":
            self._get(url)
        queue, known = [url], {url}
        decode = self.fault == "encoded-slash"
        while queue:
            page = queue.pop(0)
            page = page.replace("%2F", "/") if decode else page
            if not self._may(page, decides):
                continue
            reply = self._get(page)
            if reply is None:
                continue
            if reply.status in _REDIRECTS:
                onward = urllib.parse.urljoin(page, reply.headers["Location"])
                if self.fault == "redirected-page":
                    self._get(onward)
                else:
                    queue.append(onward)
            for link in self._links(page, reply) if self.follows else ():
                if link not in known:
                    known.add(link)
                    queue.append(link)

    def _links(self, page: str, reply: Reply) -> list[str]:
        marked_too = self.fault == "nofollow"
        if reply.headers.get("X-Robots-Tag") == "nofollow" and not marked_too:
            return []
        links = Links(marked_too=marked_too)
        if reply.headers.get_content_type() == "application/rss+xml":
            links.found = re.findall("<link>(.*?)</link>", html.unescape(reply.body.decode()))
        elif reply.headers.get_content_maintype() == "text":
            links.feed(reply.body.decode())
        raw = self.fault == "unicode-link"
        quoted = (link if raw else urllib.parse.quote(link, safe="/:?=&%*") for link in links.found)
        return [urllib.parse.urljoin(page, link) for link in quoted] if links.follow else []

    def _may(self, url: str, decides: Decides) -> bool:
        parts = urllib.parse.urlsplit(url)
        if self.ignores or (self.fault == "waiting-requests" and parts.path.startswith("/private/")):
            return True
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return decides.allowed(self._robots_of(parts), TOKEN, path)

    def _robots_of(self, parts: urllib.parse.SplitResult) -> bytes:
        key = (parts.hostname if self.fault == "authority" else parts.netloc) or ""
        copy = self.robots.get(key)
        if copy is None or (copy.until < time.monotonic() and self.fault != "cache"):
            copy = self.robots[key] = self._fetched_robots(f"http://{parts.netloc}/robots.txt")
        return copy.body

    def _fetched_robots(self, url: str) -> Copy:
        hops, refusing = {"redirect": 0, "five-redirects": 4}.get(self.fault, 5), False
        reply = self._get(url)
        while reply and reply.status in _REDIRECTS and hops:
            hops -= 1
            url = urllib.parse.urljoin(url, reply.headers["Location"])
            reply, refusing = self._get(url), True
        if reply and self.fault == {4: "redirect-rules", 0: "five-redirects-rules"}.get(hops):
            return Copy(_ANYTHING, time.monotonic() + 60)
        if reply is None:
            excused = "refused" if refusing else "dropped"
            return Copy(_ANYTHING if self.fault == excused else _NOTHING, time.monotonic() + 60)
        _, _, life = reply.headers.get("Cache-Control", "").partition("max-age=")
        return Copy(self._rules(reply), time.monotonic() + float(life or 60))

    def _rules(self, reply: Reply) -> bytes:
        if reply.status == 200:
            return reply.body
        if reply.status >= 500:
            return _ANYTHING if self.fault == "status-500" else _NOTHING
        return _NOTHING if self.fault == f"status-{reply.status}" else _ANYTHING

    def _get(self, url: str) -> Reply | None:
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            path = urllib.parse.quote(parts.path, safe="/%")
            target = urllib.parse.urlunsplit(("", "", path, parts.query, ""))
            reads = {"User-Agent": self.reads_as} if self.reads_as and path == "/robots.txt" else {}
            connection.request("GET", target, headers=self._headers | reads)
            response = connection.getresponse()
            return Reply(response.status, response.read(), response.headers)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


if __name__ == "__main__":
    fault = "".join(sys.argv[2:])
    Crawler(fault, ignores=fault == "everything").crawl(sys.argv[1])
