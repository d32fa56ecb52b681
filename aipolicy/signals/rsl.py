"""RSL 1.0 (Really Simple Licensing): references to the licence of a site.

The reference is a ``License`` line of robots.txt, a ``Link`` header or an HTML link. The licence itself isn't
fetched: it has a language of its own.
"""

import re

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.signals.header_field import HeaderField, Joining
from aipolicy.signals.switches import Signals

MEDIA_TYPE = "application/rsl+xml"

_LINK = re.compile(r"<([^<>]{0,2000})>([^<>]{0,500})")  # the target, and its parameters up to the next


def _values(policy: SitePolicy, _: Preferences, signals: Signals) -> tuple[str, ...]:
    if not (signals.rsl and policy.license_url):
        return ()
    # An association needs exactly this relation and type.
    return (f'<{policy.license_url}>; rel="license"; type="{MEDIA_TYPE}"',)


LINK = HeaderField("Link", _values, joining=Joining.AFTER)


def license_lines(policy: SitePolicy, signals: Signals) -> list[str]:
    """Return the line of robots.txt, if any. Before the first group it holds for all of them (§4)."""
    return [f"License: {policy.license_url}"] if signals.rsl and policy.license_url else []


def linked_licences(value: str) -> list[str]:
    """Return the URLs of the licences that the value of a ``Link`` header names."""
    found = []
    for url, parameters in _LINK.findall(value):
        bare = parameters.lower().replace('"', "").replace(" ", "")
        if "rel=license" in bare and f"type={MEDIA_TYPE}" in bare:
            found.append(url.strip(" \t"))
    return found
