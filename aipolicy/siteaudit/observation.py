"""The answers of a site, from which an audit derives everything that it reports."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.siteaudit.html_signals import Markup, looks_like_html, read_html
from aipolicy.web.response import Response

_XHTML = "application/xhtml+xml"


@dataclass(frozen=True)
class FetchResult(Response):
    """The result of a request for the URL ``asked``: a response, or the reason why there is none.

    ``url`` is the URL that redirects led to; ``status`` is 0 if there was no response.
    """

    asked: str = field(kw_only=True)

    @classmethod
    def of(cls, asked: str, response: Response) -> "FetchResult":
        return cls(**{each.name: getattr(response, each.name) for each in fields(Response)}, asked=asked)

    @classmethod
    def failed(cls, asked: str, error: FetchError) -> "FetchResult":
        return cls(error.url, 0, trouble=error.kind, reason=error.reason, asked=asked)

    @property
    def ok(self) -> bool:
        """True if the resource was received and can be read."""
        return self.received and self.trouble is None

    @property
    def received(self) -> bool:
        """True if the resource was received, readable or not."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """True if this client was refused, and another might not be."""
        if self.trouble is not None:
            return self.trouble is not FetchTrouble.OVERTIME
        return self.status in (401, 402, 403, 406, 429, 451) or self.status >= 500

    @property
    def outcome(self) -> str:
        """``200``, ``503`` or the reason of a failure, for people."""
        if self.trouble is None:
            return str(self.status)
        return f"{self.status}, but {self.reason}" if self.status else f"no answer ({self.reason})"

    @property
    def is_html(self) -> bool:
        """True if a page was sent; in place of another file it means that there is no such file."""
        return self.media_type in ("text/html", _XHTML) or looks_like_html(self.body)

    @cached_property
    def markup(self) -> Markup:
        """The tags of a page, parsed once."""
        if not self.status or not self.is_html:
            return Markup()
        return read_html(self.body, self.charset, xml=self.media_type == _XHTML)


@dataclass(frozen=True, slots=True)
class Views:
    """One resource as several clients receive it.

    Attributes:
        plain: The answer to aipolicy under its own User-Agent.
        fresh: The same, requested with ``no-cache`` and an unused query so that caches don't answer.
        browser: The answer to a browser's User-Agent.
        crawlers: Pairs of product token and the answer to that crawler's User-Agent.
        again: The answer with ``no-cache`` alone, requested where ``fresh`` differs from ``plain``.
    """

    plain: FetchResult
    fresh: FetchResult | None = None
    browser: FetchResult | None = None
    crawlers: tuple[tuple[str, FetchResult], ...] = ()
    again: FetchResult | None = None

    @property
    def effective(self) -> FetchResult:
        """The answer that crawlers receive: aipolicy's, or a crawler's if only aipolicy is refused."""
        others = (answer for _, answer in self.crawlers if answer.ok)
        return self.plain if self.plain.ok or not self.plain.refused else next(others, self.plain)

    @property
    def others(self) -> tuple[tuple[str, FetchResult], ...]:
        """The other clients that were tried, by name."""
        browser = () if self.browser is None else (("a browser", self.browser),)
        return (*browser, *self.crawlers)


@dataclass(frozen=True, slots=True)
class Observation:
    """A page with the files that crawlers read along with it. ``url`` is the requested URL of the page."""

    url: str
    page: Views
    robots: Views
    tdmrep: FetchResult
    ai_txt: FetchResult

    @property
    def answered(self) -> bool:
        """True if the site answered any request."""
        views = (self.page, self.robots)
        return any(view.plain.status or any(a.status for _, a in view.others) for view in views)


_CLOSED = b"User-agent: *\nDisallow: /\n"


class Access(StrEnum):
    """RFC 9309 §2.3.1: there are rules, there are none (*unavailable*), or nothing may be fetched."""

    RULES = "rules"
    NO_RULES = "no rules"
    UNREACHABLE = "unreachable"


def access_of(answer: FetchResult) -> Access:
    """Return what RFC 9309 makes of an answer. Google reads 429 like a 5xx, CPython 401 and 403 too.

    Of a body that can't be decoded no line can be parsed (§2.3.1.1). After more than five redirects crawlers
    may take the file for unavailable (§2.3.1.2), and Google does; an invalid redirect can't be followed
    either.
    """
    if answer.trouble in (FetchTrouble.CODING, FetchTrouble.REDIRECTS) or 300 <= answer.status < 400:
        return Access.NO_RULES
    if answer.trouble is not None:
        return Access.UNREACHABLE
    if answer.ok:
        return Access.RULES
    return Access.NO_RULES if 400 <= answer.status < 500 else Access.UNREACHABLE


def effective(answer: FetchResult) -> bytes:
    """Return the robots.txt in force: as sent, up to 500 KiB, or one with the same meaning as the answer."""
    equivalent = {Access.NO_RULES: b"", Access.UNREACHABLE: _CLOSED}
    return equivalent.get(access_of(answer), answer.body[:MAX_ROBOTS_BYTES])
