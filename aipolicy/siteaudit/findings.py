"""The findings of an audit: every kind with its identifier, severity and description.

The linter's findings in a robots.txt keep the identifiers of ``aipolicy.robotstxt.findings``.
"""

from dataclasses import dataclass
from types import MappingProxyType

from aipolicy.report.text import listed
from aipolicy.robotstxt.findings import KINDS as LINT_KINDS
from aipolicy.robotstxt.findings import Finding as LintFinding
from aipolicy.robotstxt.findings import FindingKind, Severity

_MOST_LINES, _LONGEST_LINE = 60, 300  # of a fix

_ERRORS = {
    "unreachable": "The site can't be reached, so nothing is known about its signals.",
    "not-judged": "aipolicy failed to evaluate the site's answers, so nothing is known about its signals.",
    "robots-refused": "/robots.txt is answered with a 4xx status, which means that there are no rules.",
    "robots-rate-limited": "/robots.txt is answered with 429, which some crawlers read as no rules.",
    "robots-unreachable": "/robots.txt is answered with a 5xx status or not at all, so crawlers stay away.",
    "robots-redirects": "/robots.txt redirects more than five times, so crawlers assume no rules.",
    "robots-unreadable": "/robots.txt can't be decoded, or redirects to an invalid URL, so no rules apply.",
    "robots-refused-to-crawlers": "/robots.txt is refused to a crawler's User-Agent but sent to others.",
    "robots-differs-by-client": "A crawler's User-Agent receives a robots.txt with other rules.",
    "robots-stale-copy": "A cache serves an old robots.txt with other rules than the site's current one.",
    "page-stale-copy": "A cache serves an old page with other signals than the site's current one.",
    "signals-contradict": "One signal allows a use of the page, and another disallows it.",
    "content-usage-unreadable": "A Content-Usage header, or one of its labels, is invalid and says nothing.",
    "content-usage-repeated": "Content-Usage has a label twice, and the last value is less strict.",
    "tdm-reservation-unreadable": "A tdm-reservation header or tag has a value other than 0 and 1.",
    "tdmrep-unreadable": "tdmrep.json is not a JSON array of entries, so it reserves nothing.",
    "tdmrep-entry-unreadable": "An entry of tdmrep.json is invalid.",
}
_WARNINGS = {
    "robots-missing": "There is no robots.txt, although the page says no to AI.",
    "robots-content-type": "robots.txt is not sent as text/plain in UTF-8.",
    "robots-on-another-host": "robots.txt redirects to another host, which therefore makes the rules.",
    "robots-cached-long": "Caches may keep robots.txt for longer than the 24 hours of RFC 9309.",
    "robots-old-copy": "A cache served a copy of robots.txt that is older than 24 hours.",
    "robots-not-compared": "robots.txt differs by client or cache, and is too large to compare.",
    "cdn-adds-rules": "A CDN or hosting provider adds rules of its own to robots.txt.",
    "page-refused-to-crawlers": "The page is refused to a crawler that robots.txt allows to fetch it.",
    "page-differs-by-client": "A browser's or crawler's User-Agent receives the page with other signals.",
    "page-refused": "The page is answered with an error.",
    "not-the-sites-page": "A challenge, an error page or a parked domain's page is sent with status 200.",
    "page-unreachable": "The page can't be fetched, so its headers and tags are unknown.",
    "page-unreadable": "The page's body can't be read, or it redirects to an invalid URL.",
    "page-on-another-host": "The page redirects to another host, which has a robots.txt of its own.",
    "opt-out-not-in-robots": "The page says no to AI training, but robots.txt disallows no training crawler.",
    "grant-to-the-shut-out": "A signal allows a use to crawlers that robots.txt disallows.",
    "noai-unread": "A noai is written in a way that its known readers don't find.",
    "noarchive-with-nocache": "The page has both noarchive and nocache, of which Bing follows the weaker.",
    "ai-txt-unreadable": "ai.txt can't be read.",
    "tdmrep-entry-never-decides": "An entry of tdmrep.json comes after one that matches all of its paths.",
    "licence-not-absolute": "An RSL licence is named by an incomplete URL.",
    "licences-differ": "robots.txt and the page name different RSL licences.",
}
_NOTES = {
    "robots-absent": "There is no robots.txt, so every crawler may fetch everything.",
    "robots-redirected": "robots.txt is reached by a redirect.",
    "content-usage-unknown-label": "Content-Usage has a label that is not in AIPREF's vocabulary.",
    "page-differs-by-query": "The page has other signals at a URL with a query, for an unknown reason.",
    "page-redirected": "The page redirects to another path of the site, whose signals are reported.",
    "content-signal-in-page": "Content-Signal is a header or tag, for which no reader is known.",
    "rules-for-named-crawlers": "X-Robots-Tag has rules for one crawler, which only search engines document.",
    "page-partly-read": "Only a part of the page was read, because it is too long or not well-formed.",
}
_DIFFERENCES = {
    "unknown-site": (Severity.ERROR, "The registry has no site with this host."),
    "earlier-policy": (Severity.ERROR, "The site follows an earlier version of its policy."),
    "robots-differs": (Severity.ERROR, "robots.txt has other rules than the policy."),
    "headers-unknown": (Severity.ERROR, "The page can't be fetched, so its headers can't be compared."),
    "no-signals": (Severity.ERROR, "The site sends none of the signals of its policy."),
    "header-missing": (Severity.ERROR, "A header of the policy is missing from the response."),
    "header-differs": (Severity.ERROR, "A header says something other than the policy."),
    "header-added": (Severity.WARNING, "A header says something that is not in the policy."),
    "tdmrep-missing": (Severity.ERROR, "The policy has a tdmrep.json, but the site doesn't serve it."),
    "tdmrep-differs": (Severity.ERROR, "tdmrep.json reserves something other than the policy."),
    "tdmrep-added": (Severity.WARNING, "The site serves a tdmrep.json, but the policy has none."),
    "ai-txt-missing": (Severity.ERROR, "The policy has an ai.txt, but the site doesn't serve it."),
    "licence-missing": (Severity.ERROR, "The policy's licence is not named."),
    "sitemap-missing": (Severity.WARNING, "A sitemap of the policy is not named in robots.txt."),
}

