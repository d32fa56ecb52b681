"""A merge never opens what the site's own file closes, as RFC 9309 §2.2.4 reads that file.

Whatever our own policy allows, it never overrules a Disallow of the site's own.
"""

import re
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.robotstxt.matching import verdict
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.signals.switches import Signals
from tests.core.oracle import Intent, canonical, probes
from tests.core.oracle import verdict as rfc_verdict
from tests.core.strategies import base_files, policies
from tests.readers import READERS, excuse
from tests.sizes import size

GRANTING = Preferences(Preference.ALLOW, Preference.ALLOW, Preference.ALLOW)
POLICIES = {
    "no-training": SitePolicy.from_preset("no-training"),
    "no-ai": SitePolicy.from_preset("no-ai"),
    "allow": SitePolicy.from_preset("allow"),
    "discouraged": SitePolicy(visibility="discouraged"),
    "licensed": SitePolicy.from_preset("no-ai", licensed=("GPTBot", "OAI-SearchBot", "Applebot-Extended")),
    "granted-paths": SitePolicy.from_preset(
        "no-ai", path_preferences={"/search/open/": GRANTING, "/a": GRANTING}
    ),
    "closed-paths": SitePolicy.from_preset(
        "allow", path_preferences={"/p/": SitePolicy.from_preset("no-ai").preferences}
    ),
}
PATHS = ("/", "/post/1", "/search/", "/search/?q=1", "/search/open/x", "/a", "/a/b", "/p/x", "/index.html")

# What owners, generators and content systems really write, and what only a hostile test does.
NASTY = {
    "delay-then-googlebot": "User-agent: *|Crawl-delay: 2|User-agent: Googlebot|Disallow: /search/",
    "request-rate": "User-agent: *|Request-rate: 1/5|User-agent: Googlebot|Disallow: /search/",
    "signal-between": "User-agent: *|Content-Signal: ai-train=no|User-agent: Googlebot|Disallow: /search/",
    "usage-between": "User-agent: *|Content-Usage: train-ai=n|User-agent: Googlebot|Disallow: /search/",
    "blank-lines-between": "User-agent: *|Crawl-delay: 2|||User-agent: Googlebot||Disallow: /search/",
    "comment-between": "User-agent: *|# be kind|Crawl-delay: 2 # s|# ours"
    "|User-agent: Googlebot|Disallow: /search/",
    "three-groups": "User-agent: *|Crawl-delay: 2"
    "|User-agent: bingbot|Noindex: /|User-agent: x|Disallow: /search/",
    "named-first": "User-agent: Googlebot|Crawl-delay: 2|User-agent: *|Disallow: /search/",
    "star-twice": "User-agent: *|Crawl-delay: 2|User-agent: *|Disallow: /search/",
    "star-again-later": "User-agent: *|Crawl-delay: 2"
    "|User-agent: a|Disallow: /search/|User-agent: *|Disallow: /p/",
    "ai-token-goes-on": "User-agent: OAI-SearchBot|Crawl-delay: 2|User-agent: *|Disallow: /search/",
    "blocked-token-goes-on": "User-agent: GPTBot|Crawl-delay: 2|User-agent: *|Disallow: /search/",
    "star-goes-on-in-blocked": "User-agent: *|Crawl-delay: 2|User-agent: GPTBot|Disallow: /search/",
    "host-between": "User-agent: *|Host: blog.example|Crawl-delay: 2"
    "|User-agent: Googlebot|Disallow: /search/",
    "sitemap-between": "User-agent: *|Sitemap: https://blog.example/s"
    "|User-agent: Googlebot|Disallow: /search/",
    "unreadable-between": "User-agent: *|what is this|User-agent: Googlebot|Disallow: /search/",
    "read-by-prefix-between": "User-agent: *|Disallow-AI: /|User-agent: Googlebot|Disallow: /search/",
    "empty-token-between": "User-agent: *|Crawl-delay: 2|User-agent:|Disallow: /search/",
    "last-group-is-empty": "User-agent: *|Disallow: /search/|User-agent: Googlebot|Crawl-delay: 2",
    "cut-token": "User-agent: GPTBot2|Disallow: /search/|Allow: /|User-agent: *|Allow: /",
    "cut-token-goes-on": "User-agent: GPTBot2|Crawl-delay: 1|User-agent: OAI-SearchBot9|Disallow: /search/",
    "version": "User-agent: OAI-SearchBot/1.2|Crawl-delay: 2|User-agent: x|Disallow: /search/",
    "no-break-space": "User-agent: *|Disallow: /search/\u00a0|Disallow: /a\u2003|Disallow: /p/\u3000",
    "tie": "User-agent: *|Disallow: /search/open/|Allow: /search/|Disallow: /a",
    "markers-inside": "User-agent: *|Crawl-delay: 2|# BEGIN aipolicy|User-agent: q|Allow: /|# END aipolicy"
    "|User-agent: Googlebot|Disallow: /search/",
    "lone-marker": "User-agent: *|# BEGIN aipolicy|Crawl-delay: 2|User-agent: Googlebot|Disallow: /search/",
    "no-slash": "User-agent: *|Crawl-delay: 2|User-agent: Googlebot|Disallow: search|Disallow: /search/",
    "percent": "User-agent: *|Crawl-delay: 2|User-agent: Googlebot|Disallow: /%73earch/|Disallow: /caf%c3%a9",
    "end-sign": "User-agent: *|Crawl-delay: 2|User-agent: Googlebot|Disallow: /search/$|Disallow: /*?q=",
    "many-rules": "User-agent: *|Crawl-delay: 2"
    "|User-agent: Googlebot|Disallow: /a|Allow: /a/b|Disallow: /*/x",
}


