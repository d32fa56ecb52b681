"""Fetch the operators' published lists: politely, each only where it changed, nothing but lists."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from aipolicy.errors import FetchError, RangesError
from aipolicy.identity.prefixes import Network, networks, published
from aipolicy.identity.proxies import PROXIES, PROXY_OF, proxy_networks
from aipolicy.identity.ranges_file import Validators, sendable
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response

PAGES = frozenset(
    {
        "https://kagi.com/bot",
        "https://you.com/docs/youbot",
        *(url for proxy in PROXIES if proxy.by_hand for url in proxy.urls),
    }
)
"""Pages that name addresses in their text: for people, and read by people when the package is made."""

_HOSTS = 8  # asked at a time; of each, one list after the other
_HOPS = 3
_LONGEST = 8 << 20  # octets; Amazon's list of all its addresses has 2.6 MB
_ACCEPT = ("Accept", "application/json, text/html;q=0.9, */*;q=0.1")


@dataclass(frozen=True, slots=True)
class Target:
    """A list to fetch."""

    url: str
    operator: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server gave: ``prefixes``, None where nothing changed since the ``validators`` asked with."""

    prefixes: tuple[Network, ...] | None
    validators: Validators
    source: str


Result = Fetched | FetchError | RangesError


async def fetch_all(
    targets: Iterable[Target],
    validators: Mapping[str, Validators],
    fetcher: Callable[[], Fetcher],
    fetched: Callable[[Target, Result], None],
) -> None:
    """Fetch every list, and call ``fetched`` with what came of each."""
    of_host: dict[str, list[Target]] = defaultdict(list)
    for target in targets:
        of_host[urlsplit(target.url).netloc].append(target)
    limiter = anyio.CapacityLimiter(_HOSTS)

    async def one_host(its: Sequence[Target]) -> None:
        async with limiter:
            for target in its:
                fetched(target, await _result(client, target, validators.get(target.url)))

    async with fetcher() as client, anyio.create_task_group() as tasks:
        for its in of_host.values():
            tasks.start_soon(one_host, its)


async def _result(client: Fetcher, target: Target, validators: Validators | None) -> Result:
    headers = [_ACCEPT]
    if validators is not None and validators.etag is not None:
        headers.append(("If-None-Match", validators.etag))
    if validators is not None and validators.last_modified is not None:
        headers.append(("If-Modified-Since", validators.last_modified))
    try:
        most = _LONGEST if target.url in PROXY_OF else None
        response = await client.follow(target.url, hops=_HOPS, headers=headers, octets=most)
        return _read(response, target, validators)
    except (FetchError, RangesError) as error:
        return error


def _read(response: Response, target: Target, validators: Validators | None) -> Fetched:
    for url in (*(hop.url for hop in response.hops), response.url):
        if urlsplit(url).scheme != "https":
            raise RangesError(f"{url} is not https: anyone on the way could have written it")
    if response.status == 304 and validators is not None:
        return Fetched(None, validators, response.url)
    if response.status != 200:
        raise RangesError(f"{response.url} answered {response.status}")
    if response.cut:
        raise RangesError(f"{response.url} is longer than {len(response.body)} octets: no list is")
    try:
        text = response.body.decode("utf-8-sig")
        if target.url in PROXY_OF:
            prefixes = proxy_networks(text, target.url)
        else:
            prefixes = networks(published(text), target.operator)
    except (UnicodeDecodeError, RangesError) as error:
        raise RangesError(f"{response.url}: {error}") from None
    fresh = Validators(*(sendable(response.header(name)) for name in ("etag", "last-modified")))
    return Fetched(prefixes, fresh, response.url)
