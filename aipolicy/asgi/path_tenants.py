"""Path tenants: sites that share one host, each under a path of its own, such as ``example.com/@alice``.

Each tenant has its own headers. But a host has one robots.txt and one tdmrep.json, which apply to all of
them: they list the paths of the tenants that opted out, unless that would disclose too much or be too long,
and state no grant of the host's own.
"""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from dataclasses import replace
from functools import lru_cache, partial
from typing import Literal, get_args

import anyio
from anyio import to_thread
from starlette.types import Scope

from aipolicy.asgi.messages import request_of
from aipolicy.asgi.token_bucket import TokenBucket
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.errors import AIPolicyError
from aipolicy.lookup.event_loop import Loop, is_interrupt, running_loop
from aipolicy.lookup.thread_pool import is_async
from aipolicy.rendering import Rendering, render
from aipolicy.serving.request_target import RequestTarget
from aipolicy.serving.shared_cache import SharedCache

logger = logging.getLogger("aipolicy.asgi")

Listing = Literal["paths", "headers", "origin"]
Fallback = Literal["headers", "origin"]
LISTINGS: tuple[Listing, ...] = get_args(Listing)
FALLBACKS: tuple[Fallback, ...] = get_args(Fallback)

Listed = Iterable[str | tuple[str, SitePolicy | Preset | bool | None]]

_HOSTS = 64  # whose files are kept; as many unknown hosts, apart from them
_UNKNOWN_AT_ONCE, _UNKNOWN_A_SECOND = 8, 1.0  # lists for unknown hosts, because clients choose those
_NAMES = 8192  # of tenants, that are remembered as valid
_LOGGED = 16  # invalid names, and unknown hosts, with a line in the log each
_OPTED_OUT = PRESETS["no-training"]


