"""Logs written by hand: a few lines of one site that disallows everything."""

import json
from pathlib import Path

SITE = "a.example"
DISALLOWING = "User-agent: GPTBot\nUser-agent: ClaudeBot\nUser-agent: PerplexityBot\nDisallow: /private/\n"
GPTBOT = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"
)
OPENAI = "132.196.86.44"
"""An address that OpenAI publishes for GPTBot."""


def line(
    path: str = "/private/x",
    *,
    user_agent: str = GPTBOT,
    address: str = OPENAI,
    host: str = "",
    status: int = 200,
    time: str = "01/Oct/2026:10:00:00 +0000",
) -> bytes:
    """Return a line in Combined, with ``host`` before it if given, without its line end."""
    start = f"{host} {address}" if host else address
    return f'{start} - - [{time}] "GET {path} HTTP/1.1" {status} 512 "-" "{user_agent}"'.encode()


def write_log(folder: Path, *lines: bytes, name: str = "access.log") -> str:
    """Write the lines, and the site's robots.txt next to them."""
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "robots.txt").write_text(DISALLOWING)
    return name


def write_policies(folder: Path, *versions: dict[str, object]) -> str:
    (folder / "policies.jsonl").write_text("".join(f"{json.dumps(version)}\n" for version in versions))
    return "policies.jsonl"


ROBOTS = ("--robots", "robots.txt", "--site", SITE)
"""The options that go with ``write_log``."""
