"""The findings of the linter, and files without findings."""

import pytest

from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.rendering import render
from aipolicy.robotstxt import KINDS, Severity, lint
from aipolicy.signals.switches import Signals
from tests.hostile import files
from tests.robotstxt.files import found, kinds, lines

OPEN = "UA * | Allow: /"

# fmt: off
CASES = [
    # kind, file, lines, a part of the fix
    ("html-page", "<!DOCTYPE html> | <html>", (1,), ""),
    ("says-nothing", "# nothing", (), "User-agent: *"),
    ("rule-before-group", f"Disallow: /x | {OPEN}", (1,), "User-agent: *\nDisallow: /x"),
    ("signal-before-group", f"Content-Signal: ai-train=no | {OPEN}", (1,), "Content-Signal: ai-train=no"),
    ("empty-token", "User-agent: | Disallow: /", (1,), "User-agent: *"),
    ("user-agent-header", "UA Mozilla/5.0 (compatible; GPTBot/1.1) | Disallow: /", (1,),
     "User-agent: GPTBot"),
    ("token-with-version", "UA GPTBot/1.1 | Disallow: /", (1,), "User-agent: GPTBot"),
    ("token-with-version", "UA GPTBot* | Disallow: /", (1,), "User-agent: GPTBot"),
    ("token-typo", "UA GPT-Bot | Disallow: /", (1,), "User-agent: GPTBot"),
    ("token-typo", "UA ClaudBot | Disallow: /", (1,), "User-agent: ClaudeBot"),
    ("token-typo", "UA Google Extended | Disallow: /", (1,), "User-agent: Google-Extended"),
    ("token-nobody-answers", "UA ChatGPT | Disallow: /", (1,), "User-agent: OAI-SearchBot"),
    ("token-left-out", "UA Scrapy | Disallow: /", (1,), ""),
    ("token-outside-grammar", "UA AI2Bot | Disallow: /", (1,), ""),
    ("group-without-rules", "UA * | Content-Signal: ai-train=no | | UA GPTBot | Disallow: /",
     (1, 2), "User-agent: *\nContent-Signal: ai-train=no\nAllow: /"),
    ("group-without-rules", "UA * | Disallow: / | | UA GPTBot", (4,), "User-agent: GPTBot\nAllow: /"),
    ("line-between-user-agents", "UA GPTBot | Content-Usage: train-ai=n | UA CCBot | Disallow: /",
     (1, 2), "User-agent: GPTBot\nUser-agent: CCBot\nContent-Usage: train-ai=n"),
    ("blank-line-in-group", "UA GPTBot | Disallow: /a | | Disallow: /b", (3,),
     "User-agent: GPTBot\nDisallow: /a\nDisallow: /b"),
    ("duplicate-group", "UA GPTBot | Disallow: /a | | UA gptbot | Disallow: /b", (1, 4),
     "User-agent: GPTBot\nDisallow: /a\nDisallow: /b"),
    ("path-without-slash", "UA * | Disallow: private", (2,), "Disallow: /private"),
    ("path-without-slash", "UA * | Disallow: https://blog.example/a?b", (2,), "Disallow: /a?b"),
    ("reopened-by-allow", "UA GPTBot | Disallow: / | Allow: /", (2, 3), "User-agent: GPTBot\nDisallow: /"),
    ("reopened-by-allow", "UA GPTBot | Disallow: / | | UA GPTBot | Allow: /*", (2, 5), "Disallow: /"),
    ("reopened-by-allow", "UA SomeBot | UA GPTBot | Disallow: / | Allow: /", (3, 4), "User-agent: GPTBot"),
    ("rule-never-decides", "UA * | Disallow: /page | Allow: /page", (2, 3), ""),
    ("rule-never-decides", "UA * | Allow: /page | Disallow: /page*", (2, 3), ""),
    ("empty-rule-beside-others", "UA * | Disallow: | Disallow: /x", (2,), "Disallow: /x"),
    ("duplicate-rule", "UA * | Disallow: /x | Disallow: /x", (3,), ""),
    ("read-as-rule", "UA * | Disallow-AI-Training: / | Allow: /ok", (2,), "# Disallow-AI-Training: /"),
    ("read-as-rule", "UA * | Disallows: /x", (2,), "Disallow: /x"),
    ("misspelt-field", "UA * | Disalow: /x", (2,), "Disallow: /x"),
    ("misspelt-field", "User-agen: * | Disallow: /x", (1,), "User-agent: *"),
    ("misspelt-field", f"{OPEN} | Content-Signals: ai-train=no", (3,), "Content-Signal: ai-train=no"),
    ("missing-colon", "UA * | Disallow /x", (2,), "Disallow: /x"),
    ("unreadable-line", f"{OPEN} | please go away now", (3,), "# please go away now"),
    ("unknown-field", f"{OPEN} | Noindex: /x", (3,), ""),
    ("unknown-field", f"{OPEN} | Favourite-colour: blue", (3,), ""),
    ("crawl-delay", f"{OPEN} | Crawl-delay: 10", (3,), ""),
    ("sitemap-not-absolute", f"{OPEN} | Sitemap: /sitemap.xml", (3,), ""),  # nobody here knows the host
    ("sitemap-not-absolute", f"{OPEN} | Sitemap: //blog.example/s.xml", (3,), "https://blog.example/s.xml"),
    ("joined-records", "User-agent: GPTBot Disallow: /", (1,), "User-agent: GPTBot\nDisallow: /"),
    ("joined-records", "UA * | Disallow: /a Disallow: /b", (2,), "Disallow: /a\nDisallow: /b"),
    ("joined-records", "UA * | Disallow: /a, Allow: /a/b", (2,), "Disallow: /a\nAllow: /a/b"),
    ("joined-records", "User-agent: *\\nDisallow: /a\\n", (1,), "User-agent: *\nDisallow: /a"),
    ("joined-records", "User-agent: GPTBotDisallow: /", (1,), "User-agent: GPTBot\nDisallow: /"),
    ("html-tags", "User-agent: GPTBot<br>Disallow: /<br/>", (1,), "User-agent: GPTBot\nDisallow: /"),
    ("html-tags", "<p>User-agent: GPTBot</p> | <p>Disallow: /</p>", (1,), "User-agent: GPTBot"),
    ("html-tags", "<p>User-agent: GPTBot Disallow: /</p>", (1,), "User-agent: GPTBot\nDisallow: /"),
    ("quoted-value", 'User-agent: "GPTBot" | Disallow: /', (1,), "User-agent: GPTBot"),
    ("quoted-value", 'UA * | Disallow: "/private/"', (2,), "Disallow: /private/"),
    ("quoted-value", "User-agent: \u2018*\u2019 | Disallow: /a", (1,), "User-agent: *"),
    ("several-tokens", "User-agent: GPTBot, CCBot | Disallow: /", (1,),
     "User-agent: GPTBot\nUser-agent: CCBot"),
    ("several-tokens", "User-agent: GPTBot CCBot | Disallow: /", (1,),
     "User-agent: GPTBot\nUser-agent: CCBot"),
    ("several-paths", "UA * | Disallow: /a, /b", (2,), "Disallow: /a\nDisallow: /b"),
    ("several-paths", "UA * | Disallow: /a /b", (2,), "Disallow: /a\nDisallow: /b"),
    ("invisible-character", "UA * | Disallow: /draft\u00a0", (2,), "Disallow: /draft"),
    ("invisible-character", "UA * | Disallow:\u00a0/draft", (2,), "Disallow: /draft"),
    ("invisible-character", "User-agent: GPT\u200bBot | Disallow: /", (1,), "User-agent: GPTBot"),
    ("end-sign-misses-queries", "UA * | Disallow: /*.pdf$", (2,), "Disallow: /*.pdf?"),
    ("unreadable-usage", "UA * | Content-Usage: no | Allow: /", (2,), "Content-Usage: train-ai=n"),
    ("unreadable-usage", "UA * | Content-Usage: Train-AI=n | Allow: /", (2,), "Content-Usage: train-ai=n"),
    ("unreadable-usage", "UA * | Content-Usage: Search=y | Allow: /", (2,), "Content-Usage: search=y"),
    ("unreadable-usage", "UA * | Content-Usage: /a ok | Allow: /", (2,), ""),
    ("unreadable-usage", "UA * | Content-Usage: /a ai-train=no | Allow: /", (2,),
     "Content-Usage: /a train-ai=n"),
    ("unreadable-usage", "UA * | Content-Usage: train-ai=n, ai-use=no | Allow: /", (2,),
     "Content-Usage: train-ai=n, ai-use=n"),
    ("unreadable-signal", "UA * | Content-Signal: ai-train=maybe, search=yes | Allow: /", (2,),
     "Content-Signal: search=yes"),
    ("unreadable-signal", "UA * | Content-Signal: train-ai=n | Allow: /", (2,), "Signal: ai-train=no"),
    ("signal-spelling", "UA * | Content-Signal: AI-Train=NO | Allow: /", (2,), "Content-Signal: ai-train=no"),
    ("signals-disagree", "UA * | Content-Signal: ai-train=no | Content-Usage: train-ai=y | Allow: /", (2, 3),
     "Content-Usage: train-ai=n"),
    ("signals-disagree", "UA * | Content-Signal: ai-train=no | Allow: / | | User-agent: * "
     "| Content-Signal: ai-train=yes | Allow: /a", (2, 6), "Content-Signal: ai-train=no"),
    ("signal-grants-what-is-disallowed", "UA GPTBot | Content-Signal: search=yes, ai-train=yes | Disallow: /",
     (2,), "Content-Signal: search=yes, ai-train=no"),
    ("everyone-blocked", "UA * | Disallow: /", (1, 2), "User-agent: Googlebot"),
    ("search-engine-blocked", f"UA Googlebot | Disallow: / | | {OPEN}", (1,), ""),
    ("control-token", f"UA Google-Extended | Disallow: / | | {OPEN}", (1,), ""),
    ("crawler-ignores-robots", f"UA Perplexity-User | Disallow: / | | {OPEN}", (1,), ""),
    ("retired-token", f"UA anthropic-ai | Disallow: / | | {OPEN}", (1,), "User-agent: ClaudeBot"),
    ("own-group-drops-rules", "UA GPTBot | Allow: /press/ | | UA * | Disallow: /drafts/", (1,),
     "Disallow: /drafts/"),
    ("signal-not-repeated", "UA GPTBot | Allow: / | | UA * | Content-Signal: ai-train=no | Allow: /",
     (1,), "Content-Signal: ai-train=no"),
    ("read-differently", "UA Applebot | Disallow: / | | UA * | Allow: /", (2, 5),
     "User-agent: Applebot-Extended"),
]
# fmt: on


