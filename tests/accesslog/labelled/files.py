"""The sites' own robots.txt files, and paths that their rules nearly match."""

import random

from tests.accesslog.labelled.clients import CRAWLERS, NAMED

# Only names within RFC 9309's grammar: how others are read is no fact.
_NAMED = tuple(t for t in CRAWLERS if all(c.isascii() and (c.isalpha() or c in "-_") for c in t))
_NAMED += (NAMED,) * 3
_PATTERNS = (
    "/", "/", "/private/", "/private/press/", "/p", "/page", "/page$", "/pages/*", "/*.jpg$", "/*.jpg",
    "/*?s=", "/*/print", "/a*c", "/a/b", "/a%2Fb", "/a%2fb/c", "/foo/bar/%62%61%7A", "/foo/bar/baz/",
    "/tag/caf%C3%A9", "/tag/caf%c3%a9/x", "/tag/café", "/tag/ünder/", "/$", "/fish*", "/fish*.php",
    "*/drafts/", "/%7Ejoe/", "/~joe/public/", "/search?q=", "/docs/GPTBot", "/x/../private/", "/*",
)  # fmt: skip

PATHS = (
    b"/", b"/", b"/?s=1", b"/page", b"/page/1", b"/pages/", b"/PAGE", b"/private/x", b"/private/press/kit",
    b"/private", b"/Private/x", b"/p", b"/a/b", b"/a/b.jpg", b"/a/b.jpg?w=1", b"/img/x.jpg", b"/x.jpg/y",
    b"/a%2Fb", b"/a%2fb/c", b"/a/b/c", b"/abc", b"/foo/bar/baz", b"/foo/bar/%62%61%7A/x", b"/%66oo/bar/baz/",
    b"/tag/caf%C3%A9", b"/tag/caf%c3%a9/x", b"/tag/caf\xc3\xa9", b"/tag/caf\xc3\xa9/x", b"/tag/cafe",
    b"/tag/%C3%BCnder/x", b"/tag/\xc3\xbcnder/", b"/fish", b"/fish.html", b"/fishing.php", b"/~joe/",
    b"/%7Ejoe/public/x", b"/%7ejoe", b"/search?q=GPTBot", b"/search?s=a&q=b", b"/docs/GPTBot/1.2",
    b"/post/print",
    b"/x/drafts/1", b"/drafts/", b"/x/../private/y", b"/./private/", b"//private/", b"/private%2Fx",
    b"/robots.txt", b"/robots.txt", b"/robots.txt?v=2", b"/robots.txt/", b"/robots.txt.bak", b"/x/robots.txt",
    b"/ROBOTS.TXT", b"/r%6Fbots.txt", b"//robots.txt", b"/./robots.txt", b"/%72obots.txt",
    b"/a/../robots.txt",
    b"/ai.txt", b"/ai%2etxt?x", b"/ai.txt.bak", b"/x/ai.txt",
    b"/.well-known/../private/x", b"/%2Ewell-known/x",
    b"/.well-known/tdmrep.json", b"/100%", b"/%zz", b"/q?a=%22%20%5C",
    b'/say-"hello"', b"/back\\slash", b"/tab\there", b"/bin/\xff\xfe", b"/plus+plus?a+b",
    b'/x" 200 1 "-" "ClaudeBot/1.0', b"/%47PTBot/1.0",
)  # fmt: skip
"""Request targets as the client sent them, in bytes."""


def any_file(rng: random.Random) -> str:
    """Return groups in any order, some with a token twice, with comments and other records between."""
    lines = ["Sitemap: https://s.example/sitemap.xml", ""] if rng.random() < 0.3 else []
    for _ in range(rng.randint(1, 5)):
        lines += _group(rng)
    newline = rng.choice(("\n", "\n", "\n", "\r\n"))
    return rng.choice(("", "", "", "\ufeff")) + newline.join([*lines, ""])


def _group(rng: random.Random) -> list[str]:
    tokens = [rng.choice(_NAMED) for _ in range(rng.randint(0, 3))] or ["*"]
    lines = [_field("User-agent", rng.choice((t, t, t.lower())), rng) for t in tokens]
    if rng.random() < 0.2:  # other records end no group
        lines.insert(rng.randint(1, len(lines)), "Content-Signal: search=yes, ai-train=no")
    patterns = rng.sample(_PATTERNS, rng.randint(1, 6))
    for pattern in patterns:
        lines.append(_field(rng.choice(("Disallow", "Disallow", "Allow")), pattern, rng))
        if rng.random() < 0.1:  # a tie, which Allow wins
            lines.append(_field("Allow", pattern, rng))
        if rng.random() < 0.1:
            lines.append(rng.choice(("", "# a comment", "Crawl-delay: 5", "Disallow:")))
    return [*lines, *[""] * rng.randint(0, 2)]


def _field(name: str, value: str, rng: random.Random) -> str:
    name = rng.choice((name, name, name.lower(), name.upper()))
    return name + rng.choice((": ", ": ", ":", " :\t")) + value + rng.choice(("", "", "", " # why", "  "))
