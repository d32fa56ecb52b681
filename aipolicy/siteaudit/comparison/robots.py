"""The robots.txt that is served, against the policy's, by effect."""

from collections.abc import Iterator, Sequence

from aipolicy.core.policy import SitePolicy
from aipolicy.report.text import shown
from aipolicy.robotstxt import Difference, compare
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.access import Access, effective
from aipolicy.siteaudit.caching import caching_of
from aipolicy.siteaudit.engines.rsl import licences
from aipolicy.siteaudit.expectation import Version, expected_robots
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.robots_diff import Differing
from aipolicy.siteaudit.signal_summary import difference_text, effect_text
from aipolicy.siteaudit.statements import Carrier

_MOST = 20
_MOST_OCTETS = 1024 * 1024  # of earlier files, and of what is served as often, that are compared


def differences(
    reading: Reading, version: Version, policy: SitePolicy, signals: Signals, earlier: Sequence[Version]
) -> Iterator[Finding]:
    """``earlier``: the versions before, newest first."""
    if reading.access is Access.UNREACHABLE:
        return  # nothing was served that could be compared, and that is a finding already
    served = effective(reading.observation.robots.seen)
    wanted = expected_robots(policy, signals, reading)
    if wanted is None:
        yield finding(
            "robots-differs",
            "robots.txt",
            "the policy's lines and the site's own rules have more than 500 KiB together",
            "crawlers would not read all of it, so nothing can be compared",
            fix="shorten the site's own robots.txt",
        )
        return
    found = compare(wanted, served)
    old = _found_among(earlier, served, signals, reading) if found else None
    if old is not None:
        yield finding(
            "earlier-policy",
            "robots.txt",
            f"it is that of {old}; in force is {version}{_traces(reading)}",
            effect_text(found).replace(" may now fetch ", " may fetch "),
            fix="purge /robots.txt from caches; look whether what serves it follows the registry",
        )
    else:
        yield from (_differs(difference, version) for difference in found[:_MOST])
    if not found:
        yield from _to_others(reading, wanted, version)
    yield from _site_wide(reading, policy, signals)


def _to_others(reading: Reading, wanted: bytes, version: Version) -> Iterator[Finding]:
    """The first client that gets another one than the policy's: one is enough, and comparing costs."""
    robots, differing = reading.observation.robots, Differing(wanted)
    for who, answer in robots.others:
        if answer.ok and answer.body != robots.seen.body:
            found = differing(who, answer)
            if found:
                yield _differs(found[0], version, where=f"robots.txt, to {who}")
                return
    yield from differing.left_out(Severity.ERROR)


def _differs(difference: Difference, version: Version, where: str = "robots.txt") -> Finding:
    return finding(
        "robots-differs",
        where,
        difference_text(difference, after=""),
        f"the policy is {version}",
        fix="serve what aipolicy robots writes, merged with the site's own by --base",
    )


def _found_among(
    earlier: Sequence[Version], served: bytes, signals: Signals, reading: Reading
) -> Version | None:
    """The newest of the versions whose robots.txt is served, among as many as can be compared in a second."""
    left = _MOST_OCTETS
    for old in earlier:
        wanted = expected_robots(old.policy, signals, reading) if old.policy else None
        if wanted is not None and not compare(wanted, served):
            return old
        left -= len(wanted or b"") + len(served)
        if left < 0:
            break
    return None


def _traces(reading: Reading) -> str:
    traces = caching_of(reading.observation.robots.seen).traces
    return f" ({', '.join(traces)})" if traces else ""


def _site_wide(reading: Reading, policy: SitePolicy, signals: Signals) -> Iterator[Finding]:
    if reading.access is not Access.RULES:
        return
    named = {record.value for record in reading.file.robots.site_wide if record.named("Sitemap")}
    for url in policy.sitemaps:
        if url not in named:
            yield finding(
                "sitemap-missing",
                "robots.txt",
                f"{shown(url)} isn't named",
                "crawlers find it less surely",
                fix=f"Sitemap: {shown(url)}",
            )
    if signals.rsl and policy.license_url:
        for carrier in (Carrier.ROBOTS, Carrier.HEADER):
            of = [found.url for found in licences(reading) if found.place.carrier is carrier]
            if policy.license_url not in of and (carrier is Carrier.ROBOTS or reading.page.answer.status):
                yield finding(
                    "licence-missing",
                    str(carrier),
                    f"{shown(policy.license_url)} isn't named",
                    "whoever looks for a licence there finds none",
                )
