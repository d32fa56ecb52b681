"""Read a robots.txt from a file, standard input or a URL."""

import http.client
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import AIPolicyError
from aipolicy.report.text import shorten
from aipolicy.version import __version__

TIMEOUT = 10.0
"""Seconds that a site may take to answer."""

MAX_REDIRECTS = 5  # RFC 9309 §2.3.1.2: at least five are followed


def read_source(name: str) -> bytes:
    """Return the bytes of a robots.txt, and at most one byte more than crawlers read.

    Args:
        name: A file, ``-`` or an http(s) URL. For a URL without a path, /robots.txt is fetched.

    Raises:
        AIPolicyError: It can't be read.
    """
    if "://" in name:
        return _fetch(name)
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_ROBOTS_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_ROBOTS_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or shorten(str(error))
        raise AIPolicyError(f"{name!r} can't be read ({reason}); use a file, - or an http(s) URL") from None


def _fetch(url: str) -> bytes:
    url = _robots_url(url)
    opener = urllib.request.OpenerDirector()  # the default one also opens files and FTP
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", f"aipolicy/{__version__}"), ("Accept", "text/plain")]
    until = time.monotonic() + TIMEOUT
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            return _body(response, url, until)
    except urllib.error.HTTPError as error:
        with error:
            raise AIPolicyError(f"{url!r} answered {error.code}: {_meaning(error.code)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = shorten(str(getattr(error, "reason", None) or error) or type(error).__name__)
        raise AIPolicyError(f"{url!r} can't be fetched ({reason}); check the address") from None


def _robots_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    except ValueError:
        known = False
    if not known or not url.isprintable() or " " in url:
        raise AIPolicyError(f"{url!r} is not an http or https URL; use one like https://blog.example")
    path = parts.path if parts.path.strip("/") else "/robots.txt"
    return urlunsplit((parts.scheme, host, path, parts.query, ""))


def _body(response: http.client.HTTPResponse, url: str, until: float) -> bytes:
    body = b""
    while len(body) <= MAX_ROBOTS_BYTES:
        chunk = response.read1(MAX_ROBOTS_BYTES + 1 - len(body))
        if not chunk:
            return body
        body += chunk
        if time.monotonic() > until:
            raise AIPolicyError(f"{url!r} timed out after {len(body)} bytes in {TIMEOUT:g} s; try again")
    return body


def _meaning(status: int) -> str:
    if status == 429 or status >= 500:
        return "crawlers must then fetch nothing from the site until it works (RFC 9309 §2.3.1.4)"
    if status >= 400:
        return "to crawlers that means a site without rules (RFC 9309 §2.3.1.3)"
    return f"more than {MAX_REDIRECTS} redirects, or one that is not to http or https; use the final address"


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS
    max_repeats = MAX_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Mapping[str, str],  # type: ignore[override]
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise AIPolicyError(
                f"{req.full_url!r} redirects to {newurl!r}; use the address of an http or https site"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
