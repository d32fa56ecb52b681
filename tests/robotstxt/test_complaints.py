"""Fifty files of the kinds that people complain about in public, each fix pasted and read again.

``closed`` and ``open`` are what the owner meant. Each is what every parser reads once the fixes are pasted;
where no fix can know what was meant, the finding is named that tells of it.
"""

from dataclasses import dataclass

import pytest

from aipolicy.robotstxt import Severity, lint
from aipolicy.robotstxt.fixes import edited
from tests.readers import READERS, excuse

Asked = tuple[str, str]  # product token, path


@dataclass(frozen=True)
class Complaint:
    """A file (lines separated by ``|``), what its owner meant, and findings that have no fix."""

    says: str
    text: str
    closed: tuple[Asked, ...] = ()
    open: tuple[Asked, ...] = ()
    expected_findings: frozenset[str] = frozenset()


GPT, ANY, GOOGLE, CC = "GPTBot", "SomeBot", "Googlebot", "CCBot"
COMPLAINTS = [
    Complaint("a form took the line ends", "User-agent: * Disallow: /private/", ((ANY, "/private/x"),)),
    Complaint(
        "the same, with a sitemap",
        "User-agent: * Disallow: /private/ Sitemap: https://blog.example/s.xml",
        ((ANY, "/private/x"),),
        ((ANY, "/"),),
    ),
    Complaint("an SEO plug-in escaped the line ends", r"User-agent: GPTBot\nDisallow: /\n", ((GPT, "/x"),)),
    Complaint("Windows line ends, escaped", r"User-agent: GPTBot\r\nDisallow: /\r\n", ((GPT, "/x"),)),
    Complaint("a visual editor", "<p>User-agent: GPTBot<br />|Disallow: /</p>", ((GPT, "/x"),)),
    Complaint("a page builder", "<div>User-agent: GPTBot</div>|<div>Disallow: /</div>", ((GPT, "/x"),)),
    Complaint("pre tags", "<pre>|User-agent: GPTBot|Disallow: /|</pre>", ((GPT, "/x"),)),
    Complaint("a list", "<ul><li>User-agent: GPTBot</li><li>Disallow: /</li></ul>", ((GPT, "/x"),)),
    Complaint(
        "no-break spaces from a word processor", "User-agent:\u00a0GPTBot|Disallow:\u00a0/", ((GPT, "/x"),)
    ),
    Complaint("a no-break space at the end", "User-agent: *|Disallow: /draft\u00a0", ((ANY, "/draft"),)),
    Complaint("a zero-width space from a chat", "User-agent: GPT\u200bBot|Disallow: /", ((GPT, "/x"),)),
    Complaint(
        "two files joined, the second with its mark",
        "User-agent: *|Allow: /|\ufeffUser-agent: GPTBot|Disallow: /",
        ((GPT, "/x"),),
        ((ANY, "/x"),),
    ),
    Complaint("a mark before the first line", "\ufeffUser-agent: GPTBot|Disallow: /", ((GPT, "/x"),)),
    Complaint("typographic quotes", "User-agent: \u201cGPTBot\u201d|Disallow: \u201c/\u201d", ((GPT, "/x"),)),
    Complaint("quotes as in YAML", 'User-agent: "*"|Disallow: "/private/"', ((ANY, "/private/x"),)),
    Complaint("code marks as in Markdown", "User-agent: `GPTBot`|Disallow: `/`", ((GPT, "/x"),)),
    Complaint(
        "tokens with commas", "User-agent: GPTBot, CCBot, ClaudeBot|Disallow: /", ((GPT, "/x"), (CC, "/x"))
    ),
    Complaint("tokens with spaces", "User-agent: GPTBot CCBot|Disallow: /", ((GPT, "/x"), (CC, "/x"))),
    Complaint("tokens with bars", "User-agent: GPTBot; CCBot|Disallow: /", ((GPT, "/x"), (CC, "/x"))),
    Complaint("paths with commas", "User-agent: *|Disallow: /cgi-bin/, /tmp/, /~joe/", ((ANY, "/tmp/x"),)),
    Complaint("paths with spaces", "User-agent: *|Disallow: /cgi-bin/ /tmp/ /images/", ((ANY, "/images/x"),)),
    Complaint(
        "rules on one line", "User-agent: *|Disallow: /a/ Disallow: /b/", ((ANY, "/a/x"), (ANY, "/b/x"))
    ),
    Complaint("a path without its slash", "User-agent: *|Disallow: private/", ((ANY, "/private/x"),)),
    Complaint("a whole URL", "User-agent: *|Disallow: https://blog.example/private/", ((ANY, "/private/x"),)),
    Complaint("no colon", "User-agent GPTBot|Disallow /", ((GPT, "/x"),)),
    Complaint("a slip in Disallow", "User-agent: GPTBot|Dissallow: /", ((GPT, "/x"),)),
    Complaint("another slip", "User-agent: GPTBot|Disallowed: /", ((GPT, "/x"),)),
    Complaint("a slip in User-agent", "User-agents: GPTBot|Disallow: /", ((GPT, "/x"),)),
    Complaint("a slip in the token", "User-agent: GPT-Bot|Disallow: /", ((GPT, "/x"),)),
    Complaint("the product instead of the crawler", "User-agent: ChatGPT|Disallow: /", ((GPT, "/x"),)),
    Complaint("the company", "User-agent: anthropic|Disallow: /", (("ClaudeBot", "/x"),)),
    Complaint("a version", "User-agent: GPTBot/1.0|Disallow: /", ((GPT, "/x"),)),
    Complaint(
        "the whole header",
        "User-agent: Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)|Disallow: /",
        ((GPT, "/x"),),
    ),
    Complaint(
        "rules above every group", "Disallow: /private/|User-agent: *|Allow: /public/", ((ANY, "/private/x"),)
    ),
    Complaint("an Allow as long as the Disallow", "User-agent: GPTBot|Disallow: /|Allow: /", ((GPT, "/x"),)),
    Complaint(
        "an old group that lets in",
        "User-agent: GPTBot|Disallow: /||User-agent: GPTBot|Allow: /",
        ((GPT, "/x"),),
    ),
    Complaint("a blank line behind the token", "User-agent: GPTBot||Disallow: /", ((GPT, "/x"),)),
    Complaint("a blank line between rules", "User-agent: *|Disallow: /a/||Disallow: /b/", ((ANY, "/b/x"),)),
    Complaint("an empty Disallow first", "User-agent: *|Disallow:|Disallow: /a/", ((ANY, "/a/x"),)),
    Complaint(
        "PDF files with a query",
        "User-agent: *|Disallow: /*.pdf$",
        (("Googlebot", "/a.pdf"),),
        expected_findings=frozenset({"end-sign-misses-queries"}),
    ),
    Complaint(
        "a delay for all, rules for one",
        "User-agent: *|Crawl-delay: 10||User-agent: GPTBot|Disallow: /",
        ((GPT, "/x"),),
    ),
    Complaint(
        "a signal for all, rules for one",
        "User-agent: *|Content-Signal: ai-train=no||User-agent: GPTBot|Disallow: /",
        ((GPT, "/x"),),
    ),
    Complaint("everyone, where AI was meant", "User-agent: *|Disallow: /", ((GPT, "/x"),), ((GOOGLE, "/x"),)),
    Complaint(
        "a group of its own that lacks the rules",
        "User-agent: *|Disallow: /drafts/||User-agent: GPTBot|Allow: /a/",
        ((GPT, "/drafts/x"), (ANY, "/drafts/x")),
    ),
    Complaint(
        "noindex in robots.txt",
        "User-agent: *|Noindex: /private/|Allow: /",
        expected_findings=frozenset({"unknown-field"}),
    ),
    Complaint(
        "a sitemap by its path",
        "User-agent: *|Allow: /|Sitemap: /sitemap.xml",
        expected_findings=frozenset({"sitemap-not-absolute"}),
    ),
    Complaint(
        "a new record that nobody reads", "User-agent: *|Disallow-AI-Training: /|Allow: /", (), ((ANY, "/x"),)
    ),
    Complaint(
        "a signal in words of the other draft",
        "User-agent: *|Content-Signal: train-ai=n|Allow: /",
        (),
        ((ANY, "/x"),),
    ),
    Complaint(
        "a page instead of the file",
        "<!DOCTYPE html>|<html><body>Not found</body></html>",
        expected_findings=frozenset({"html-page"}),
    ),
    Complaint(
        "control tokens, to keep a crawler out",
        "User-agent: Google-Extended|Disallow: /||User-agent: *|Allow: /",
        (("Google-Extended", "/x"),),
        ((GOOGLE, "/x"),),
        frozenset({"control-token"}),
    ),
]


