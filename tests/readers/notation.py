"""A notation for robots.txt files and the answers of each reader."""

import pytest

from tests.readers.adapters import READERS, STDLIB_IS_RFC9309

each_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: str(reader.name))


def lines(text: str) -> bytes:
    """Lines separated by `|`; nothing between two is a blank line."""
    return "".join(f"{line.strip()}\n" for line in text.split("|")).encode()


def unanimous(robots_txt: bytes, token: str, path: str) -> bool:
    """The one answer that all readers give; fails where they differ."""
    answers = {reader.name: reader.allowed(robots_txt, token, path) for reader in READERS}
    assert len(set(answers.values())) == 1, (
        f"{token} {path}: {answers}\n{robots_txt.decode(errors='replace')}"
    )
    return answers["protego"]


COLUMNS = ("google", "fast", "protego", "robotspy", "old", "new")  # the last two: the standard library's
COLUMN_OF = {
    "jwm-robotstxt": "google",
    "gpyrobotstxt": "google",
    "fast-robotstxt": "fast",
    "urllib.robotparser": "new" if STDLIB_IS_RFC9309 else "old",
}


SIGNAL = "Content-Signal: ai-train=no"
RECORDS = (
    "Content-Signal: search=yes, ai-train=no",
    "Content-Usage: train-ai=n",
    "Content-Usage: /a train-ai=n",
    "Crawl-delay: 5",
    "Request-rate: 1/5",
    "Visit-time: 0600-0845",
    "Clean-param: a /b",
    "Noindex: /x",
    "Host: blog.example",
    "License: https://blog.example/license.xml",
    "Sitemap: https://blog.example/sitemap.xml",
)