def opened(policy: SitePolicy, signals: Signals, base: bytes) -> list[str]:
    """The answers that allow what ``base`` closes: ours, and those of every parser that has no excuse."""
    merged = robots_txt(policy, signals, base)
    intent = Intent(policy, base)
    ours = RobotsTxt.parse(merged)
    patterns = [pattern for _, rules in intent.groups for _, pattern in rules][:8]
    tokens = {token for token in intent.named if token.isascii() and re.fullmatch(r"[\w!. -]+", token)}
    wrong = []
    for token in sorted({*tokens, "GPTBot", "OAI-SearchBot", "Googlebot", "SomeBot"}):
        for path in sorted({canonical(path) for path in (*PATHS, *chain(*map(probes, patterns)))}):
            if rfc_verdict(intent.rules_for(token), path):
                continue
            if verdict(ours, token, path).allowed:
                wrong.append(f"ours: {token} {path}")
            # Left as it is: parsers may differ over what it says carelessly.
            foreign = [r for r in READERS if merged != base and not excuse(r, merged, token, path)]
            wrong += [f"{r.name}: {token} {path}" for r in foreign if r.allowed(merged, token, path)]
    return wrong


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("policy", POLICIES)
def test_rfc9309_2_2_4_a_merge_opens_nothing_of_files_that_people_write(policy: str, name: str) -> None:
    base = "".join(f"{line}\n" for line in NASTY[name].split("|")).encode()
    assert opened(POLICIES[policy], Signals(), base) == []
    again = robots_txt(POLICIES[policy], base=base)
    assert opened(POLICIES[policy], Signals(), again) == []
    assert robots_txt(POLICIES[policy], base=again) == again


@pytest.mark.parametrize("later", POLICIES)
def test_a_second_merge_for_another_policy_opens_nothing_either(later: str) -> None:
    """But to crawlers that the first policy covers: of their groups only our own lines are left."""
    for earlier in POLICIES.values():
        for text in NASTY.values():
            base = "".join(f"{line}\n" for line in text.split("|")).encode()
            merged = RobotsTxt.parse(robots_txt(POLICIES[later], base=robots_txt(earlier, base=base)))
            intent = Intent(POLICIES[later], base)
            for token in ("Googlebot", "SomeBot", "GPTBot", "OAI-SearchBot"):
                for path in PATHS:
                    closed = not rfc_verdict(intent.rules_for(token), path)
                    closed = closed and not Intent(earlier, base).covers(token)
                    assert not (closed and verdict(merged, token, path).allowed), (text, token, path)


@pytest.mark.proof
@settings(max_examples=size(full=5_000, ci=120), deadline=None)
@given(
    policies,
    st.builds(Signals, content_usage=st.booleans(), content_signal=st.booleans(), rsl=st.booleans()),
    base_files,
)
def test_rfc9309_2_2_4_a_merge_opens_nothing_of_any_file(
    policy: SitePolicy, signals: Signals, base: bytes
) -> None:
    assert opened(policy, signals, base) == []
