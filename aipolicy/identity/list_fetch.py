"""Download of the operators' address lists: conditional requests, few at a time, with strict checks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from aipolicy.errors import FetchError, RangesError
from aipolicy.identity.prefixes import Network, networks, published_prefixes
from aipolicy.identity.proxies import PROXIES, PROXY_OF, proxy_networks
from aipolicy.identity.ranges_file import Validators, valid_validator
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response

PAGES = frozenset(
    {
        "https://kagi.com/bot",
        "https://you.com/docs/youbot",
        *(url for proxy in PROXIES if proxy.by_hand for url in proxy.urls),
    }
)
"""Web pages that name addresses in their text. They are read by hand when the package is made."""

_MAX_HOSTS = 8  # at a time; the lists of one host are fetched one after the other
_MAX_REDIRECTS = 3
_MAX_BYTES = 8 << 20  # Amazon's list of all its addresses has 2.6 MB
_ACCEPT = ("Accept", "application/json, text/html;q=0.9, */*;q=0.1")


@dataclass(frozen=True, slots=True)
class Target:
    """A list to fetch."""

    url: str
    operator: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response with a list; ``prefixes`` is None if it has not changed since the last fetch."""

    prefixes: tuple[Network, ...] | None
    validators: Validators
    source: str


FetchResult = Fetched | FetchError | RangesError


async def fetch_all(
    targets: Iterable[Target],
    validators: Mapping[str, Validators],
    fetcher: Callable[[], Fetcher],
    fetched: Callable[[Target, FetchResult], None],
) -> None:
    """Fetch every list, and call ``fetched`` with the result of each."""
    by_host: dict[str, list[Target]] = defaultdict(list)
    for target in targets:
        by_host[urlsplit(target.url).netloc].append(target)
    limiter = anyio.CapacityLimiter(_MAX_HOSTS)

    async def fetch_host(lists: Sequence[Target]) -> None:
        async with limiter:
            for target in lists:
                fetched(target, await _result(client, target, validators.get(target.url)))

    async with fetcher() as client, anyio.create_task_group() as tasks:
        for lists in by_host.values():
            tasks.start_soon(fetch_host, lists)


async def _result(client: Fetcher, target: Target, validators: Validators | None) -> FetchResult:
    headers = [_ACCEPT]
    if validators is not None and validators.etag is not None:
        headers.append(("If-None-Match", validators.etag))
    if validators is not None and validators.last_modified is not None:
        headers.append(("If-Modified-Since", validators.last_modified))
    try:
        limit = _MAX_BYTES if target.url in PROXY_OF else None
        response = await client.follow(target.url, hops=_MAX_REDIRECTS, headers=headers, max_bytes=limit)
        return _read(response, target, validators)
    except (FetchError, RangesError) as error:
        return error


def _read(response: Response, target: Target, validators: Validators | None) -> Fetched:
    for url in (*(hop.url for hop in response.hops), response.url):
        if urlsplit(url).scheme != "https":
            raise RangesError(f"{url} is not https, so the list can't be trusted")
    if response.status == 304 and validators is not None:
        return Fetched(None, validators, response.url)
    if response.status != 200:
        raise RangesError(f"{response.url} answered {response.status}")
    if response.cut:
        raise RangesError(f"{response.url} is longer than {len(response.body)} bytes, too long for a list")
    try:
        text = response.body.decode("utf-8-sig")
        if target.url in PROXY_OF:
            prefixes = proxy_networks(text, target.url)
        else:
            prefixes = networks(published_prefixes(text), target.operator)
    except (UnicodeDecodeError, RangesError) as error:
        raise RangesError(f"{response.url}: {error}") from None
    fresh = Validators(*(valid_validator(response.header(name)) for name in ("etag", "last-modified")))
    return Fetched(prefixes, fresh, response.url)
