"""A cache of the robots.txt of policies."""

from dataclasses import replace

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.policy import SitePolicy
from aipolicy.robotstxt.merge import robots_txt

_REMEMBERED = 4096  # distinct policies; most sites have one of a handful


class RenderedPolicies:
    """A cache that renders each policy once: sites with equal policies share the bytes.

    The default switches are used: others add lines, but no rule. An application's own robots.txt is not known
    here unless it is the policy's ``robots_base``. It could only close more to a crawler, so nobody is
    accused because it is missing.
    """

    def __init__(self) -> None:
        self._memo: BoundedCache[SitePolicy, bytes] = BoundedCache(_REMEMBERED)

    def of(self, policy: SitePolicy) -> bytes:
        """Return the robots.txt of a policy. Raises RobotsTooLargeError."""
        key = policy.for_site("")
        if key.robots_base is None:  # sitemaps come last then, and move no rule to another line
            key = replace(key, sitemaps=())
        try:
            return self._memo[key]
        except KeyError:
            return self._memo.keep(key, robots_txt(key, base=key.robots_base))
