"""Observations of sites for tests: constructed, or collected by the command's code."""

from collections.abc import Iterable, Sequence
from typing import Any

import anyio

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import FetchTrouble
from aipolicy.siteaudit.audit import SiteReport, audit
from aipolicy.siteaudit.document import site_document
from aipolicy.siteaudit.expectation import Expectation, PolicyVersion
from aipolicy.siteaudit.observation import FetchResult, Observation, Views
from aipolicy.siteaudit.runner import AuditOptions, Expecting, audit_sites
from aipolicy.siteaudit.urls import page_url
from tests.siteaudit.servers import HEADERS, NO_TRAINING, PAGE

URL = "https://blog.example/2026/post"
ROBOTS_HEADERS = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "max-age=3600"))
HTML = (("Content-Type", "text/html; charset=utf-8"),)
OPTED_OUT = Expectation("--expect no-training", PolicyVersion(SitePolicy.from_preset("no-training")))
Document = dict[str, Any]


def audit_live(urls: Iterable[str], expecting: Expecting | None = None, **extra: Any) -> dict[str, Document]:
    """Audit live sites, and return the documents by host."""
    found: dict[str, Document] = {}

    def report(site_report: SiteReport) -> None:
        document = site_document(site_report)
        found[page_url(document["url"]).host] = document

    options = AuditOptions(**{"allow_private": True, "delay": 0, "expecting": expecting, "jobs": 8} | extra)
    anyio.run(audit_sites, list(map(page_url, urls)), options, report)
    return found


def ids(document: Document) -> list[str]:
    return [finding["id"] for finding in document["findings"]]


def answer(
    path: str = "/",
    body: bytes | str = b"",
    *,
    status: int = 200,
    headers: Sequence[tuple[str, str]] = (),
    trouble: FetchTrouble | None = None,
) -> FetchResult:
    data = body.encode() if isinstance(body, str) else body
    url = f"https://blog.example{path}"
    if trouble is not None:
        return FetchResult(url, 0, trouble=trouble, reason="it went wrong", asked=url)
    return FetchResult(url, status, tuple(headers), data, asked=url)


def robots(body: bytes | str, *headers: tuple[str, str], status: int = 200) -> FetchResult:
    return answer("/robots.txt", body, status=status, headers=(*ROBOTS_HEADERS, *headers))


def page(*headers: tuple[str, str], body: str = PAGE, status: int = 200) -> FetchResult:
    return answer("/2026/post", body, status=status, headers=(*HTML, *headers))


ABSENT = answer("/absent", status=404)
TDMREP = answer("/.well-known/tdmrep.json", NO_TRAINING.tdmrep.body if NO_TRAINING.tdmrep else b"")


def observe(
    *,
    robots_txt: FetchResult | Views | None = None,
    page_: FetchResult | Views | None = None,
    tdmrep: FetchResult = ABSENT,
    ai_txt: FetchResult = ABSENT,
    url: str = URL,
) -> Observation:
    """Return an observation; by default one of a site without signals."""
    files = robots("User-agent: *\nAllow: /\n") if robots_txt is None else robots_txt
    the_page = page() if page_ is None else page_
    return Observation(
        url,
        the_page if isinstance(the_page, Views) else Views(the_page),
        files if isinstance(files, Views) else Views(files),
        tdmrep,
        ai_txt,
    )


def opted_out(**changed: Any) -> Observation:
    """Return a site that says no to training in every way, except for what is changed."""
    return observe(
        **{"robots_txt": robots(NO_TRAINING.robots.body), "page_": page(*HEADERS), "tdmrep": TDMREP} | changed
    )


def found(observation: Observation, expectation: Expectation | None = None) -> list[str]:
    """Return the identifiers of the findings, without the notes."""
    return [one.id for one in audit(observation, expectation=expectation).findings]
