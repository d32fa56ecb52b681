"""What was seen of a site: every answer it gave, as a value. Whatever is said about it is said from this."""

from dataclasses import dataclass, replace

from aipolicy.check.web.response import Hop, Response
from aipolicy.errors import FetchError, FetchTrouble

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for ``asked``: an answer, or the trouble that kept one away (``status`` is 0 then).

    ``url`` is where redirects led; ``headers`` as sent, in order; ``body`` without its content coding, and
    ``cut`` where it was longer than is read.
    """

    asked: str
    url: str = ""
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    cut: bool = False
    hops: tuple[Hop, ...] = ()
    address: str = ""
    seconds: float = 0.0
    trouble: FetchTrouble | None = None
    reason: str = ""

    @classmethod
    def of(cls, asked: str, response: Response) -> "Answer":
        return cls(
            asked,
            response.url,
            response.status,
            response.headers,
            response.body,
            response.cut,
            response.hops,
            response.address,
            response.seconds,
        )

    @classmethod
    def failed(cls, asked: str, error: FetchError) -> "Answer":
        return cls(asked, error.url, trouble=error.kind, reason=error.reason)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether this client was turned away, where another might not be."""
        return self.status in (401, 402, 403, 406, 429, 451) or self.status >= 500 or self.trouble is not None

    @property
    def outcome(self) -> str:
        """``200``, ``503`` or what went wrong, for people."""
        return str(self.status) if self.trouble is None else f"no answer ({self.reason})"

    def values(self, name: str) -> list[str]:
        """The values of all lines of that header, in order; its name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """The lines of that header joined into one (RFC 9110 §5.2); "" where there is none."""
        return ", ".join(self.values(name))

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def without_body(self) -> "Answer":
        return replace(self, body=b"")


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
