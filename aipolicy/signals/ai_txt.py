"""Spawning's ``/ai.txt``: a file in the grammar of robots.txt, for collectors of data sets."""

from aipolicy.core.policy import SitePolicy
from aipolicy.signals.switches import Signals


def ai_txt(policy: SitePolicy, signals: Signals) -> bytes | None:
    """Return the file's bytes, or None if the switch is off or the site isn't opted out."""
    if not signals.ai_txt or not policy.opted_out:
        return None
    return b"User-Agent: *\nDisallow: /\nDisallow: *\n"
