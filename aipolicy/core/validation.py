"""The validation of a site policy's fields.

Each function takes a value from a caller and returns it in canonical form, or raises a PolicyError that names
the value and the fix.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from aipolicy.core.crawlers import CRAWLERS, Scope, crawler_named
from aipolicy.core.hosts import site_name
from aipolicy.core.paths import path_pattern, to_bytes
from aipolicy.core.preferences import Preferences
from aipolicy.errors import HostError, PolicyError

MAX_ROBOTS_BYTES = 500 * 1024
"""The size of a robots.txt that every crawler reads (RFC 9309 §2.5)."""


class Visibility(StrEnum):
    """The audience of a site. *Discouraged*: search engines are asked to stay away."""

    PUBLIC = "public"
    DISCOURAGED = "discouraged"
    PRIVATE = "private"


def site(value: Any) -> str:
    """Return the canonical host, or "" for any site."""
    if not isinstance(value, str):
        raise PolicyError(f"site is {value!r}; give a host name as a string, or '' for any site")
    try:
        return value and site_name(value)
    except HostError as error:
        raise PolicyError(f"site {error}") from None


def preferences(value: Any) -> Preferences:
    if not isinstance(value, Preferences):
        raise PolicyError(
            f"preferences is {value!r}; give Preferences(...), or call SitePolicy.from_preset(...)"
        )
    return value


def visibility(value: Any) -> Visibility:
    try:
        return Visibility(value)
    except ValueError:
        raise PolicyError(f"visibility is {value!r}; choose one of {', '.join(Visibility)}") from None


def scope(value: Any) -> Scope:
    try:
        return Scope(value)
    except ValueError:
        raise PolicyError(f"scope is {value!r}; choose one of {', '.join(Scope)}") from None


def licensed(tokens: Any) -> tuple[str, ...]:
    """Return known product tokens in the table's spelling, sorted."""
    return tuple(sorted({_known_token(token) for token in strings("licensed", tokens)}, key=str.lower))


def path_preferences(paths: Any) -> tuple[tuple[str, Preferences], ...]:
    """Return pairs of normalised path pattern and preferences, sorted by pattern."""
    try:
        pairs = list(paths.items() if isinstance(paths, Mapping) else paths)
        unpacked = [(path, value) for path, value in pairs]
    except (TypeError, ValueError):
        fix = "give a mapping, like {'/scores/': Preferences(train_ai='disallow')}"
        raise PolicyError(f"path_preferences is {paths!r}; {fix}") from None
    merged: dict[str, Preferences] = {}
    for path, value in unpacked:
        pattern = path_pattern(path)  # two spellings of one path are combined
        merged[pattern] = preferences(value).combined(merged.get(pattern, Preferences()))
    return tuple(sorted(merged.items()))


def sitemaps(urls: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url("sitemap", item) for item in strings("sitemaps", urls)))


def url(name: str, value: Any) -> str:
    """Return an absolute http(s) URL that is valid in a robots.txt line, a header and a Link target."""
    bad = not isinstance(value, str) or not value.isascii() or not value.isprintable()
    try:
        parts = urlsplit("" if bad else value)
        bad = bad or bool(set(value) & set(' <>"\\#')) or parts.scheme not in ("http", "https")
        bad = bad or not parts.hostname
    except ValueError:
        bad = True
    if bad:
        fix = "write an absolute URL in ASCII, like 'https://blog.example/page'"
        raise PolicyError(f"{name} is {value!r}; {fix}")
    return str(value)


def optional_url(name: str, value: Any) -> str | None:
    return None if value is None else url(name, value)


def robots_base(text: Any) -> str | None:
    """Return the text of a robots.txt. Bytes that aren't UTF-8 are kept as surrogate escapes."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text is None:
        return None
    if not isinstance(text, str):
        raise PolicyError(f"robots_base is {text!r}; give the text of a robots.txt")
    size = len(to_bytes(text))
    if size > MAX_ROBOTS_BYTES:
        raise PolicyError(f"robots_base has {size} bytes, and crawlers read {MAX_ROBOTS_BYTES}; shorten it")
    return text


def mapping(name: str, value: Any, example: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{name} is {value!r}; give a mapping, like {example}")
    return value


def strings(name: str, value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise PolicyError(f"{name} is {value!r}; give a list of strings, like [{value!r}]")
    items = list(value)
    for item in items:
        if not isinstance(item, str):
            raise PolicyError(f"{name} has {item!r}; give only strings")
    return items


def _known_token(token: str) -> str:
    crawler = crawler_named(token)
    if crawler is None:
        import difflib  # needed for errors only

        tokens = {c.product_token.lower(): c.product_token for c in CRAWLERS}
        near = difflib.get_close_matches(token.lower(), tokens, n=1)
        near_one = f"did you mean {tokens[near[0]]!r}? " if near else ""
        fix = f"{near_one}`aipolicy crawlers` lists them; `--crawlers FILE` adds one"
        raise PolicyError(f"licensed token {token!r} is not in the crawler table; {fix}")
    return crawler.product_token