def bytes_of(complaint: Complaint) -> bytes:
    return "".join(f"{line}\n" for line in complaint.text.split("|")).encode()


def with_all_fixes(raw: bytes) -> bytes:
    """The file once each fix is pasted, one after the other, the gravest first."""
    for _ in range(25):
        finding = next((f for f in lint(raw).findings if f.fix), None)
        if finding is None:
            return raw
        raw = edited(raw, dict(finding.edits))
    raise AssertionError(f"fixes without an end: {raw!r}")


def test_there_are_fifty() -> None:
    assert len({complaint.text for complaint in COMPLAINTS}) == len(COMPLAINTS) == 50


@pytest.mark.parametrize("complaint", COMPLAINTS, ids=lambda one: one.says.replace(" ", "-"))
def test_a_common_mistake_has_the_intended_effect_once_its_fixes_are_pasted(
    complaint: Complaint,
) -> None:
    raw = bytes_of(complaint)
    assert lint(raw).findings, "the mistake is found"
    after = with_all_fixes(raw)
    for asked, allowed in ((complaint.closed, False), (complaint.open, True)):
        for token, path in asked:
            for reader in READERS:
                if not excuse(reader, after, token, path):
                    assert reader.allowed(after, token, path) is allowed, (
                        reader.name,
                        token,
                        path,
                        after.decode(),
                    )
    left = {f.id for f in lint(after).findings if f.severity is Severity.ERROR}
    assert left <= complaint.expected_findings, (left, after.decode())
    assert complaint.expected_findings <= {f.id for f in lint(raw).findings}