@pytest.mark.parametrize(
    ("kind", "text", "numbers", "fix"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_a_mistake_is_found_with_its_line_and_a_fix(
    kind: str, text: str, numbers: tuple[int, ...], fix: str
) -> None:
    first = found(lines(text), kind)[0]
    assert first.lines == numbers
    assert first.effect
    assert fix in first.fix
    assert bool(fix) is bool(first.fix)


OTHER_CASES = {
    "file-too-large": b"User-agent: *\nDisallow: /a\n" + b"#\n" * 300_000,
    "line-too-long": b"User-agent: *\nDisallow: /" + b"x" * 20_000,
    "byte-order-mark": b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\n",
    "not-utf-8": b"User-agent: *\nDisallow: /caf\xe9\n",
    "odd-line-end": "User-agent: *\n# one\u2028Disallow: /x\nDisallow: /y\n".encode(),
    "too-many-combinations": files()["6,000 tokens in one large and a small group each"],
}


@pytest.mark.parametrize("kind", OTHER_CASES)
def test_mistakes_in_the_bytes_are_found(kind: str) -> None:
    assert found(OTHER_CASES[kind], kind)


def test_every_kind_of_finding_has_an_example_here() -> None:
    assert {case[0] for case in CASES} | set(OTHER_CASES) == set(KINDS)


@pytest.mark.parametrize(
    "fix_of", [case for case in CASES if case[3] and KINDS[case[0]].severity != "note"], ids=str
)
def test_a_fix_pasted_alone_is_free_of_that_mistake(fix_of: tuple[str, str, tuple[int, ...], str]) -> None:
    kind, text, _, _ = fix_of
    fix = found(lines(text), kind)[0].fix
    if not fix.lower().startswith("user-agent"):
        fix = f"User-agent: *\n{fix}\nAllow: /"
    left = [finding for finding in lint(fix.encode()).findings if finding.severity is not Severity.NOTE]
    assert kind not in {finding.id for finding in left}


OWN_BASES = {
    "none": None,
    "wordpress": b"User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\n"
    b"Sitemap: https://blog.example/wp-sitemap.xml\n",
    "delay": b"User-agent: *\nCrawl-delay: 2\nUser-agent: Googlebot\nDisallow: /drafts/\n",
    "own-groups": b"User-agent: GPTBot\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\nAllow: /b/c\n",
    "comments": b"# ours\nUser-agent: * # all\nDisallow: /b # b\n",
    "empty-disallow": b"User-agent: *\nDisallow:\n",
}


@pytest.mark.parametrize("base", OWN_BASES)
@pytest.mark.parametrize("preset", PRESETS)
def test_our_own_files_have_nothing_worse_than_notes(preset: Preset, base: str) -> None:
    if preset == "unset":
        return  # it leaves the base as it is
    for signals in (
        Signals(),
        Signals(content_usage=False),
        Signals(content_signal=False),
        Signals(content_usage=False, content_signal=False),
        Signals(rsl=True),
    ):
        policy = SitePolicy.from_preset(
            preset,
            site="blog.example",
            robots_base=OWN_BASES[base],
            sitemaps=("https://blog.example/s.xml",),
            license_url="https://blog.example/license.xml",
        )
        report = lint(render(policy, signals).robots.body)
        assert report.worst() in (None, Severity.NOTE), report.findings[0]


@pytest.mark.parametrize(
    "text",
    [
        "UA * | Disallow: /admin/ | | UA GPTBot | UA CCBot | Disallow: /",
        "UA * | Disallow:",
        "UA * | Content-Signal: search=yes,ai-train=no | Content-Usage: train-ai=n | Allow: /",
        "# a comment | UA * # everyone | Disallow: /a # here | Sitemap: https://blog.example/sitemap.xml",
        "UA SemrushBot | UA AhrefsBot | UA Exabot | Disallow: /x | | UA * | Allow: /",
        "UA Googlebot-Mobile | Disallow: /x | | UA * | Allow: /",
    ],
)
def test_a_file_without_mistakes_has_no_error_or_warning(text: str) -> None:
    worse = {f.id for f in lint(lines(text)).findings if f.severity is not Severity.NOTE}
    assert not worse


def test_a_note_becomes_a_warning_if_it_matters() -> None:
    alone = found(lines(f"UA anthropic-ai | Disallow: / | | {OPEN}"), "retired-token")[0]
    both = found(lines(f"UA anthropic-ai | UA ClaudeBot | Disallow: / | | {OPEN}"), "retired-token")[0]
    assert (alone.severity, both.severity) == (Severity.WARNING, Severity.NOTE)


def test_a_token_that_is_cut_to_another_crawlers_name_is_reported() -> None:
    cut = found(lines("UA CCBot 2 | Disallow: /"), "token-outside-grammar")
    assert "'CCBot'" in cut[0].effect
    assert cut[0].severity is Severity.WARNING


def test_an_allow_of_robots_txt_itself_opens_nothing() -> None:
    assert "everyone-blocked" in kinds(lines("UA * | Disallow: / | Allow: /robots.txt"))


def test_a_difference_has_the_dialect_the_crawlers_the_path_and_the_lines() -> None:
    body = lines("UA * | Content-Signal: ai-train=no | UA GPTBot | Disallow: /")
    protego = next(f for f in found(body, "read-differently") if f.found.startswith("protego"))
    assert "at /" in protego.found
    assert "it may" in protego.effect
    assert protego.lines == (4,)


def test_the_same_finding_a_thousand_times_is_counted_and_not_listed() -> None:
    report = lint(b"User-agent: *\n" + b"Disallow: private\n" * 1000)
    assert len(found(b"User-agent: *\n" + b"Disallow: private\n" * 1000, "path-without-slash")) == 50
    assert report.more == {"path-without-slash": 950}


def test_googles_and_apples_crawlers_use_googlebots_group_if_they_have_none() -> None:
    body = lines("UA Googlebot | Allow: / | | UA * | Disallow: /")
    effect = found(body, "everyone-blocked")[0].effect
    assert "bingbot" in effect
    assert "Googlebot" not in effect
    assert "Applebot" not in effect


def test_a_file_in_utf_16_is_one_finding() -> None:
    body = "User-agent: *\nDisallow: /\n".encode("utf-16")
    assert [(f.id, f.severity) for f in lint(body).findings] == [("not-utf-8", Severity.ERROR)]


def test_a_sitemap_line_without_its_colon_is_reported_as_that() -> None:
    missing = found(lines(f"{OPEN} | Sitemap https://blog.example/s.xml"), "missing-colon")[0]
    assert missing.fix == "Sitemap: https://blog.example/s.xml"
