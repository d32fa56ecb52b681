"""Each blog's AI opt-out as every signal that crawlers read.

The core: pure values and bytes. The middleware is in ``aipolicy.asgi``, look-ups in ``aipolicy.lookup``, the
registry in ``aipolicy.registry``; ``aipolicy.crawlers`` loads entries for the crawler table.
"""

from aipolicy import crawlers  # first: the table is read as it says
from aipolicy.core.crawlers import CRAWLERS, Crawler, EvidenceClass, Purpose, Scope, crawler_named
from aipolicy.core.hosts import canonical_host, site_name
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import (
    AIPolicyError,
    CrawlersError,
    HostError,
    HostTakenError,
    MissingExtraError,
    PolicyError,
    RegistryError,
    RegistryURLError,
    RobotsTooLargeError,
    UnknownSiteError,
)
from aipolicy.rendering import Rendering, render
from aipolicy.robotstxt.matching import Verdict, binding_group, content_signals, usage_preferences, verdict
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule
from aipolicy.signals.content_signal import content_signal, parse_content_signal
from aipolicy.signals.headers import headers_of, merge_headers
from aipolicy.signals.switches import Signals
from aipolicy.signals.tdmrep import tdm_reservation, tdmrep_json
from aipolicy.signals.x_robots_tag import parse_x_robots_tag

__all__ = [
    "CRAWLERS",
    "PRESETS",
    "AIPolicyError",
    "Category",
    "Crawler",
    "CrawlersError",
    "EvidenceClass",
    "Group",
    "HostError",
    "HostTakenError",
    "MissingExtraError",
    "PolicyError",
    "Preference",
    "Preferences",
    "Purpose",
    "Record",
    "RegistryError",
    "RegistryURLError",
    "Rendering",
    "RobotsTooLargeError",
    "RobotsTxt",
    "Rule",
    "Scope",
    "Signals",
    "SitePolicy",
    "UnknownSiteError",
    "Verdict",
    "Visibility",
    "binding_group",
    "canonical_host",
    "content_signal",
    "content_signals",
    "crawler_named",
    "crawlers",
    "headers_of",
    "merge_headers",
    "parse_content_signal",
    "parse_x_robots_tag",
    "render",
    "robots_txt",
    "site_name",
    "tdm_reservation",
    "tdmrep_json",
    "usage_preferences",
    "verdict",
]
