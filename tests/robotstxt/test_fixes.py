"""A fix fixes: pasted where the finding is, the finding is gone, and other parsers read what was meant."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.robotstxt import Finding, Severity, lint
from aipolicy.robotstxt.checks import CHECKS
from aipolicy.robotstxt.fixes import edited
from aipolicy.robotstxt.parsed_file import ParsedFile
from tests.core.strategies import base_files
from tests.readers import READERS
from tests.robotstxt.files import lines
from tests.robotstxt.test_findings import CASES, OTHER_CASES
from tests.sizes import size

GRAVITY = tuple(Severity)


def everything(body: bytes) -> list[Finding]:
    """All that the checks find, however much."""
    file = ParsedFile.read(body)
    return [finding for check in CHECKS for finding in check(file)]


def counted(findings: list[Finding], finding: Finding) -> int:
    """Findings of that kind that are as grave."""
    graver = GRAVITY[: GRAVITY.index(finding.severity) + 1]
    return sum(f.id == finding.id and f.severity in graver for f in findings)


def errors(findings: list[Finding]) -> int:
    return sum(finding.severity is Severity.ERROR for finding in findings)


def pasted(body: bytes, finding: Finding) -> bytes:
    return edited(body, dict(finding.edits))


@pytest.mark.parametrize(
    "body",
    [*(lines(case[1]) for case in CASES), *OTHER_CASES.values()],
    ids=lambda body: repr(body[:40]),
)
def test_each_fix_of_every_kind_removes_its_finding(body: bytes) -> None:
    before = everything(body)
    for finding in lint(body).findings:
        assert bool(finding.fix) is bool(finding.edits)
        if finding.fix:
            after = everything(pasted(body, finding))
            assert counted(after, finding) < counted(before, finding), finding
            assert errors(after) <= errors(before), finding


# A line of a file as people spoil it.
spoilt = st.builds(
    lambda name, colon, quote, value, more, tag: f"{tag}{name}{colon}{quote}{value}{quote}{more}{tag}",
    st.sampled_from(
        ["User-agent", "Disallow", "Allow", "Sitemap", "Crawl-delay", "Content-Usage", "Content-Signal"]
    ),
    st.sampled_from([": ", ":", " ", ":\u00a0", "\u00a0:"]),
    st.sampled_from(["", "", '"', "'", "\u201c"]),
    st.sampled_from(
        ["*", "GPTBot", "GPTBot, CCBot", "/", "/a, /b", "/a$", "private", "10", "train-ai=n", "x,,y", ","]
    ),
    st.sampled_from(
        ["", "", " Disallow: /", "\\nAllow: /", "<br>Disallow: /b", ", User-agent: CCBot", "\u200b"]
    ),
    st.sampled_from(["", "", "", "<p>", "<br/>"]),
)
spoilt_files = st.lists(st.one_of(spoilt, st.just("")), max_size=8).map(lambda some: "\n".join(some).encode())


@pytest.mark.proof
@settings(max_examples=size(full=1_000, ci=30), deadline=None)
@given(st.one_of(base_files, spoilt_files))
def test_each_fix_of_any_file_removes_its_finding(body: bytes) -> None:
    before = everything(body)
    for finding in lint(body).findings:
        if finding.fix:
            assert counted(everything(pasted(body, finding)), finding) < counted(before, finding), finding
            assert "\u2026" not in finding.fix


def with_all_fixes(body: bytes) -> bytes:
    """The file after all of its fixes of errors and warnings, one after the other, as people paste them."""
    for _ in range(20):
        finding = next((f for f in lint(body).findings if f.fix and f.severity is not Severity.NOTE), None)
        if finding is None:
            return body
        body = pasted(body, finding)
    raise AssertionError(f"fixes without an end: {body!r}")


MEANT_CLOSED = [
    ("User-agent: GPTBot Disallow: /", "GPTBot", "/post"),
    ("User-agent: GPTBot, Disallow: /", "GPTBot", "/post"),
    ("User-agent: *\\nDisallow: /private/\\n", "SomeBot", "/private/x"),
    ("User-agent: GPTBot<br>Disallow: /<br>", "GPTBot", "/post"),
    ("<p>User-agent: GPTBot</p>|<p>Disallow: /</p>", "GPTBot", "/post"),
    ("<div><pre>User-agent: GPTBot<br />Disallow: /</pre></div>", "GPTBot", "/post"),
    ('User-agent: "GPTBot"|Disallow: "/"', "GPTBot", "/post"),
    ("User-agent: 'GPTBot'|Disallow: '/drafts/'", "GPTBot", "/drafts/x"),
    ("User-agent: GPTBot, CCBot, ClaudeBot|Disallow: /", "CCBot", "/post"),
    ("User-agent: GPTBot; CCBot|Disallow: /", "CCBot", "/post"),
    ("User-agent: GPTBot CCBot|Disallow: /", "CCBot", "/post"),
    ("User-agent: *|Disallow: /a, /b, /c", "SomeBot", "/b"),
    ("User-agent: *|Disallow: /a /b", "SomeBot", "/b"),
    ("User-agent: *|Disallow: /a Disallow: /b", "SomeBot", "/b"),
    ("User-agent: *|Disallow: /draft\u00a0", "SomeBot", "/draft"),
    ("User-agent:\u00a0GPTBot|Disallow:\u00a0/", "GPTBot", "/post"),
    ("\ufeffAllow: /x|\ufeffUser-agent: GPTBot|Disallow: /", "GPTBot", "/post"),
    ("User-agent: GPTBot|Disallow: /|Allow: /", "GPTBot", "/post"),
    ("User-agent: GPT-Bot|Disallow: /", "GPTBot", "/post"),
    ("User agent GPTBot|Disallow /", "GPTBot", "/post"),
    ("User-agent: GPTBot|Dissalow: /", "GPTBot", "/post"),
    ("User-agent: GPTBot/1.0|Disallow: /", "GPTBot", "/post"),
    (
        "User-agent: Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)|Disallow: /",
        "GPTBot",
        "/post",
    ),
    ("User-agent: *|Disallow: private/", "SomeBot", "/private/x"),
    ("User-agent: *|Disallow: https://blog.example/private/", "SomeBot", "/private/x"),
    ("Disallow: /private/|User-agent: *|Allow: /open", "SomeBot", "/private/x"),
]


@pytest.mark.parametrize(("text", "token", "path"), MEANT_CLOSED)
def test_every_parser_reads_the_intended_rules_after_the_fixes(text: str, token: str, path: str) -> None:
    body = "".join(f"{line}\n" for line in text.split("|")).encode()
    after = with_all_fixes(body)
    for reader in READERS:
        assert not reader.allowed(after, token, path), (reader.name, after)
    assert not [f for f in lint(after).findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize(("text", "token", "path"), MEANT_CLOSED)
def test_no_fix_repeats_a_damaged_line(text: str, token: str, path: str) -> None:
    body = "".join(f"{line}\n" for line in text.split("|")).encode()
    for finding in lint(body).findings:
        assert not ParsedFile.read(finding.fix.encode()).malformed, finding


def test_a_record_joined_to_another_line_is_one_finding() -> None:
    (finding,) = lint(b"User-agent: GPTBot Disallow: /\n").findings
    assert (finding.id, finding.fix) == ("joined-records", "User-agent: GPTBot\nDisallow: /")


def test_an_end_sign_misses_a_query_until_it_is_fixed() -> None:
    body = b"User-agent: *\nDisallow: /*.pdf$\n"
    (finding,) = [f for f in lint(body).findings if f.id == "end-sign-misses-queries"]
    google = next(reader for reader in READERS if reader.name == "gpyrobotstxt")
    assert google.allowed(body, "SomeBot", "/a.pdf?x=1")
    after = pasted(body, finding)
    assert not google.allowed(after, "SomeBot", "/a.pdf?x=1")
    assert not google.allowed(after, "SomeBot", "/a.pdf")


@pytest.mark.parametrize(
    "text",
    [
        "User-agent: Kangaroo Bot|Disallow: /",
        "User-agent: Sidetrade indexer bot|Disallow: /",
        "User-agent: *|Disallow: /a,b|Disallow: /c;d|Disallow: /e'f|Disallow: /x?u=allow:1|Disallow: /say%22",
        "User-agent: *|Disallow: /a # Disallow: /b",
        "# User-agent: GPTBot Disallow: /|User-agent: *|Allow: /",
        "User-agent: *|Disallow: /wiki/Special:|Disallow: /Help:Allow",
        "User-agent: *|Disallow: /*.pdf$|Disallow: /*.pdf?",
        "User-agent: *|Disallow: /$|Disallow: /x*$",
    ],
)
def test_an_intended_line_is_no_finding(text: str) -> None:
    body = "".join(f"{line}\n" for line in text.split("|")).encode()
    damage_kinds = {
        *("html-tags", "invisible-character", "joined-records", "quoted-value", "several-tokens"),
        *("several-paths", "end-sign-misses-queries"),
    }
    assert not damage_kinds & {finding.id for finding in lint(body).findings}


def test_fixes_of_a_large_file_are_tried_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counting(body: bytes, edits: dict[int, str | None]) -> bytes:
        nonlocal read
        read += len(body)
        return edited(body, edits)

    monkeypatch.setattr(sys.modules["aipolicy.robotstxt.linter"], "edited", counting)
    body = b"User-agent: *\n" + b"".join(
        b"Disalow: private%d\nUser-agent: GPTBot/%d\n" % (n, n) for n in range(5_000)
    )
    report = lint(body)
    assert 0 < read < 1_500_000
    assert any(finding.fix for finding in report.findings)


def test_a_line_too_long_to_paste_has_no_cut_fix() -> None:
    body = b"User-agent: *\nDisalow: /" + b"x" * 2_000 + b"\n"
    (finding,) = [f for f in lint(body).findings if f.id == "misspelt-field"]
    assert finding.fix == ""
    long = b"User-agent: *\nDisalow: /" + b"x" * 300 + b"\n"
    (finding,) = [f for f in lint(long).findings if f.id == "misspelt-field"]
    assert finding.fix == "Disallow: /" + "x" * 300
    assert re.fullmatch(r"Disallow: /x+", finding.fix)


FIXES_THAT_WAIT = [
    ("User-agent: GPTBot, CCBot|Disallow: /", ("GPTBot", "CCBot"), {"several-tokens"}),
    ("User-agnet: GPTBot|Dissalow: /", ("GPTBot",), {"misspelt-field"}),
    ("User-agnet: GPTBot|Disallow: /", ("GPTBot",), {"misspelt-field"}),
    ("User-agent: GPTBot|Disallow:\u00a0/", ("GPTBot",), {"invisible-character"}),
    ("User-agent: Googlebot|Allow: /|User-agnet: GPTBot|Disallow: /", ("GPTBot",), {"misspelt-field"}),
    ("Disallow: /|User-agent: GPTBot", ("GPTBot",), {"rule-before-group"}),
    ("Disallow: /|User-agent: GPTBot|Disallow: /|User-agent: CCBot", ("CCBot",), set()),
]


@pytest.mark.parametrize(("text", "closed", "fixed"), FIXES_THAT_WAIT)
def test_no_fix_of_a_report_opens_what_another_shuts(
    text: str, closed: tuple[str, ...], fixed: set[str]
) -> None:
    body = "".join(f"{line}\n" for line in text.split("|")).encode()
    findings = lint(body).findings
    assert {finding.id for finding in findings if finding.fix} == fixed
    for finding in findings:
        assert "fixes it" not in finding.effect or finding.fix
        assert "Allow" not in finding.fix, finding
        assert "User-agent: *" not in finding.fix, finding
    if fixed:
        after = with_all_fixes(body)
        for reader in READERS:
            for token in closed:
                assert not reader.allowed(after, token, "/post"), (reader.name, token, after)
            assert reader.allowed(after, "Googlebot", "/post"), (reader.name, after)
