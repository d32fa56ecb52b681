"""The models of parsers answer as the parsers themselves."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipolicy.core.paths import normalise
from aipolicy.core.patterns import path_matches
from aipolicy.robotstxt.dialects import DIALECTS
from aipolicy.robotstxt.matching import GroupIndex, binding_group, verdict
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import LineKind, Record, RobotsTxt, Rule, product_token, read_together
from tests.core.strategies import base_files
from tests.readers import READERS, STDLIB_IS_RFC9309
from tests.readers.notation import COLUMNS
from tests.readers.test_matrix import MATRIX, Case

REAL = {"google": "jwm-robotstxt", "protego": "protego"} | {
    "urllib-new" if STDLIB_IS_RFC9309 else "urllib-old": "urllib.robotparser"
}
COLUMN = {"google": "google", "protego": "protego", "urllib-old": "old", "urllib-new": "new"}
FAMILY = {dialect.id: dialect for dialect in DIALECTS}
READER = {reader.name: reader for reader in READERS}

paths = st.sampled_from(
    [
        "/", "/a", "/admin/x", "/search?s=1", "/open/closed/ajar", "/a.jpg", "/tag/caf%C3%A9", "/abc",
        "/x/open", "/robots.txt", "/index.html", "/a%20b", "/100%25", "/a$", "/private", "/a/b?x=y", "/a%2Fb",
        "/a:b", "/a;b",
    ]
)  # fmt: skip
tokens = st.sampled_from(
    [
        "GPTBot", "CCBot", "Googlebot", "AnyBot", "AI2Bot", "Applebot-Extended", "img2dataset",
        "Googlebot-News", "x", "360Spider", "omgilibot", "Yahoo! Slurp",
    ]
)  # fmt: skip


def test_every_dialect_answers_every_row_of_the_matrix_of_parsers() -> None:
    def answer(dialect: str, case: Case) -> bool:
        return FAMILY[dialect].decide(case.robots_txt, case.token, case.path).allowed

    wrong = [
        (dialect, case.says)
        for case in MATRIX
        for dialect, column in COLUMN.items()
        if answer(dialect, case) is not (dict(zip(COLUMNS, case.answers, strict=True))[column] == "A")
    ]
    assert not wrong


@settings(max_examples=150, deadline=None)
@given(base_files, tokens, paths)
@example(b"User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: GPTBot\nDisallow: /\n", "AnyBot", "/x")
@example(b"User-agent:\nDisallow: /\n", "AnyBot", "/x")
def test_each_model_answers_as_the_parser_it_is_a_model_of(body: bytes, token: str, path: str) -> None:
    for dialect, name in REAL.items():
        if name not in READER or (dialect == "google" and b"\0" in body):  # to C, a NUL is the end
            continue
        try:
            real = READER[name].allowed(body, token, path)
        except (UnicodeDecodeError, ValueError):  # the old standard library gives up on such a file
            continue
        assert FAMILY[dialect].decide(body, token, path).allowed is real, dialect


@settings(max_examples=150, deadline=None)
@given(base_files, tokens, paths)
def test_the_index_answers_as_one_rule_after_the_other_matched_by_protego(
    body: bytes, token: str, path: str
) -> None:
    robots = RobotsTxt.parse(body)
    index = GroupIndex.from_robots(robots)
    groups = read_together(robots.groups)
    names = {name.lower() for group in groups for name in group.tokens}
    name = next((name for name in (token.lower(), "*") if name in names), "")
    own = [group for group in groups if name in map(str.lower, group.tokens)]
    records = tuple(record for group in own for record in group.records)
    assert index.bound(token).name == name
    assert binding_group(robots, token) == index.bound(token).group
    assert tuple(index.bound(token).content.records) == records
    assert (index.bound(token).group is None) is (name == "")
    rules = [record for record in records if isinstance(record, Rule)]
    ranked = sorted(rules, key=lambda rule: (-len(rule.pattern), not rule.allow))
    matching = (rule for rule in ranked if rule.pattern and path_matches(rule.pattern, normalise(path)))
    rule = None if path == "/robots.txt" else next(matching, None)
    answer, ruling = verdict(robots, token, path), index.decide(token, path)
    assert (answer.allowed, answer.rule) == (rule is None or rule.allow, rule)
    assert (ruling.allowed, ruling.line) == (answer.allowed, answer.rule.line if answer.rule else 0)


def test_the_first_of_two_equal_rules_decides() -> None:
    robots = RobotsTxt.parse("User-agent: *\nDisallow: /a*\nDisallow: /ab\nDisallow: /c\nDisallow: /c\n")
    assert [GroupIndex.from_robots(robots).decide("GPTBot", path).line for path in ("/ab", "/c")] == [2, 4]


def test_the_cache_of_decisions_is_bounded() -> None:
    rules = GroupIndex.from_robots(RobotsTxt.parse("User-agent: *\nDisallow: /\n")).bound("GPTBot").rules
    for number in range(25_000):
        rules.decide(f"/{number}")
    assert len(rules._decided) <= 10_000


@settings(max_examples=150, deadline=None)
@given(base_files)
def test_lines_and_groups_are_read_alike(body: bytes) -> None:
    robots, parsed = RobotsTxt.parse(body), ParsedFile.read(body)
    assert len(robots.groups) == len(parsed.groups)
    for group, its_lines in zip(robots.groups, parsed.groups, strict=True):
        rules = [(record.allow, record.line) for record in group.records if isinstance(record, Rule)]
        assert rules == [(line.kind is LineKind.ALLOW, line.number) for line in its_lines.rules]
        others = [r.line for r in group.records if isinstance(r, Record) and r.name]
        assert others == [line.number for line in its_lines.body if line.kind is LineKind.OTHER]
        if all(line.value.isprintable() for line in its_lines.agents):
            names = {product_token(line.value).lower() for line in its_lines.agents} - {""}
            assert names == set(map(str.lower, group.tokens))


@settings(max_examples=100, deadline=None)
@given(st.binary(), st.text(min_size=1), st.text())
def test_no_model_fails_on_any_bytes(body: bytes, token: str, path: str) -> None:
    for dialect in DIALECTS:
        dialect.decide(body, token, f"/{path}")
