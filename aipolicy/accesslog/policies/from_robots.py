"""The policy that is one robots.txt."""

from collections.abc import Iterable

from aipolicy.accesslog.policies.versions import ALWAYS, FilePolicies, Timeline, Version
from aipolicy.core.hosts import site_name


def policies_from_robots(
    octets: bytes, hosts: Iterable[str] = (), *, source: str = "robots.txt"
) -> FilePolicies:
    """``octets`` as the robots.txt that always was in force.

    With ``hosts`` it is theirs alone, and they are one site, named by the first; a log without hosts is that
    site's. Without, it is every host's, each a site by itself. Raises HostError.
    """
    names = list(map(site_name, hosts))
    timeline = Timeline((Version(ALWAYS, "robots.txt", octets, names[0] if names else None),))
    if names:
        return FilePolicies(source, dict.fromkeys(names, timeline), hostless=timeline)
    return FilePolicies(source, {}, hostless=timeline, others=timeline)
