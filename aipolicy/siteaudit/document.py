"""One site as a document for programs; whoever shows it to people shows this.

All texts that a site sent are cut, and their controls written as escapes.
"""

from collections.abc import Iterable
from typing import Any

from aipolicy.core.crawlers import crawler_named
from aipolicy.core.preferences import Category
from aipolicy.report.text import shown
from aipolicy.siteaudit.audit import SiteReport
from aipolicy.siteaudit.caching import UNKNOWN, Caching, caching_of
from aipolicy.siteaudit.cdn_managed import managed_parts
from aipolicy.siteaudit.crawler_view import Row
from aipolicy.siteaudit.engines.rsl import licences
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.findings import Finding
from aipolicy.siteaudit.observation import Answer, Views
from aipolicy.siteaudit.statements import Place
from aipolicy.times import iso

SCHEMA = 1
"""Properties may be added; none is renamed or removed without a new number."""

_LONGEST = 400  # characters of one text


def site_document(report: SiteReport) -> dict[str, Any]:
    """What ``schema()`` calls a site."""
    seen = report.observation
    return {
        "schema": SCHEMA,
        "url": _text(seen.url),
        "answered": seen.answered,
        "judged": report.judged,
        "expected": report.expectation and _expected(report.expectation),
        "differs": report.differs,
        "worst": report.worst(),
        "findings": [_finding(found) for found in report.findings],
        "notes": [_finding(found) for found in report.notes],
        "more": report.more,
        "crawlers": [_row(row) for row in report.rows],
        "robots_txt": _answer(seen.robots.seen) | _robots(report),
        "page": _answer(seen.page.seen),
        "tdmrep": _answer(seen.tdmrep),
        "ai_txt": _answer(seen.ai_txt),
        "licences": [
            {"url": _text(one.url), "where": one.place.where}
            for one in (licences(report.reading) if report.judged else ())
        ],
        "views": [*_views("robots.txt", seen.robots), *_views("page", seen.page)],
    }


def _expected(expectation: Expectation) -> dict[str, Any]:
    version = expectation.version
    policy = version.policy if version else None
    return {
        "source": _text(expectation.source),
        "policy": policy and (policy.preset or str(policy.preferences)),
        "visibility": policy and str(policy.visibility),
        "preferences": policy and str(policy.effective),
        "change": version and version.seq,
        "since": iso(version.at, "seconds") if version else None,
    }


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "id": found.id,
        "severity": str(found.severity),
        "difference": found.is_difference,
        "where": found.where,
        "found": found.found,
        "effect": found.effect,
        "fix": found.fix,
    }


def _row(row: Row) -> dict[str, Any]:
    fetch = row.told.fetch
    known = [crawler for token in row.tokens if (crawler := crawler_named(token))]
    return {
        "crawlers": [shown(token) for token in row.tokens],
        "any_other": row.others,
        "purposes": list(dict.fromkeys(str(crawler.purpose) for crawler in known)),
        "control": row.told.is_control,
        "may_fetch": fetch.allowed,
        "because": _place(fetch.place) if fetch.place else {"where": "", "text": _text(fetch.because)},
        "uses": {
            str(category): {
                "preference": str(use.preference),
                "said": [
                    {"signal": str(s.signal), "preference": str(s.preference)} | _place(s.place)
                    for s in use.statements
                ],
            }
            for category, use in zip(Category, row.told.uses, strict=True)
        },
    }


def _place(place: Place) -> dict[str, str]:
    return {"where": place.where, "text": _text(place.text)}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "asked": _text(answer.asked),
        "url": _text(answer.url),
        "status": answer.status or None,
        "trouble": answer.trouble and str(answer.trouble),
        "reason": _text(answer.reason),
        "redirects": [
            {"url": _text(hop.url), "status": hop.status, "location": _text(hop.location)}
            for hop in answer.hops
        ],
        "content_type": _text(answer.header("content-type")),
        "octets": len(answer.body),
        "cut": answer.cut,
        "address": answer.address,
        "seconds": round(answer.seconds, 3),
    }


def _robots(report: SiteReport) -> dict[str, Any]:
    """What is read out of a robots.txt, and of what came with it: of a site that wasn't judged nothing is."""
    answer, sent = report.observation.robots.seen, report.reading.sent or b""
    parts = managed_parts(sent) if report.judged else ()
    return {
        "access": report.reading.access,
        "caching": _caching(caching_of(answer)) if report.judged else _caching(UNKNOWN) | {"text": ""},
        "added": [{"by": _text(part.who), "lines": [part.first, part.last]} for part in parts],
    }


def _caching(caching: Caching) -> dict[str, Any]:
    return {
        "seconds": caching.seconds,
        "by": _text(caching.by),
        "age": caching.age,
        "revalidated": caching.revalidated,
        "varies": caching.varies,
        "traces": list(caching.traces),
        "text": caching.text,
    }


def _views(of: str, views: Views) -> Iterable[dict[str, str]]:
    for who, answer in (("past caches", views.fresh), *views.others, ("with no-cache", views.again)):
        if answer is not None:
            yield {"of": of, "as": shown(who), "outcome": _text(answer.outcome)}


def _text(text: str) -> str:
    return shown(text, _LONGEST)
