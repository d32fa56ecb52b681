"""Requests to the sites of a world, each with its labels."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.accesslog.labelled.clients import (
    CRAWLERS,
    NAMED,
    Client,
    crawler_client,
    named_client,
    other_client,
)
from tests.accesslog.labelled.definitions import FACTS, Judgement, groups, judge
from tests.accesslog.labelled.files import PATHS
from tests.accesslog.labelled.sites import BEGIN, DAYS, Site

_STATUSES = (200,) * 12 + (206, 301, 304, 404, 500, 503, 401, 402, 403, 403, 429, 444, 451, 499, 410, 302)
_REFERRERS = (
    b"-", b"-", b"-", b"https://search.example/?q=GPTBot/1.2", b'https://x.example/" "ClaudeBot/1.0',
    b"https://x.example/\xc3\xa9", b"https://x.example/%22%20%22GPTBot/1.2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the client sent it, ``host`` in its own spelling, and its labels.

    ``site`` is the canonical name, ``judgement`` what the request was: None where ``crawler`` is.
    """

    time: datetime
    host: str
    method: str
    path: bytes
    status: int
    referrer: bytes
    client: Client
    site: str
    judgement: Judgement | None

    @property
    def crawler(self) -> str | None:
        return self.client.crawler


def make_requests(
    rng: random.Random, sites: list[Site], count: int, *, fractions: bool = False, grace_hours: float = 24
) -> list[Request]:
    """Return ``count`` requests in no order, a third of them by crawlers; one site in ten has no policy.

    ``fractions``: times have fractions of a second. What two readings of a rule would judge differently is
    left out, as are the requests whose rule could be either of two lines.
    """
    requests: list[Request] = []
    while len(requests) < count:
        request = _request(rng, rng.choice(sites), fractions=fractions, grace_hours=grace_hours)
        if not (request.judgement and request.judgement.doubtful):
            requests.append(request)
    return requests


def _request(rng: random.Random, site: Site, *, fractions: bool, grace_hours: float) -> Request:
    client = other_client(rng)
    if rng.random() < 0.4:
        client = crawler_client(rng.choice(CRAWLERS), rng)
    elif rng.random() < 0.05:
        files = [groups(version.robots_txt) for version in site.versions]
        named = any(NAMED.lower() in group.tokens for file in files for group in file)
        client = named_client(rng, named=named)
    path, status = rng.choice(PATHS), rng.choice(_STATUSES)
    when = _when(rng, site, client.crawler, grace_hours)
    if fractions:
        when += timedelta(microseconds=rng.choice((0, 125_000, 500_000, 750_000)))
    judgement = client.crawler and judge(site.versions, client.crawler, when, path, status, grace_hours)
    return Request(
        time=when,
        host=_spelled(rng, rng.choice(site.hosts)),
        method=rng.choice(("GET", "GET", "GET", "HEAD", "POST")),
        path=path,
        status=status,
        referrer=rng.choice(_REFERRERS),
        client=client,
        site=site.name,
        judgement=judgement or None,
    )


def _when(rng: random.Random, site: Site, crawler: str | None, grace_hours: float) -> datetime:
    """Return a time within the log, often one near a change or near the end of its grace period."""
    if crawler and site.history and rng.random() < 0.4:
        facts = FACTS.get(crawler)
        window = max(grace_hours, (facts and facts.robots_cache_hours) or 0)
        change = rng.choice(site.history).at
        around = rng.choice((timedelta(), timedelta(hours=window), timedelta(hours=1)))
        when = change + around + timedelta(seconds=rng.choice((-1, 0, 1, -300, 300)))
        if BEGIN <= when < BEGIN + timedelta(days=DAYS):
            return when
    return BEGIN + timedelta(seconds=rng.randrange(DAYS * 86_400))


def _spelled(rng: random.Random, host: str) -> str:
    """Return a host as clients write it: in any case, with or without the port or the final dot."""
    host = rng.choice((host, host, host, host.upper(), host.title(), f"{host}."))
    return host + rng.choice(("", "", "", ":443", ":80", ":8080"))
