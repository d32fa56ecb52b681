"""All comparisons of a site with its policy."""

from collections.abc import Iterator

from aipolicy.core.policy import SitePolicy
from aipolicy.robotstxt.checks.signals import signal_lines
from aipolicy.signals.headers import as_text
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.comparison import files, headers, robots
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import Reading

_MISSING = frozenset({"robots-differs", "header-missing", "tdmrep-missing"})
_HEADER_AND_MORE = frozenset({"header-missing", "robots-differs"})


def differences(reading: Reading, expectation: Expectation) -> Iterator[Finding]:
    """Where the site differs from what is expected of it."""
    version = expectation.version
    policy = version.policy if version else None
    if version is None or policy is None:
        yield finding(
            "unknown-site",
            "registry",
            f"{expectation.source} has no site with this host"
            + (f": it gave it up {version.at:%Y-%m-%d %H:%M:%S} UTC" if version and version.at else ""),
            "nothing can be said of what it should send",
            fix="aipolicy set HOST --preset ..., or check its spelling",
        )
        return
    earlier = [v for v in expectation.earlier if v.policy is not None and not _same(v.policy, policy)]
    found = [
        *robots.differences(reading, version, policy, expectation.signals, earlier),
        *headers.differences(reading, version, policy, expectation.signals, earlier),
        *files.differences(reading, policy, expectation.signals),
    ]
    missing = [one for one in found if one.id in _MISSING]
    if _sends_nothing(reading) and {one.id for one in missing} >= _HEADER_AND_MORE:
        yield _no_signals(policy, expectation.signals, reading)
        found = [one for one in found if one not in missing]
    yield from found


def _sends_nothing(reading: Reading) -> bool:
    """Return True if neither the page nor a file says anything to AI crawlers."""
    page = reading.page
    names = ("x-robots-tag", "content-usage", "content-signal", "tdm-reservation")
    said = any(page.answer.values(name) for name in names) or any(
        page.metas(name) for name in ("tdm-reservation", "content-usage")
    )
    file = reading.file
    signals = any(map(signal_lines, file.bindings))
    named = any(crawler.purpose.categories for crawler in file.known)
    return page.answer.ok and not (said or signals or named or reading.tdm_entries)


def _no_signals(policy: SitePolicy, signals: Signals, reading: Reading) -> Finding:
    names = dict.fromkeys(as_text(header)[0] for header in headers.headers_at(policy, signals, reading.path))
    everything = ["the groups of robots.txt", *names, "tdmrep.json"]
    return finding(
        "no-signals",
        "site",
        f"this site sends none of the signals of its policy: {', '.join(everything)}",
        "crawlers are told nothing: it is answered as if aipolicy were not there",
        fix="mount aipolicy there, or route through it; look whether this is the host that has it",
    )


def _same(one: SitePolicy, other: SitePolicy) -> bool:
    return one.for_site("") == other.for_site("")