KINDS = MappingProxyType(
    {name: FindingKind(Severity.ERROR, about) for name, about in _ERRORS.items()}
    | {name: FindingKind(Severity.WARNING, about) for name, about in _WARNINGS.items()}
    | {name: FindingKind(Severity.NOTE, about) for name, about in _NOTES.items()}
    | {name: FindingKind(*kind) for name, kind in _DIFFERENCES.items()}
)
"""Every kind by its identifier, without the linter's. An identifier never changes its meaning."""

DIFFERENCES = frozenset(_DIFFERENCES)
"""The kinds that are differences from the policy; any of them makes the exit code 1."""

ALL_KINDS = MappingProxyType({**KINDS, **LINT_KINDS})


@dataclass(frozen=True, slots=True)
class SiteFinding:
    """One finding. Texts may quote what a site sent, shortened and with control characters escaped.

    Attributes:
        id: A key of ``ALL_KINDS``.
        severity: The severity; a kind's own unless the case is a special one.
        where: The file, header or tag.
        found: What is wrong there.
        effect: The consequence.
        fix: What to do; empty if there is nothing to do.
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
) -> SiteFinding:
    """Return a finding of a kind of the table, with the kind's severity by default."""
    return SiteFinding(kind, severity or KINDS[kind].severity, where, found, effect, fix)


def from_lint(found: LintFinding, *, severity: Severity | None = None) -> SiteFinding:
    """Return a linter's finding as one of the site."""
    lines = f" line{'s' * (len(found.lines) > 1)} {listed(map(str, found.lines), 6)}" if found.lines else ""
    pasted = found.fix.split("\n")
    fits = len(pasted) <= _MOST_LINES and max(map(len, pasted)) <= _LONGEST_LINE
    fix = found.fix if fits else ""  # a fix is never shortened
    return SiteFinding(
        found.id, severity or found.severity, f"robots.txt{lines}", found.found, found.effect, fix
    )
