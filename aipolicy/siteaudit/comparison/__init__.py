"""The comparison of a site with its policy."""

from collections.abc import Iterator

from aipolicy.core.policy import SitePolicy
from aipolicy.robotstxt.checks.signals import signal_lines
from aipolicy.signals.headers import FIELDS, as_text
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.comparison import files, headers, robots
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.parsed_site import ParsedSite

__all__ = ["differences"]

_MISSING = frozenset({"robots-differs", "header-missing", "tdmrep-missing"})
_HEADER_AND_ROBOTS = frozenset({"header-missing", "robots-differs"})
_SIGNAL_HEADERS = (*(field.name for field in FIELDS if field.name != "Link"), "Content-Signal")
_SIGNAL_TAGS = ("tdm-reservation", "content-usage")


def differences(site: ParsedSite, expectation: Expectation) -> Iterator[SiteFinding]:
    """Yield each difference of the site from its policy."""
    version = expectation.version
    policy = version.policy if version else None
    if version is None or policy is None:
        yield finding(
            "unknown-site",
            "registry",
            f"{expectation.source} has no site with this host"
            + (f": it was removed on {version.at:%Y-%m-%d %H:%M:%S} UTC" if version and version.at else ""),
            "the site can't be compared with a policy",
            fix="register the site with 'aipolicy set HOST --preset ...', or check the spelling of the host",
        )
        return
    earlier = [v for v in expectation.earlier if v.policy is not None and not _same(v.policy, policy)]
    found = [
        *robots.differences(site, version, policy, expectation.signals, earlier),
        *headers.differences(site, version, policy, expectation.signals, earlier),
        *files.differences(site, policy, expectation.signals),
    ]
    missing = [each for each in found if each.id in _MISSING]
    if _sends_nothing(site) and {each.id for each in missing} >= _HEADER_AND_ROBOTS:
        yield _no_signals(policy, expectation.signals, site)
        found = [each for each in found if each not in missing]
    yield from found


def _sends_nothing(site: ParsedSite) -> bool:
    """Return True if neither the page nor a file says anything to AI crawlers."""
    page = site.page
    sends = any(page.answer.values(name) for name in _SIGNAL_HEADERS)
    tagged = any(page.metas(name) for name in _SIGNAL_TAGS)
    signals = any(map(signal_lines, site.file.bindings))
    named = any(crawler.purpose.categories for crawler in site.file.known)
    return page.answer.ok and not (sends or tagged or signals or named or site.tdm_entries)


def _no_signals(policy: SitePolicy, signals: Signals, site: ParsedSite) -> SiteFinding:
    names = dict.fromkeys(as_text(header)[0] for header in headers.headers_at(policy, signals, site.path))
    everything = ["the groups of robots.txt", *names, "tdmrep.json"]
    return finding(
        "no-signals",
        "site",
        f"the site sends none of the signals of its policy: {', '.join(everything)}",
        "crawlers don't learn of the policy; aipolicy seems not to be installed on this host",
        fix="mount aipolicy in the application or route requests through it, and check that this is the right"
        " host",
    )


def _same(policy: SitePolicy, other: SitePolicy) -> bool:
    return policy.for_site("") == other.for_site("")
