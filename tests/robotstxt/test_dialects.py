"""The models of parsers answer as the parsers themselves."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipolicy.robotstxt.dialects.families import FAMILIES
from aipolicy.robotstxt.group_index import Index
from aipolicy.robotstxt.lines import Kind, Written
from aipolicy.robotstxt.matching import binding_group, verdict
from aipolicy.robotstxt.parser import Record, RobotsTxt, Rule, product_token
from tests.core.strategies import base_files
from tests.readers import READERS, STDLIB_IS_RFC9309
from tests.readers.notation import COLUMNS
from tests.readers.test_matrix import MATRIX, Case

REAL = {"google": "jwm-robotstxt", "protego": "protego"} | {
    "urllib-new" if STDLIB_IS_RFC9309 else "urllib-old": "urllib.robotparser"
}
COLUMN = {"google": "google", "protego": "protego", "urllib-old": "old", "urllib-new": "new"}
FAMILY = {family.id: family for family in FAMILIES}
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


def test_every_family_answers_every_row_of_the_matrix_of_parsers() -> None:
    def answer(family: str, case: Case) -> bool:
        return FAMILY[family].decide(case.robots_txt, case.token, case.path).allowed

    wrong = [
        (family, case.says)
        for case in MATRIX
        for family, column in COLUMN.items()
        if answer(family, case) is not (dict(zip(COLUMNS, case.answers, strict=True))[column] == "A")
    ]
    assert not wrong


@settings(max_examples=150, deadline=None)
@given(base_files, tokens, paths)
@example(b"User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: GPTBot\nDisallow: /\n", "AnyBot", "/x")
@example(b"User-agent:\nDisallow: /\n", "AnyBot", "/x")
def test_each_model_answers_as_the_parser_it_is_a_model_of(octets: bytes, token: str, path: str) -> None:
    for family, name in REAL.items():
        if name not in READER or (family == "google" and b"\0" in octets):  # to C, a NUL is the end
            continue
        try:
            real = READER[name].allowed(octets, token, path)
        except (UnicodeDecodeError, ValueError):  # the old standard library gives up on such a file
            continue
        assert FAMILY[family].decide(octets, token, path).allowed is real, family


@settings(max_examples=150, deadline=None)
@given(base_files, tokens, paths)
def test_the_index_answers_as_the_core_does(octets: bytes, token: str, path: str) -> None:
    robots = RobotsTxt.parse(octets)
    index = Index(robots)
    core = binding_group(robots, token)
    assert index.bound(token).group.records == (core.records if core else ())
    assert (index.bound(token).name == "") is (core is None)
    answer = verdict(robots, token, path)
    ruling = index.decide(token, path)
    assert (ruling.allowed, ruling.line) == (answer.allowed, answer.rule.line if answer.rule else 0)


def test_of_two_rules_that_are_worth_the_same_the_first_decides() -> None:
    robots = RobotsTxt.parse("User-agent: *\nDisallow: /a*\nDisallow: /ab\nDisallow: /c\nDisallow: /c\n")
    assert [Index(robots).decide("GPTBot", path).line for path in ("/ab", "/c")] == [2, 4]


def test_what_was_decided_is_not_remembered_for_ever() -> None:
    rules = Index(RobotsTxt.parse("User-agent: *\nDisallow: /\n")).bound("GPTBot").rules
    for number in range(25_000):
        rules.decide(f"/{number}")
    assert len(rules._decided) <= 10_000


@settings(max_examples=150, deadline=None)
@given(base_files)
def test_the_lines_are_read_as_the_core_reads_them(octets: bytes) -> None:
    robots, written = RobotsTxt.parse(octets), Written.read(octets)
    assert len(robots.groups) == len(written.groups)
    for group, its_lines in zip(robots.groups, written.groups, strict=True):
        rules = [(record.allow, record.line) for record in group.records if isinstance(record, Rule)]
        assert rules == [(line.kind is Kind.ALLOW, line.number) for line in its_lines.rules]
        others = [r.line for r in group.records if isinstance(r, Record) and r.name]
        assert others == [line.number for line in its_lines.body if line.kind is Kind.OTHER]
        if all(line.value.isprintable() for line in its_lines.agents):
            names = {product_token(line.value).lower() for line in its_lines.agents} - {""}
            assert names == set(map(str.lower, group.tokens))


@settings(max_examples=100, deadline=None)
@given(st.binary(), st.text(min_size=1), st.text())
def test_no_model_fails_on_any_octets(octets: bytes, token: str, path: str) -> None:
    for family in FAMILIES:
        family.decide(octets, token, f"/{path}")
