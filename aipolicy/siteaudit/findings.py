"""What a check of a live site may find: every kind, its identifier and how grave it is.

What a linter finds in the robots.txt keeps the identifiers of ``aipolicy.robotstxt.findings``.
"""

from dataclasses import dataclass
from types import MappingProxyType

from aipolicy.report.text import listed
from aipolicy.robotstxt.findings import KINDS as LINT_KINDS
from aipolicy.robotstxt.findings import Finding as LintFinding
from aipolicy.robotstxt.findings import FindingKind, Severity

_MOST_LINES, _LONGEST = 60, 300  # of a fix: lines, and characters of one

_ERRORS = {
    "unreachable": "Neither the page nor robots.txt could be had: nothing can be said of the site.",
    "not-judged": "aipolicy itself failed on what the site sent: nothing is known of it.",
    "robots-refused": "robots.txt is answered with a 4xx: to crawlers that is a site without rules.",
    "robots-rate-limited": "robots.txt is answered with 429: some crawlers take that for no rules.",
    "robots-unreachable": "robots.txt is answered with a 5xx, or not at all: crawlers keep out, all of them.",
    "robots-redirects": "robots.txt is more than five redirects away: crawlers go on without rules.",
    "robots-unreadable": "robots.txt is in a coding that can't be undone, or redirects to no URL: no rules.",
    "robots-refused-to-crawlers": "A crawler's User-Agent is refused the robots.txt that others get.",
    "robots-differs-by-client": "A crawler's User-Agent gets a robots.txt with another effect.",
    "robots-stale-copy": "A cache serves a robots.txt with another effect than the site's own of now.",
    "page-stale-copy": "A cache serves the page with other signals than the site's own of now.",
    "signals-contradict": "One signal says no to a use of the page, another says yes.",
    "content-usage-unreadable": "A Content-Usage header, or a label of it, that says nothing as it stands.",
    "content-usage-repeated": "A label twice in Content-Usage: the last value counts, a stricter is lost.",
    "tdm-reservation-unreadable": "A tdm-reservation header or tag whose value is neither 0 nor 1.",
    "tdmrep-unreadable": "A tdmrep.json that can't be read as the protocol asks for: it says nothing.",
    "tdmrep-entry-unreadable": "An entry of tdmrep.json that the protocol doesn't allow.",
}
_WARNINGS = {
    "robots-missing": "There is no robots.txt, although the page says no to AI.",
    "robots-content-type": "robots.txt isn't sent as text/plain in UTF-8.",
    "robots-on-another-host": "robots.txt redirects to another host: whoever runs that one makes the rules.",
    "robots-cached-long": "robots.txt may be cached for longer than the 24 hours of RFC 9309.",
    "robots-old-copy": "The copy of robots.txt that came has been in a cache for more than 24 hours.",
    "robots-not-compared": "robots.txt differs by client or cache, and is too large to say how.",
    "cdn-adds-rules": "A CDN or host puts rules of its own into robots.txt.",
    "page-refused-to-crawlers": "A crawler's User-Agent is refused the page, although robots.txt lets it in.",
    "page-differs-by-client": "A browser's or crawler's User-Agent gets the page with other signals.",
    "page-refused": "The page itself is answered with an error.",
    "not-the-sites-page": "A challenge, an error page or a parked domain's, answered with 200.",
    "page-unreachable": "The page itself gives no answer: what it says is unknown.",
    "page-unreadable": "Of the page only the headers can be read: not its body, or where it redirects to.",
    "page-on-another-host": "The page redirects to another host, which has a robots.txt of its own.",
    "opt-out-not-in-robots": "The page says no to training, and robots.txt shuts no training crawler out.",
    "grant-to-the-shut-out": "A signal grants a use to crawlers that robots.txt shuts out.",
    "noai-unread": "A noai that its known readers don't see, as it is written.",
    "noarchive-with-nocache": "noarchive and nocache together: Bing takes the weaker one.",
    "ai-txt-unreadable": "An ai.txt that comes, and can't be read: it says nothing.",
    "tdmrep-entry-never-decides": "An entry of tdmrep.json behind one that matches all it does.",
    "licence-not-absolute": "An RSL licence that isn't named by a whole URL.",
    "licences-differ": "robots.txt and the page name different RSL licences.",
}
_NOTES = {
    "robots-absent": "There is no robots.txt: every crawler may fetch everything.",
    "robots-redirected": "robots.txt is reached by a redirect.",
    "content-usage-unknown-label": "A label in Content-Usage that isn't of AIPREF's vocabulary.",
    "page-differs-by-query": "The page has other signals at a URL with a query; no cache is seen to be why.",
    "page-redirected": "The page redirects to another path of the site, where the signals are looked up.",
    "content-signal-in-page": "Content-Signal as a header or tag: no policy has it, and no reader is known.",
    "rules-for-named-crawlers": "X-Robots-Tag rules for one crawler: only search engines document that.",
    "page-partly-read": "The page is longer, or stranger, than is read of it.",
}
_DIFFERENCES = {
    "unknown-site": (Severity.ERROR, "The registry has no site with that host."),
    "earlier-policy": (Severity.ERROR, "What is served is that of an earlier policy of the site."),
    "robots-differs": (Severity.ERROR, "robots.txt has another effect than the policy."),
    "headers-unknown": (Severity.ERROR, "The page can't be had: nobody knows whether headers arrive."),
    "no-signals": (Severity.ERROR, "The site sends none of the signals of its policy."),
    "header-missing": (Severity.ERROR, "A header that the policy sends doesn't arrive."),
    "header-differs": (Severity.ERROR, "A header arrives that says something else than the policy."),
    "header-added": (Severity.WARNING, "A header says what the policy doesn't."),
    "tdmrep-missing": (Severity.ERROR, "The policy has a tdmrep.json, and none can be had."),
    "tdmrep-differs": (Severity.ERROR, "tdmrep.json reserves something else than the policy."),
    "tdmrep-added": (Severity.WARNING, "There is a tdmrep.json, and the policy has none."),
    "ai-txt-missing": (Severity.ERROR, "The policy has an ai.txt, and none can be had that says the same."),
    "licence-missing": (Severity.ERROR, "The policy's licence isn't named."),
    "sitemap-missing": (Severity.WARNING, "A sitemap of the policy isn't named in robots.txt."),
}

