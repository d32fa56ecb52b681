"""Sites that share one host, each under a path of its own: ``example.com/@alice``.

Headers are a site's own, as elsewhere. But a host has one robots.txt and one tdmrep.json, so those speak for
all: the paths of the sites that opted out are listed in them, unless that would tell too much or be too long.
"""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from dataclasses import replace
from functools import partial

import anyio
from anyio import to_thread
from starlette.types import Scope

from aipolicy.asgi.request_target import RequestTarget
from aipolicy.asgi.shared_cache import SharedCache
from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.errors import AIPolicyError
from aipolicy.lookup.event_loop import Loop, is_interrupt, running_loop
from aipolicy.lookup.thread_pool import is_async
from aipolicy.rendering import Rendering, render

logger = logging.getLogger("aipolicy.asgi")

LISTINGS = ("paths", "headers", "origin")
FALLBACKS = LISTINGS[1:]

_HOSTS = 64  # whose files are kept
_REFUSED = PRESETS["no-training"]

Listed = Iterable[str | tuple[str, SitePolicy]]


class PathTenants:
    """Names the site of a request by its path, and composes the files of the host they share.

        tenants = PathTenants(site_of, listed)

    ``site_of``    scope → the site's name in the lookup, like ``"alice.blog.example"``; None: the host's own.
                   Of a path that can be read in several ways it is asked once a reading, with a scope each,
                   and what the most restrictive site says holds.
    ``listed``     host → the path of each site that opted out, ending in "/": ``["/@alice/", ...]``, or pairs
                   of path and SitePolicy. Sync (called in a thread) or async.
    ``listing``    ``"paths"`` lists them in robots.txt and tdmrep.json: anyone can read who opted out.
                   ``"headers"`` names nobody, and leaves it to the headers: crawlers are not kept out.
                   ``"origin"`` names nobody, and opts the whole host out.
    ``too_large``  what is done where the list would make robots.txt longer than crawlers read (500 KiB):
                   ``"origin"`` or ``"headers"``.
    ``ttl``        seconds for which a list is used; ``timeout``: seconds that making one may take.

    Where ``listed`` fails, the last list stands; where there is none yet, the whole host is opted out.
    """

    def __init__(
        self,
        site_of: Callable[[Scope], str | None],
        listed: Callable[[str], Listed | Awaitable[Listed]] | None = None,
        *,
        listing: str = "paths",
        too_large: str = "origin",
        ttl: float = 60.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not callable(site_of):
            raise TypeError(f"site_of is {site_of!r}: give a function of the scope that names its site")
        if listing not in LISTINGS:
            raise ValueError(f"listing is {listing!r}: choose one of {', '.join(LISTINGS)}")
        if too_large not in FALLBACKS:
            raise ValueError(f"too_large is {too_large!r}: choose one of {', '.join(FALLBACKS)}")
        if listing == "paths" and not callable(listed):
            raise TypeError(f"listed is {listed!r}: give a function of the host, or listing='headers'")
        self._site_of, self._listed = site_of, listed
        self._listing, self._too_large = listing, too_large
        self._ttl, self._timeout, self._clock = ttl, timeout, clock
        self._kept: SharedCache[tuple[str, Rendering], tuple[Rendering, float]] = SharedCache(_HOSTS)
        self._loads: dict[tuple[str, Rendering], _Load] = {}
        self._context = copy_context()

    def site(self, scope: Scope, host: bytes) -> bytes:
        """Return the name of a request's site in the lookup: a tenant's, or ``host``."""
        if not scope["path"].startswith("/"):
            return host
        try:
            name = self._site_of(scope)
            return host if name is None else name.encode()
        except BaseException as error:  # SystemExit, too, must not end the server
            if is_interrupt(error):
                raise
            logger.exception("site_of failed: the default policy is sent")
            return b""  # no site's: the default, and never somebody else's choice

    def sites(self, scope: Scope, host: bytes) -> list[bytes]:
        """Return the names of every site whose path the request's can be read as; none: there may be more."""
        scopes = RequestTarget.of(scope).scopes(scope)
        return [*dict.fromkeys(self.site(each, host) for each in scopes)]

    async def of_host(self, host: bytes, own: Rendering) -> Rendering:
        """What the host's files say: its own policy, and its tenants'. Never raises."""
        if self._listing == "headers":
            return own
        key = (canonical_host(host) or "", own)
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        # One load, however many requests wait, and one that hangs up doesn't fail the others.
        loop = running_loop()
        load = self._loads.get(key)
        if load is None or load.loop != loop:  # that of an event loop that ended would never be done
            load = self._loads[key] = _Load(loop)
            # In no client's context: all of the host get the same.
            load.hold = self._context.copy().run(
                loop.start, partial(self._load, key, kept, load), lambda: None
            )
        if load.rendering is None:
            done = anyio.Event()
            load.waiting.add(done)
            try:
                await done.wait()
            finally:
                load.waiting.discard(done)
        return load.rendering or _origin(own)

    async def _load(
        self, key: tuple[str, Rendering], kept: tuple[Rendering, float] | None, load: "_Load"
    ) -> None:
        name, own = key
        try:
            try:
                with anyio.fail_after(self._timeout):
                    composed = await self._composed(name, own)
            except BaseException as error:  # whatever ``listed`` raises, it must not end the server
                if is_interrupt(error) or load.loop.is_ending():
                    raise
                served = "its last robots.txt is served" if kept else "the whole host is opted out"
                logger.exception("the tenants of %s that opted out can't be listed: %s", name, served)
                composed = kept[0] if kept else _origin(own)
            self._kept[key] = (composed, self._clock() + self._ttl)
            load.rendering = composed
        finally:
            if self._loads.get(key) is load:
                self._loads.pop(key, None)  # an event loop of another thread may be as far
            for done in load.waiting:
                done.set()

    async def _composed(self, name: str, own: Rendering) -> Rendering:
        if self._listing == "origin" or self._listed is None:
            return _origin(own)
        if is_async(self._listed):
            listed = self._listed(name)
        else:
            listed = await to_thread.run_sync(self._listed, name, abandon_on_cancel=True)
        if inspect.isawaitable(listed):
            listed = await listed
        try:
            return await to_thread.run_sync(_with_paths, own, listed)
        except AIPolicyError as error:
            whole = self._too_large == "origin"
            instead = "the whole host is opted out" if whole else "headers alone speak for them"
            logger.error("robots.txt can't list the tenants of %s: %s; %s", name, error, instead)
            return _origin(own) if whole else own


class _Load:
    """A list that is being made, and who waits for it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.hold: object = None  # the task
        self.waiting: set[anyio.Event] = set()
        self.rendering: Rendering | None = None


def _origin(own: Rendering) -> Rendering:
    policy = own.policy
    return render(replace(policy, preferences=policy.preferences.combined(_REFUSED)), own.signals)


def _with_paths(own: Rendering, listed: Listed) -> Rendering:
    """The host's own policy, and those of its tenants on their paths."""
    paths: dict[str, Preferences] = dict(own.policy.path_preferences)
    for entry in listed:
        path, policy = entry if isinstance(entry, tuple) else (entry, None)
        stated = _REFUSED if policy is None else policy.effective
        # The home page of a tenant is also asked for without the slash at its end.
        for pattern in (path, f"{path[:-1]}$", f"{path[:-1]}?") if path.endswith("/") else (path,):
            paths[pattern] = stated
    return render(replace(own.policy, path_preferences=tuple(paths.items())), own.signals, whole=True)