class PathTenants:
    """The sites that share a host, named by the paths of requests, and the policy files of that host.

        tenants = PathTenants(site_of, listed)

    The lookup must know the shared host as well as the tenants. If it doesn't, the host's own pages get the
    lookup's default policy, like any unknown host, and a warning names the host; the tenants that opted out
    are still listed.

    While ``listed`` fails, the last list is used; if there is none, the whole host is opted out.

    Args:
        site_of: Returns a request's site from its scope: the name in the lookup, like
            ``"alice.blog.example"``, or None for the host's own pages. If the path can be read in several
            ways, it is called for each reading, and the most restrictive policy counts. Where it fails or
            returns an invalid name, the strict default is sent and an error logged.
        listed: Returns the path of each tenant that opted out, from the host: ``["/@alice/", ...]``, or pairs
            of path and ``SitePolicy``, preset or flag. ``"/@alice"`` means the same as ``"/@alice/"``. Sync
            (called in a thread) or async.
        listing: ``"paths"`` lists them in robots.txt and tdmrep.json, where anyone can read who opted out.
            ``"headers"`` lists nobody: only headers state the opt-outs, and crawlers are not kept out.
            ``"origin"`` lists nobody, and opts the whole host out.
        too_large: The fallback, ``"origin"`` or ``"headers"``, if robots.txt with the list would be larger
            than crawlers read (500 KiB).
        ttl: Seconds for which a list is used.
        timeout: Seconds that making a list may take.
        clock: Returns the time in seconds; for tests.

    Raises:
        ValueError, TypeError: An argument is invalid.
    """

    def __init__(
        self,
        site_of: Callable[[Scope], str | None],
        listed: Callable[[str], Listed | Awaitable[Listed]] | None = None,
        *,
        listing: Listing = "paths",
        too_large: Fallback = "origin",
        ttl: float = 60.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not callable(site_of):
            raise TypeError(f"site_of is {site_of!r}; use a function of the scope that returns a site's name")
        if listing not in LISTINGS:
            raise ValueError(f"listing is {listing!r}; use one of {', '.join(LISTINGS)}")
        if too_large not in FALLBACKS:
            raise ValueError(f"too_large is {too_large!r}; use one of {', '.join(FALLBACKS)}")
        if listing == "paths" and not callable(listed):
            raise TypeError(f"listed is {listed!r}; use a function of the host, or listing='headers'")
        self._site_of, self._listed = site_of, listed
        self._listing, self._too_large = listing, too_large
        self._ttl, self._timeout, self._clock = ttl, timeout, clock
        self._hosts, self._unknown = _Hosts(), _Hosts()
        self._names: BoundedCache[str, bytes] = BoundedCache(_NAMES)
        self._invalid_names, self._unknown_hosts = _LoggedOnce(), _LoggedOnce()
        self._unknown_lists = TokenBucket(_UNKNOWN_A_SECOND, _UNKNOWN_AT_ONCE, clock())
        self._context = copy_context()

    def site(self, scope: Scope, host: bytes) -> bytes | None:
        """Return the lookup's key for a request's site, a tenant's or ``host``; None if it is unknown."""
        if not scope["path"].startswith("/"):
            return host
        try:
            name = self._site_of(scope)
            if name is None:
                return host
            return self._names.get(name) or self._checked(name)
        except BaseException as error:  # a SystemExit must not end the server
            if is_interrupt(error):
                raise
            logger.exception("site_of failed; the strict default is sent")
            return None

    def sites(self, scope: Scope, host: bytes) -> list[bytes | None]:
        """Return the names of every site that a request may be for, by any reading of its path.

        The list is empty if the path has too many readings.
        """
        scopes = (
            {**scope, "path": path, "raw_path": raw_path}
            for path, raw_path in RequestTarget.of(*request_of(scope).target).paths()
        )
        return [*dict.fromkeys(self.site(each, host) for each in scopes)]

    async def of_host(self, host: bytes, own: Rendering, *, is_site: bool) -> Rendering:
        """Return the rendering of the host's policy files, with the tenants' policies. Never raises.

        Args:
            host: The value of a Host header.
            own: The host's own rendering.
            is_site: True if the lookup knows the host.
        """
        name = canonical_host(host) or ""
        own = _without_grants(own)
        if self._listing == "headers":
            self._warn_of_unknown(name, own, is_site=is_site)
            return own
        hosts = self._hosts if is_site else self._unknown
        key = (name, own)
        kept = hosts.renderings.get(key)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        # One load for all waiting requests; a client that disconnects doesn't fail the others.
        loop = running_loop()
        load = hosts.loads.get(key)
        if load is None or load.loop != loop:  # a load of an event loop that has ended would never finish
            if not is_site and not self._may_list_unknown():
                return kept[0] if kept else _opted_out(own)
            load = hosts.loads[key] = _Load(loop, is_site=is_site)
            # Outside the client's context: all clients of the host get the same.
            load.cancel = self._context.copy().run(
                loop.start, partial(self._load, hosts, key, kept, load), lambda: None
            )
        if load.rendering is None:
            done = anyio.Event()
            load.waiting.add(done)
            try:
                await done.wait()
            finally:
                load.waiting.discard(done)
        return load.rendering or _opted_out(own)

    async def _load(self, hosts: "_Hosts", key: "_Key", kept: "_Kept | None", load: "_Load") -> None:
        name, own = key
        try:
            try:
                with anyio.fail_after(self._timeout):
                    composed = await self._composed(name, own, is_site=load.is_site)
            except BaseException as error:  # whatever ``listed`` raises must not end the server
                if is_interrupt(error) or load.loop.is_ending():
                    raise
                served = "its last robots.txt is served" if kept else "the whole host is opted out"
                logger.exception("the opted-out tenants of %s can't be listed; %s", name, served)
                composed = kept[0] if kept else _opted_out(own)
            hosts.renderings[key] = (composed, self._clock() + self._ttl)
            load.rendering = composed
        finally:
            if hosts.loads.get(key) is load:
                hosts.loads.pop(key, None)  # an event loop of another thread may do the same
            for done in load.waiting:
                done.set()

    async def _composed(self, name: str, own: Rendering, *, is_site: bool) -> Rendering:
        if self._listing == "origin" or self._listed is None:
            self._warn_of_unknown(name, own, is_site=is_site)
            return _opted_out(own)
        if is_async(self._listed):
            listed = self._listed(name)
        else:
            listed = await to_thread.run_sync(self._listed, name, abandon_on_cancel=True)
        if inspect.isawaitable(listed):
            listed = await listed
        entries = await to_thread.run_sync(_entries, listed)  # a lazy one may ask a database
        if entries:
            self._warn_of_unknown(name, own, is_site=is_site)
        try:
            return await to_thread.run_sync(_with_paths, own, entries)
        except AIPolicyError as error:
            opts_out = self._too_large == "origin"
            instead = "the whole host is opted out" if opts_out else "only headers speak for them"
            logger.error("robots.txt can't list the tenants of %s: %s; %s", name, error, instead)
            return _opted_out(own) if opts_out else own

    def _may_list_unknown(self) -> bool:
        """Return True if the rate limit allows a list for an unknown host."""
        return len(self._unknown.loads) < _UNKNOWN_AT_ONCE and self._unknown_lists.take(self._clock())

    def _checked(self, name: object) -> bytes | None:
        """Return a name as the lookup's key, or None if it isn't a valid site name."""
        if isinstance(name, str) and canonical_host(name) is not None:
            return self._names.keep(name, name.encode())
        text = f"{name!r:.200}"
        if self._invalid_names.is_new(text):
            logger.error(
                "site_of returned %s, which is not a valid site name; the strict default is sent. Return "
                "a host name like 'alice.blog.example', or None for the host's own pages",
                text,
            )
        return None

    def _warn_of_unknown(self, name: str, own: Rendering, *, is_site: bool) -> None:
        if not is_site and name and self._unknown_hosts.is_new(name):
            logger.warning(
                "tenants share the host %r, which the lookup doesn't know; its own pages get the default "
                "policy (%s). Let the lookup return a policy for %r, for example 'unset'",
                name,
                own.policy.effective or "no preference",
                name,
            )


_Key = tuple[str, Rendering]
_Kept = tuple[Rendering, float]


class _Hosts:
    """The composed renderings of some hosts, each with its time of expiry, and those being made."""

    def __init__(self) -> None:
        self.renderings: SharedCache[_Key, _Kept] = SharedCache(_HOSTS)
        self.loads: dict[_Key, _Load] = {}


class _Load:
    """A rendering that is being made, and the requests that wait for it."""

    def __init__(self, loop: Loop, *, is_site: bool) -> None:
        self.loop, self.is_site = loop, is_site
        self.cancel: object = None  # kept, because an event loop may drop its tasks
        self.waiting: set[anyio.Event] = set()
        self.rendering: Rendering | None = None


class _LoggedOnce:
    """The first few values that were logged. Clients may choose the values, so their number is bounded."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def is_new(self, value: str) -> bool:
        if value in self._values or len(self._values) >= _LOGGED:
            return False
        self._values.add(value)
        return True


@lru_cache(maxsize=_HOSTS)
def _without_grants(own: Rendering) -> Rendering:
    """Return the rendering without the host's grants, which its files would state for every tenant."""
    policy = replace(own.policy, preferences=own.policy.preferences.disallowed)
    return own if policy == own.policy else render(policy, own.signals)


@lru_cache(maxsize=_HOSTS)
def _opted_out(own: Rendering) -> Rendering:
    policy = own.policy
    return render(replace(policy, preferences=policy.preferences.combined(_OPTED_OUT)), own.signals)


def _entries(listed: Listed) -> list[tuple[str, Preferences]]:
    """Return pairs of path and preferences. Raises TypeError for an entry that isn't one of ``Listed``."""
    found = []
    for entry in listed:
        path, policy = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, None)
        preferences = _preferences_of(policy)
        if not isinstance(path, str) or preferences is None:
            fix = "give a path, or (path, SitePolicy), or (path, 'no-ai')"
            raise TypeError(f"listed returned {entry!r:.200}; {fix}")
        found.append((path, preferences))
    return found


