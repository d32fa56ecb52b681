"""Comparison of the robots.txt that is served with the policy's, by effect."""

from collections.abc import Iterator, Sequence

from aipolicy.core.policy import SitePolicy
from aipolicy.report.text import shorten
from aipolicy.robotstxt import Difference, compare
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.caching import caching_of
from aipolicy.siteaudit.declarations import licences
from aipolicy.siteaudit.expectation import PolicyVersion, expected_robots
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.observation import Access, effective
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.robots_diff import RobotsComparison, difference_text, effect_text
from aipolicy.siteaudit.statements import Carrier

_MOST = 20
_MOST_BYTES = 1024 * 1024  # compared with earlier versions: each one and, each time, the served file


def differences(
    site: ParsedSite,
    version: PolicyVersion,
    policy: SitePolicy,
    signals: Signals,
    earlier: Sequence[PolicyVersion],
) -> Iterator[SiteFinding]:
    """Yield the differences of robots.txt; ``earlier`` are the versions before, the newest first."""
    if site.access is Access.UNREACHABLE:
        return  # nothing was served, which is a finding already
    served = effective(site.observation.robots.effective)
    wanted = expected_robots(policy, signals, site)
    if wanted is None:
        yield finding(
            "robots-differs",
            "robots.txt",
            "the policy's lines and the site's own rules together are longer than 500 KiB",
            "crawlers don't read more than that, so the file can't be compared",
            fix="shorten the site's own robots.txt",
        )
        return
    found = compare(wanted, served)
    old = _found_among(earlier, served, signals, site) if found else None
    if old is not None:
        yield finding(
            "earlier-policy",
            "robots.txt",
            f"the file is that of {old}; the policy in force is {version}{_traces(site)}",
            effect_text(found).replace(" may now fetch ", " may fetch "),
            fix="purge /robots.txt from caches, and check that its server follows the registry",
        )
    else:
        yield from (_differs(difference, version) for difference in found[:_MOST])
    if not found:
        yield from _by_client(site, wanted, version)
    yield from _site_wide(site, policy, signals)


def _by_client(site: ParsedSite, wanted: bytes, version: PolicyVersion) -> Iterator[SiteFinding]:
    """Yield the first client that receives a file other than the policy's: comparing more takes long."""
    robots, comparison = site.observation.robots, RobotsComparison(wanted)
    for client, answer in robots.others:
        if answer.ok and answer.body != robots.effective.body:
            found = comparison(client, answer)
            if found:
                yield _differs(found[0], version, where=f"robots.txt, to {client}")
                return
    yield from comparison.not_compared(Severity.ERROR)


def _differs(difference: Difference, version: PolicyVersion, where: str = "robots.txt") -> SiteFinding:
    return finding(
        "robots-differs",
        where,
        difference_text(difference, after=""),
        f"the policy is {version}",
        fix="serve the file that 'aipolicy robots --base OWN' writes, with the site's own file as OWN",
    )


def _found_among(
    earlier: Sequence[PolicyVersion], served: bytes, signals: Signals, site: ParsedSite
) -> PolicyVersion | None:
    """Return the newest version whose robots.txt is served, of as many as can be compared in a second."""
    left = _MOST_BYTES
    for old in earlier:
        wanted = expected_robots(old.policy, signals, site) if old.policy else None
        if wanted is not None and not compare(wanted, served):
            return old
        left -= len(wanted or b"") + len(served)
        if left < 0:
            break
    return None


def _traces(site: ParsedSite) -> str:
    traces = caching_of(site.observation.robots.effective).traces
    return f" ({', '.join(traces)})" if traces else ""


def _site_wide(site: ParsedSite, policy: SitePolicy, signals: Signals) -> Iterator[SiteFinding]:
    if site.access is not Access.RULES:
        return
    named = {record.value for record in site.file.robots.site_wide if record.named("Sitemap")}
    for url in policy.sitemaps:
        if url not in named:
            yield finding(
                "sitemap-missing",
                "robots.txt",
                f"the sitemap {shorten(url)} is missing",
                "crawlers may not find the sitemap",
                fix=f"Sitemap: {shorten(url)}",
            )
    if signals.rsl and policy.license_url:
        for carrier in (Carrier.ROBOTS, Carrier.HEADER):
            urls = [found.url for found in licences(site) if found.location.carrier is carrier]
            if policy.license_url not in urls and (carrier is Carrier.ROBOTS or site.page.answer.status):
                yield finding(
                    "licence-missing",
                    str(carrier),
                    f"the licence {shorten(policy.license_url)} is missing",
                    "readers that look for a licence there find none",
                )
