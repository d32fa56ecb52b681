"""All comparisons of a site with its policy."""

from collections.abc import Iterator

from aipolicy.check.site.comparing import files, headers, robots
from aipolicy.check.site.expectation import Expectation
from aipolicy.check.site.findings import Finding, finding
from aipolicy.check.site.reading import Reading
from aipolicy.core.policy import SitePolicy


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
            cure="aipolicy set HOST --preset ..., or check its spelling",
        )
        return
    earlier = [v for v in expectation.earlier if v.policy is not None and not _same(v.policy, policy)]
    yield from robots.differences(reading, version, policy, expectation.signals, earlier)
    yield from headers.differences(reading, version, policy, expectation.signals, earlier)
    yield from files.differences(reading, policy, expectation.signals)


def _same(one: SitePolicy, other: SitePolicy) -> bool:
    return one.for_site("") == other.for_site("")