KINDS = MappingProxyType(
    {name: FindingKind(Severity.ERROR, about) for name, about in _ERRORS.items()}
    | {name: FindingKind(Severity.WARNING, about) for name, about in _WARNINGS.items()}
    | {name: FindingKind(Severity.NOTE, about) for name, about in _NOTES.items()}
    | {name: FindingKind(*kind) for name, kind in _DIFFERENCES.items()}
)
"""Every kind by its identifier, besides the linter's. An identifier never changes its meaning."""

DIFFERENCES = frozenset(_DIFFERENCES)
"""The kinds that are differences from the policy: any of them makes the exit code 1."""

ALL_KINDS = MappingProxyType({**KINDS, **LINT_KINDS})


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``where`` it was seen, what was ``found`` there, its ``effect`` and the ``fix``.

    ``id`` is a key of ALL_KINDS. Texts may quote what a site sent, with its controls escaped and cut.
    """

    id: str
    severity: Severity
    where: str
    found: str
    effect: str
    fix: str = ""

    @property
    def is_difference(self) -> bool:
        return self.id in DIFFERENCES


def finding(
    kind: str, where: str, found: str, effect: str, *, fix: str = "", severity: Severity | None = None
) -> Finding:
    """A finding of a kind of the table, as grave as the table says unless told otherwise."""
    return Finding(kind, severity or KINDS[kind].severity, where, found, effect, fix)


def from_lint(found: LintFinding, *, severity: Severity | None = None) -> Finding:
    """A linter's finding, as one of the site."""
    lines = f" line{'s' * (len(found.lines) > 1)} {listed(map(str, found.lines), 6)}" if found.lines else ""
    pasted = found.fix.split("\n")
    fix = found.fix if len(pasted) <= _MOST_LINES and max(map(len, pasted)) <= _LONGEST else ""  # never cut
    return Finding(found.id, severity or found.severity, f"robots.txt{lines}", found.found, found.effect, fix)
