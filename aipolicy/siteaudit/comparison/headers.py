"""Comparison of the page's headers with its policy, by meaning; the page's tags are taken into account."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.rendering import render
from aipolicy.report.text import listed, shorten
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals import content_usage, rsl, tdmrep, x_robots_tag
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import FIELDS, as_text
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.declarations import header_preferences, signals_in_page
from aipolicy.siteaudit.expectation import PolicyVersion
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.interstitial import interstitial
from aipolicy.siteaudit.parsed_site import PageSignals, ParsedSite

_LOST = "programs that read headers don't learn of the policy for the page, its images and its feeds"
_IN_TAG = "the page's meta tag says it, but images and feeds have no tags"
_FIX = "check what is between the application and the client: a proxy or CDN may remove or set the header"
_STRICTER = "the page is stricter than its policy, which is permitted"


def differences(
    site: ParsedSite,
    version: PolicyVersion,
    policy: SitePolicy,
    signals: Signals,
    earlier: Sequence[PolicyVersion],
) -> Iterator[SiteFinding]:
    """Yield the differences of the headers; ``earlier`` are the versions before, the newest first."""
    page = site.page
    unknown = _reason_unknown(page)
    if unknown:
        found, effect, fix = unknown
        yield finding(
            "headers-unknown", "page", f"{found}; the headers of {version} can't be checked", effect, fix=fix
        )
        return
    expected = headers_at(policy, signals, site.path)
    findings = list(_compared(page, expected, policy.effective))
    old = next((v for v in earlier if _follows(page, v, signals, site.path)), None) if findings else None
    if old is not None:
        yield finding(
            "earlier-policy",
            "header",
            f"the page has the headers of {old}; the policy in force is {version}",
            "; ".join(each.found for each in findings),
            fix="purge the page from caches, and check that its server follows the registry",
        )
    else:
        yield from findings
    clients: dict[SiteFinding, list[str]] = {}
    for client, answer in site.observation.page.others:
        own_page = answer.ok and not interstitial(answer)
        for each in _compared(PageSignals(answer), expected, policy.effective) if own_page else ():
            if each not in findings:
                clients.setdefault(each, []).append(client)
    for each, names in clients.items():
        yield replace(each, where=f"{each.where}, to {listed(names)}")


def headers_at(policy: SitePolicy, signals: Signals, path: str) -> tuple[Header, ...]:
    """Return the headers that the policy sends for a path."""
    return render(replace(policy, robots_base=""), signals).headers_at(path).headers


def _reason_unknown(page: PageSignals) -> tuple[str, str, str] | None:
    """Return why the headers of the site's own page are unknown, with effect and fix, or None."""
    if not page.answer.status:
        return (
            f"the page can't be fetched: {shorten(page.answer.outcome)}",
            "a policy whose headers are missing would look the same",
            "check that the site is up and answers in time",
        )
    if stand_in := interstitial(page.answer):
        return (
            f"the server sends {stand_in}",
            "its headers are not the site's own",
            "let this check through, or run it behind the firewall",
        )
    return None


def _follows(page: PageSignals, version: PolicyVersion, signals: Signals, path: str) -> bool:
    """Return True if the page has the headers of that version, and the version has any."""
    if version.policy is None:
        return False
    expected = headers_at(version.policy, signals, path)
    return bool(expected) and not list(_compared(page, expected, version.policy.effective))


def _compared(page: PageSignals, expected: Sequence[Header], policy: Preferences) -> Iterator[SiteFinding]:
    for field in FIELDS:
        values = [value for name, value in map(as_text, expected) if name == field.name]
        if field is x_robots_tag.FIELD:
            yield from _x_robots_tag(page, values)
        elif field is content_usage.FIELD:
            yield from _content_usage(page, ", ".join(values))
        elif field is rsl.LINK:
            continue  # compared with the licence of robots.txt
        elif values or field is not tdmrep.POLICY:
            yield from _single(page, field.name, "".join(values))
    yield from _content_signal(page, policy)


def _x_robots_tag(page: PageSignals, expected: list[str]) -> Iterator[SiteFinding]:
    served = page.answer.values("X-Robots-Tag")
    wanted = x_robots_tag.parse_x_robots_tag(expected)
    found = x_robots_tag.parse_x_robots_tag(served)
    if "none" in found:
        found |= {"noindex", "nofollow"}
    missing = sorted(wanted - found)
    if missing:
        tags = x_robots_tag.parse_x_robots_tag(content for content, _ in page.metas("robots"))
        yield _missing("X-Robots-Tag", ", ".join(missing), ", ".join(served), in_tag=set(missing) <= tags)
    added = sorted((found - wanted) & x_robots_tag.OPT_OUT_RULES)
    if added:
        yield _added("X-Robots-Tag", ", ".join(added))


def _content_usage(page: PageSignals, expected: str) -> Iterator[SiteFinding]:
    wanted, served = Preferences.parse(expected), header_preferences(page)
    if served == wanted:
        return
    if not wanted:
        yield _added("Content-Usage", str(served))
    elif not page.answer.values("Content-Usage"):
        yield _missing("Content-Usage", expected, "")
    else:
        stricter = all(p is Preference.DISALLOW or p is wanted[category] for category, p in served)
        yield finding(
            "header-differs",
            "header Content-Usage",
            f"the header says {shorten(page.answer.header('Content-Usage'))!r}, the policy says {expected!r}",
            _STRICTER if stricter else "readers follow the header that is served",
            fix="" if stricter else _FIX,
            severity=Severity.WARNING if stricter else None,
        )


def _single(page: PageSignals, name: str, expected: str) -> Iterator[SiteFinding]:
    served = page.answer.header(name).strip(" \t")
    if served == expected:
        return
    if expected:
        in_tag = expected in [content for content, _ in page.metas(name)]
        yield _missing(name, expected, served, in_tag=in_tag)
    else:
        yield _added(name, served)


def _content_signal(page: PageSignals, policy: Preferences) -> Iterator[SiteFinding]:
    """Yield a finding if the page has this signal, which no policy sends, and it contradicts the policy."""
    for statement in signals_in_page(page):
        category = statement.category
        harmless = category is Category.SEARCH and policy[category] is Preference.UNKNOWN
        if statement.preference is not policy[category] and not harmless:
            yield _added("Content-Signal", statement.location.text)


def _missing(name: str, expected: str, served: str, *, in_tag: bool = False) -> SiteFinding:
    found = f"'{name}: {shorten(expected)}' is missing from the response"
    return finding(
        "header-differs" if served else "header-missing",
        f"header {name}",
        f"{found}, which says {shorten(served)!r} instead" if served else found,
        _IN_TAG if in_tag else _LOST,
        fix=_FIX,
        severity=Severity.WARNING if in_tag else None,
    )


def _added(name: str, text: str) -> SiteFinding:
    return finding(
        "header-added",
        f"header {name}",
        f"the response has {shorten(text)!r}, which is not in the policy",
        "it makes a statement in the owner's name",
        fix=_FIX,
    )
