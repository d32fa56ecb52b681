"""What was seen of a site: every answer it gave, as a value. Whatever is said about it is said from this."""

from dataclasses import dataclass, field, fields
from functools import cached_property

from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.siteaudit.html_signals import Markup, looks_like_html, read_html
from aipolicy.web.response import Response

_XHTML = "application/xhtml+xml"


@dataclass(frozen=True)
class Answer(Response):
    """What came of asking for ``asked``: a response, or the trouble that kept one away.

    ``url`` is where redirects led; ``status`` is 0 where there was no response.
    """

    asked: str = field(kw_only=True)

    @classmethod
    def of(cls, asked: str, response: Response) -> "Answer":
        return cls(**{of.name: getattr(response, of.name) for of in fields(Response)}, asked=asked)

    @classmethod
    def failed(cls, asked: str, error: FetchError) -> "Answer":
        return cls(error.url, 0, trouble=error.kind, reason=error.reason, asked=asked)

    @property
    def ok(self) -> bool:
        """Whether what was asked for came, and can be read."""
        return self.had and self.trouble is None

    @property
    def had(self) -> bool:
        """Whether what was asked for came, readable or not."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether this client was turned away, where another might not be."""
        if self.trouble is not None:
            return self.trouble is not FetchTrouble.OVERTIME
        return self.status in (401, 402, 403, 406, 429, 451) or self.status >= 500

    @property
    def outcome(self) -> str:
        """``200``, ``503`` or what went wrong, for people."""
        if self.trouble is None:
            return str(self.status)
        return f"{self.status}, but {self.reason}" if self.status else f"no answer ({self.reason})"

    @property
    def is_html(self) -> bool:
        """Whether a page was sent, which for a file that isn't one means: there is no such file."""
        return self.media_type in ("text/html", _XHTML) or looks_like_html(self.body)

    @cached_property
    def markup(self) -> Markup:
        """The tags of a page, which is parsed once: who compares many views asks again and again."""
        if not self.status or not self.is_html:
            return Markup()
        return read_html(self.body, self.charset, xml=self.media_type == _XHTML)


@dataclass(frozen=True, slots=True)
class Views:
    """One resource as several clients see it.

    ``plain``: we, as ourselves. ``fresh``: the same past caches, with a query nobody used and ``no-cache``.
    ``browser`` and ``crawlers``: with their User-Agent; the latter in pairs of product token and answer.
    ``again``: as ourselves with ``no-cache`` alone, where ``fresh`` says something else than ``plain``.
    """

    plain: Answer
    fresh: Answer | None = None
    browser: Answer | None = None
    crawlers: tuple[tuple[str, Answer], ...] = ()
    again: Answer | None = None

    @property
    def seen(self) -> Answer:
        """What crawlers get: our answer, or where we are turned away and one of them isn't, that one's."""
        others = (answer for _, answer in self.crawlers if answer.ok)
        return self.plain if self.plain.ok or not self.plain.refused else next(others, self.plain)

    @property
    def others(self) -> tuple[tuple[str, Answer], ...]:
        """The other clients by name, those that were tried."""
        browser = () if self.browser is None else (("a browser", self.browser),)
        return (*browser, *self.crawlers)


@dataclass(frozen=True, slots=True)
class Observation:
    """A page of a site with everything around it that crawlers read. ``url`` is the page's, as asked for."""

    url: str
    page: Views
    robots: Views
    tdmrep: Answer
    ai_txt: Answer

    @property
    def answered(self) -> bool:
        """Whether anything at all was answered."""
        views = (self.page, self.robots)
        return any(view.plain.status or any(a.status for _, a in view.others) for view in views)
