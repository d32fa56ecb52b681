"""The page's headers against the policy's, by meaning. What the page's own tags say instead is counted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.rendering import render
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals.headers import Header, as_text, parse_x_robots_tag
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.engines.aipref import header_preferences
from aipolicy.siteaudit.engines.content_signal import signals_in_page
from aipolicy.siteaudit.engines.tdmrep import NAME
from aipolicy.siteaudit.expectation import Version
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.interstitial import interstitial
from aipolicy.siteaudit.parsed_site import PageSignals, Reading

_OPT_OUT_RULES = frozenset({"noai", "noimageai"})
_LOST = "what reads headers, of the page and of images and feeds, is told nothing"
_FIX = "look what is between the application and here: a proxy or CDN may drop or set it"


def differences(
    reading: Reading, version: Version, policy: SitePolicy, signals: Signals, earlier: Sequence[Version]
) -> Iterator[Finding]:
    """``earlier``: the versions before, newest first."""
    page = reading.page
    if not page.answer.status:
        yield finding(
            "headers-unknown",
            "page",
            f"{shown(page.answer.outcome)}: whether it says {version} isn't known",
            "a page that can't be had can't be told from one whose headers are gone",
            fix="look whether it is up, and whether it answers in time",
        )
        return
    if stand_in := interstitial(page.answer):
        yield finding(
            "headers-unknown",
            "page",
            f"what comes is {stand_in}: whether the site's own page says {version} isn't known",
            "its headers are those of what stands before the site",
            fix="let this check through, or run it from behind that",
        )
        return
    wanted = headers_at(policy, signals, reading.path)
    found = list(_compared(page, wanted, policy.effective))
    old = next((v for v in earlier if _is_of(v, page, signals, reading.path)), None) if found else None
    if old is not None:
        yield finding(
            "earlier-policy",
            "header",
            f"the page's headers are those of {old}; in force is {version}",
            "; ".join(one.found for one in found),
            fix="purge the page from caches; look whether what serves it follows the registry",
        )
    else:
        yield from found
    to: dict[Finding, list[str]] = {}
    for who, answer in reading.observation.page.others:
        own = answer.ok and not interstitial(answer)
        theirs = _compared(PageSignals(answer), wanted, policy.effective) if own else ()
        for one in theirs:
            if one not in found:
                to.setdefault(one, []).append(who)
    for one, whose in to.items():
        yield replace(one, where=f"{one.where}, to {listed(whose)}")


def headers_at(policy: SitePolicy, signals: Signals, path: str) -> tuple[Header, ...]:
    """The headers that the policy sends there."""
    return render(replace(policy, robots_base=""), signals).headers_at(path).headers


def _is_of(old: Version, page: PageSignals, signals: Signals, path: str) -> bool:
    """Whether the answer says what that policy says; one that says nothing is no evidence."""
    wanted = headers_at(old.policy, signals, path) if old.policy else ()
    return bool(wanted) and not list(
        _compared(page, wanted, old.policy.effective if old.policy else Preferences())
    )


def _compared(page: PageSignals, wanted: Sequence[Header], policy: Preferences) -> Iterator[Finding]:
    yield from _tags(page, _values(wanted, "X-Robots-Tag"))
    yield from _usage(page, ", ".join(_values(wanted, "Content-Usage")))
    yield from _single(page, NAME, "".join(_values(wanted, NAME)))
    if _values(wanted, "tdm-policy"):
        yield from _single(page, "tdm-policy", "".join(_values(wanted, "tdm-policy")))
    yield from _signal(page, policy)


def _values(headers: Sequence[Header], name: str) -> list[str]:
    return [value for key, value in map(as_text, headers) if key.lower() == name.lower()]


def _tags(page: PageSignals, wanted: list[str]) -> Iterator[Finding]:
    served = page.answer.values("X-Robots-Tag")
    rules, there = parse_x_robots_tag(wanted), parse_x_robots_tag(served)
    if "none" in there:
        there |= {"noindex", "nofollow"}
    missing = sorted(rules - there)
    if missing:
        tags = parse_x_robots_tag(content for content, _ in page.metas("robots"))
        in_tags = set(missing) <= tags
        yield finding(
            "header-differs" if there else "header-missing",
            "header X-Robots-Tag",
            _instead(", ".join(missing), ", ".join(served)),
            "the page's meta tag says it; images and feeds have none" if in_tags else _LOST,
            fix=_FIX,
            severity=Severity.WARNING if in_tags else None,
        )
    added = sorted((there - rules) & _OPT_OUT_RULES)
    if added:
        yield _added("X-Robots-Tag", ", ".join(added))


def _usage(page: PageSignals, wanted: str) -> Iterator[Finding]:
    expected, served = Preferences.parse(wanted), header_preferences(page)
    name = "Content-Usage"
    if served == expected:
        return
    if not expected:
        yield _added(name, str(served))
    elif not page.answer.values(name):
        yield finding("header-missing", f"header {name}", f"{wanted} doesn't arrive", _LOST, fix=_FIX)
    else:
        stricter = all(p is Preference.DISALLOW or p is expected[category] for category, p in served)
        yield finding(
            "header-differs",
            f"header {name}",
            f"{shown(page.answer.header(name))} arrives, the policy is {wanted}",
            "it is stricter: a page may say no for itself" if stricter else "readers go by what arrives",
            fix="" if stricter else _FIX,
            severity=Severity.WARNING if stricter else None,
        )


def _single(page: PageSignals, name: str, wanted: str) -> Iterator[Finding]:
    served = page.answer.header(name).strip(" \t")
    if served == wanted:
        return
    if not wanted:
        yield _added(name, served)
        return
    in_tags = wanted in [content for content, _ in page.metas(name)]
    yield finding(
        "header-differs" if served else "header-missing",
        f"header {name}",
        _instead(wanted, served),
        "the page's meta tag says it; images and feeds have none" if in_tags else _LOST,
        fix=_FIX,
        severity=Severity.WARNING if in_tags else None,
    )


def _signal(page: PageSignals, policy: Preferences) -> Iterator[Finding]:
    """No policy sends this one: it is added, and matters where it says otherwise."""
    for said in signals_in_page(page):
        harmless = said.category is Category.SEARCH and policy[Category.SEARCH] is Preference.UNKNOWN
        if said.preference is not policy[said.category] and not harmless:
            yield _added("Content-Signal", said.place.text)


def _instead(wanted: str, served: str) -> str:
    if not served:
        return f"{shown(wanted)} doesn't arrive"
    return f"{shown(served)!r} arrives, and not {shown(wanted)!r}"


def _added(name: str, what: str) -> Finding:
    return finding(
        "header-added",
        f"header {name}",
        f"{shown(what)} arrives, and the policy doesn't say so",
        "it speaks in the owner's name",
        fix=_FIX,
    )
