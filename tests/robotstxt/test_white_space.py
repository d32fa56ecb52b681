"""Only space and tab are white space, and only CR, LF and CRLF end a line (RFC 9309 §2.2, RFC 9110)."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aipolicy
from aipolicy.core.paths import normalise
from aipolicy.core.policy import SitePolicy
from aipolicy.core.user_agent import declared_crawlers
from aipolicy.robotstxt.matching import usage_preferences, verdict
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import RobotsTxt, read_lines
from aipolicy.signals.content_signal import parse_content_signal
from aipolicy.signals.x_robots_tag import parse_x_robots_tag

# What str.strip(), str.split() or str.splitlines() take for white space or a line's end.
WHITE = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if (character.isspace() or len(f"a{character}b".splitlines()) > 1) and character not in " \t\r\n"
]
each_character = pytest.mark.parametrize("white", WHITE, ids=lambda white: f"U+{ord(white):04X}")


def test_the_characters_are_those_that_python_takes_for_white_space() -> None:
    assert {"\u00a0", "\u0085", "\u2028", "\u3000", "\x0b", "\x0c", "\x1c"} <= set(WHITE)


@each_character
def test_rfc9309_2_2_a_path_ends_with_no_other_white_space(white: str) -> None:
    base = f"User-agent: *\nDisallow: /draft{white}\nDisallow: {white}/front\n"
    for text in (base, robots_txt(SitePolicy.from_preset("no-ai"), base=base)):
        robots = RobotsTxt.parse(text)
        assert verdict(robots, "SomeBot", "/draft").allowed
        assert verdict(robots, "SomeBot", "/front").allowed
        assert not verdict(robots, "SomeBot", normalise(f"/draft{white}")).allowed
        assert not verdict(robots, "SomeBot", f"/draft{white}/x").allowed


@each_character
def test_rfc9309_2_2_no_other_white_space_ends_a_line_a_name_or_a_token(white: str) -> None:
    robots = RobotsTxt.parse(f"User-agent: GPTBot{white}\nDisallow: /\n")
    assert verdict(robots, "GPTBot", "/").allowed
    robots = RobotsTxt.parse(
        f"User-agent: *\nAllow: /x{white}Disallow: /\n{white}Disallow: /\nDisallow{white}: /\n"
    )
    assert verdict(robots, "GPTBot", "/").allowed
    robots = RobotsTxt.parse(f"User-agent: *\nDisallow{white}/x\n# a{white}Disallow: /\n")
    assert verdict(robots, "GPTBot", "/x").allowed
    assert not RobotsTxt.parse(f"User-agent: *\n# a{white}Disallow: /\n").groups[0].rules


@each_character
def test_the_lines_of_the_linter_are_the_same(white: str) -> None:
    text = f"User-agent: GPTBot{white}\nDisallow: /draft{white}\n{white}\nDisallow{white}/x\n"
    lines = tuple(read_lines(text.encode()))
    assert len(lines) == 5
    assert [line.value for line in lines[:2]] == [f"GPTBot{white}", f"/draft{white}"]


@each_character
def test_content_signal_and_usage_members_keep_other_white_space(white: str) -> None:
    assert parse_content_signal(f"ai-train=no{white}, search=yes") == {"search": "yes"}
    robots = RobotsTxt.parse(f"User-agent: *\nContent-Usage: /a{white}train-ai=n\nAllow: /\n")
    assert not usage_preferences(robots, "x", "/a")


@each_character
def test_rfc9110_5_6_3_header_members_keep_other_white_space(white: str) -> None:
    assert parse_x_robots_tag([f"noai{white}"]) == {f"noai{white}".lower()}
    assert parse_x_robots_tag([f"GPTBot{white}: noai"], "GPTBot") == set()


@each_character
def test_rfc9110_10_1_5_products_are_apart_by_space_and_tab_alone(white: str) -> None:
    assert not declared_crawlers(f"Foo/1.0{white}GPTBot/1.2")
    assert [c.product_token for c in declared_crawlers("Foo/1.0 GPTBot/1.2")] == ["GPTBot"]


PROTOCOL = (
    "core",
    "signals",
    "robotstxt",
    "serving",
    "asgi",
    "siteaudit",
    "web",
    "accesslog/policies",
    "conformance",
)
# Text that is no protocol's, or that must be read as somebody else's program reads it.
EXEMPT = {
    "robotstxt/dialects/protego.py": "as protego reads",
    "robotstxt/dialects/urllib.py": "as Python's parsers read",
    "signals/content_usage.py": "a guess at what was meant",
    "robotstxt/checks/signals.py": "a guess of what was meant",
    "serving/tag_insertion.py": "HTML's white space, in bytes",
    "asgi/in_process.py": "white space before markup, in bytes",
    "conformance/connection.py": "a request line, in bytes",
    "conformance/clauses/product_token.py": "a list in the source",
    "conformance/random_site.py": "what it wrote itself",
    "conformance/report.py": "what a program printed",
    "accesslog/policies/from_jsonl.py": "blank lines of JSON Lines",
    "signals/x_robots_tag.py": "as datadiligence and img2dataset read",
    "siteaudit/findings.py": "our own text",
    "siteaudit/html_signals.py": "HTML's white space, in bytes and ASCII",
    "siteaudit/report/terminal.py": "our own text",
    "siteaudit/runner.py": "a traceback",
    "siteaudit/urls.py": "a list of URLs that a person typed",
    "core/crawlers.py": "a table that a person wrote",
    "robotstxt/merge.py": "whether a file is blank",
}


def _splitting_at_any_white_space(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            bare = not node.args and not node.keywords
            if node.func.attr == "splitlines" or (
                bare and node.func.attr in ("strip", "lstrip", "rstrip", "split", "rsplit", "isspace")
            ):
                yield f"{path}:{node.lineno}: .{node.func.attr}()"
            in_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            for text in (n for a in node.args[:1] for n in ast.walk(a)) if in_re else ():
                value = text.value if isinstance(text, ast.Constant) else None
                source = value.decode("latin-1") if isinstance(value, bytes) else value
                if isinstance(source, str) and re.search(r"(?<!\\)(?:\\\\)*\\[sS]", source):
                    yield f"{path}:{node.lineno}: a regular expression with \\s"


def test_no_reader_of_a_protocol_splits_or_strips_at_any_white_space() -> None:
    root = Path(aipolicy.__file__).parent
    files = [path for folder in PROTOCOL for path in sorted((root / folder).rglob("*.py"))]
    assert len(files) > 100
    found = [
        place
        for path in files
        if path.relative_to(root).as_posix() not in EXEMPT
        for place in _splitting_at_any_white_space(path)
    ]
    assert not found, 'write .strip(" \\t"), re.findall("[^ \\t]+", ...) or core.robots.lines_of()'
