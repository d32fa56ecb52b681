"""The URLs of pages to audit, as people write them."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from aipolicy.core.hosts import canonical_host
from aipolicy.errors import AIPolicyError
from aipolicy.report.text import shorten

LONGEST = 4096
"""Maximum characters of a URL."""

MOST = 100_000
"""Maximum URLs of one run."""


@dataclass(frozen=True, slots=True)
class PageURL:
    """A page to audit: its complete URL, and its host as the registry spells it."""

    url: str
    host: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def at(self, path: str) -> str:
        """Return the URL of another path of the same origin."""
        return self.origin + path


def page_url(text: str) -> PageURL:
    """Parse ``blog.example/post`` or ``https://blog.example/post``; the scheme is https by default.

    Raises:
        AIPolicyError: The URL is invalid. (The fetcher decides if its address may be connected to.)
    """
    stripped = text.strip()
    try:
        parts = urlsplit(stripped if "://" in stripped else f"https://{stripped}")
        host = canonical_host(parts.netloc.rpartition("@")[2])
        port = parts.port
    except ValueError:
        raise _invalid(stripped, "it is not a valid URL") from None
    if len(stripped) > LONGEST or not stripped.isprintable() or " " in stripped:
        raise _invalid(stripped, "it is not a valid URL")
    if parts.scheme not in ("http", "https"):
        raise _invalid(stripped, "only http and https are supported")
    if "@" in parts.netloc:
        hidden = urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
        raise _invalid(hidden, "it contains a user name")
    if host is None or port == 0:
        raise _invalid(stripped, "it has no valid host")
    authority = host if port is None else f"{host}:{port}"
    return PageURL(urlunsplit((parts.scheme, authority, parts.path or "/", parts.query, "")), host)


def page_urls(lines: Iterable[str], source: str) -> list[PageURL]:
    """Return the URLs of a file, one a line, without empty lines, comments (#) and duplicates."""
    found: dict[str, PageURL] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            page = page_url(line)
        except AIPolicyError as error:
            raise AIPolicyError(f"{source}, line {number}: {error}") from None
        found.setdefault(page.url, page)
        if len(found) > MOST:
            raise AIPolicyError(f"{source} has more than {MOST:,} URLs; split it")
    return list(found.values())


def _invalid(text: str, problem: str) -> AIPolicyError:
    return AIPolicyError(
        f"{shorten(text)!r} can't be audited: {problem}; write it like https://blog.example/post"
    )
