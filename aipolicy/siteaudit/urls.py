"""The URL of a page, as a person or a file gives it."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from aipolicy.core.hosts import canonical_host
from aipolicy.errors import AIPolicyError
from aipolicy.report.text import shown

LONGEST = 4096
"""Characters of a URL."""

MOST = 100_000
"""URLs of one check."""


@dataclass(frozen=True, slots=True)
class PageURL:
    """A page to look at: ``url`` in full, ``host`` as the registry spells it, ``origin`` without a path."""

    url: str
    host: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def at(self, path: str) -> str:
        """Another address of the same origin."""
        return self.origin + path


def page_url(text: str) -> PageURL:
    """Read ``blog.example/post`` or ``https://blog.example/post``; https where it doesn't say.

    Raises AIPolicyError. Whether it may be connected to is the fetcher's to say.
    """
    given = text.strip()
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        host = canonical_host(parts.netloc.rpartition("@")[2])
        port = parts.port
    except ValueError:
        raise _refused(given, "it is no URL") from None
    if len(given) > LONGEST or not given.isprintable() or " " in given:
        raise _refused(given, "it is no URL")
    if parts.scheme not in ("http", "https"):
        raise _refused(given, "only http and https are fetched")
    if "@" in parts.netloc:
        hidden = urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
        raise _refused(hidden, "it has a user name in it: leave that out")
    if host is None or port == 0:
        raise _refused(given, "it names no host")
    authority = host if port is None else f"{host}:{port}"
    return PageURL(urlunsplit((parts.scheme, authority, parts.path or "/", parts.query, "")), host)


def page_urls(lines: Iterable[str], source: str) -> list[PageURL]:
    """The URLs of a file, one a line; empty lines and those that begin with # are left out, doubles too."""
    found: dict[str, PageURL] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            one = page_url(line)
        except AIPolicyError as error:
            raise AIPolicyError(f"{source}, line {number}: {error}") from None
        found.setdefault(one.url, one)
        if len(found) > MOST:
            raise AIPolicyError(f"{source} has more than {MOST:,} URLs: split it")
    return list(found.values())


def _refused(text: str, problem: str) -> AIPolicyError:
    return AIPolicyError(f"{shown(text)!r}: {problem}; write one like https://blog.example/post")
