"""Policies to the robots.txt that they are read as."""

from dataclasses import replace

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.robotstxt.merge import robots_txt

_REMEMBERED = 4096  # distinct policies; most sites have one of a handful


class Renderings:
    """Renders each policy once: sites with equal policies share the octets.

    With the default switches: the others add lines, and no rule. An application's own robots.txt is not known
    here unless it is the policy's ``robots_base``. Merged, it could only close more to a crawler: nobody is
    accused for want of it.
    """

    def __init__(self) -> None:
        self._memo: Memo[SitePolicy, bytes] = Memo(_REMEMBERED)

    def of(self, policy: SitePolicy) -> bytes:
        """The octets of its robots.txt. Raises RobotsTooLargeError."""
        key = policy.for_site("")
        if key.robots_base is None:  # then they stand at the end, and move no rule to another line
            key = replace(key, sitemaps=())
        try:
            return self._memo[key]
        except KeyError:
            return self._memo.keep(key, robots_txt(key, base=key.robots_base))
