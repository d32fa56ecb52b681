"""The report of one site as JSON, from which the reports for people are made too.

Texts that a site sent are shortened, and their control characters escaped.
"""

from collections.abc import Iterable
from typing import Any

from aipolicy.core.crawlers import crawler_named
from aipolicy.core.preferences import Category
from aipolicy.report.text import shorten
from aipolicy.siteaudit.audit import SiteReport
from aipolicy.siteaudit.caching import UNKNOWN, Caching, caching_of
from aipolicy.siteaudit.cdn_managed import managed_parts
from aipolicy.siteaudit.crawler_view import CrawlerRow
from aipolicy.siteaudit.declarations import licences
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.findings import SiteFinding
from aipolicy.siteaudit.observation import FetchResult, Views
from aipolicy.siteaudit.statements import Location
from aipolicy.times import iso

SCHEMA = 2
"""The version of the schema: it changes when a property is renamed or removed, not when one is added."""

_LONGEST = 400  # characters of one text


def site_document(report: SiteReport) -> dict[str, Any]:
    """Return the document of one site, described in the schema as ``site``."""
    observation = report.observation
    return {
        "schema": SCHEMA,
        "url": _text(observation.url),
        "answered": observation.answered,
        "audited": report.complete,
        "expected": report.expectation and _expected(report.expectation),
        "differs": report.differs,
        "worst": report.worst(),
        "findings": [_finding(found) for found in report.findings],
        "notes": [_finding(found) for found in report.notes],
        "omitted": report.omitted,
        "crawlers": [_row(row) for row in report.rows],
        "robots_txt": _answer(observation.robots.effective) | _robots(report),
        "page": _answer(observation.page.effective),
        "tdmrep": _answer(observation.tdmrep),
        "ai_txt": _answer(observation.ai_txt),
        "licences": [
            {"url": _text(licence.url), "where": licence.location.where}
            for licence in (licences(report.site) if report.complete else ())
        ],
        "views": [*_views("robots.txt", observation.robots), *_views("page", observation.page)],
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


def _finding(found: SiteFinding) -> dict[str, Any]:
    return {
        "id": found.id,
        "severity": str(found.severity),
        "difference": found.is_difference,
        "where": found.where,
        "found": found.found,
        "effect": found.effect,
        "fix": found.fix,
    }


def _row(row: CrawlerRow) -> dict[str, Any]:
    fetch = row.view.fetch
    known = [crawler for token in row.tokens if (crawler := crawler_named(token))]
    return {
        "crawlers": [shorten(token) for token in row.tokens],
        "any_other": row.others,
        "purposes": list(dict.fromkeys(str(crawler.purpose) for crawler in known)),
        "control": row.view.is_control,
        "may_fetch": fetch.allowed,
        "decided_by": _location(fetch.location)
        if fetch.location
        else {"where": "", "text": _text(fetch.reason)},
        "uses": {
            str(category): {
                "preference": str(use.preference),
                "statements": [
                    {"signal": str(s.signal), "preference": str(s.preference)} | _location(s.location)
                    for s in use.statements
                ],
            }
            for category, use in zip(Category, row.view.uses, strict=True)
        },
    }


def _location(location: Location) -> dict[str, str]:
    return {"where": location.where, "text": _text(location.text)}


def _answer(answer: FetchResult) -> dict[str, Any]:
    return {
        "requested_url": _text(answer.asked),
        "url": _text(answer.url),
        "status": answer.status or None,
        "failure": answer.trouble and str(answer.trouble),
        "reason": _text(answer.reason),
        "redirects": [
            {"url": _text(hop.url), "status": hop.status, "location": _text(hop.location)}
            for hop in answer.hops
        ],
        "content_type": _text(answer.header("content-type")),
        "bytes": len(answer.body),
        "truncated": answer.cut,
        "address": answer.address,
        "seconds": round(answer.seconds, 3),
    }


def _robots(report: SiteReport) -> dict[str, Any]:
    """Return what was read from a robots.txt and its headers; nothing if the audit failed."""
    answer, sent = report.observation.robots.effective, report.site.sent or b""
    parts = managed_parts(sent) if report.complete else ()
    return {
        "access": report.site.access,
        "caching": _caching(caching_of(answer)) if report.complete else _caching(UNKNOWN) | {"text": ""},
        "added": [{"by": _text(part.operator), "lines": [part.first, part.last]} for part in parts],
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


def _views(resource: str, views: Views) -> Iterable[dict[str, str]]:
    for client, answer in (("past caches", views.fresh), *views.others, ("with no-cache", views.again)):
        if answer is not None:
            yield {"resource": resource, "client": shorten(client), "outcome": _text(answer.outcome)}


def _text(text: str) -> str:
    return shorten(text, _LONGEST)