def _preferences_of(policy: object) -> Preferences | None:
    """Return the preferences of a listed tenant, which are an opt-out for None; None for another type."""
    if isinstance(policy, SitePolicy):
        return policy.effective
    if isinstance(policy, str):
        return next((preferences for name, preferences in PRESETS.items() if name == policy), None)
    if policy is None or (isinstance(policy, int) and policy == 1):
        return _OPTED_OUT
    return Preferences() if isinstance(policy, int) and policy == 0 else None


def _with_paths(own: Rendering, entries: list[tuple[str, Preferences]]) -> Rendering:
    """Return the rendering of the host's own policy with those of its tenants on their paths."""
    paths: dict[str, Preferences] = dict(own.policy.path_preferences)
    for path, preferences in entries:
        for pattern in tenant_patterns(path):
            paths[pattern] = preferences
    return render(replace(own.policy, path_preferences=tuple(paths.items())), own.signals, complete=True)


def tenant_patterns(path: str) -> tuple[str, ...]:
    """Return the path patterns that match a tenant's pages and no other tenant's.

    A pattern matches everything that begins with it, so ``/@alice`` would match ``/@alicesmith`` too. A path
    with wildcards is a pattern already.
    """
    if "*" in path or path.endswith("$") or path == "/":
        return (path,)
    if "?" in path:  # a tenant that is named by the query
        path = path.removesuffix("&")
        return (f"{path}$", f"{path}&")
    path = path.removesuffix("/")
    # Python's own parser until 2026 reads "/@alice?" as "/@alice", and so as "/@alicesmith" too.
    return (f"{path}/", f"{path}$", f"{path}?*")
