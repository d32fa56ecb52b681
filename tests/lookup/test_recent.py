"""Cached answers are as fresh as the others, however many sites there are."""

from pathlib import Path

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup, LocalLookup, Lookup
from aipolicy.registry import Registry

SITES = [f"site-{number}.example" for number in range(2055)]


async def asked(lookup: Lookup, host: str) -> str:
    raw = host.encode()
    return str((lookup.peek(raw) or await lookup.find(raw)).policy.preferences)


async def test_a_flag_that_changes_among_thousands_of_sites_is_in_force_at_once() -> None:
    flags = dict.fromkeys(SITES, False)
    lookup = CachedLookup(flags.get, ttl=3600)
    for _ in range(2):
        assert {await asked(lookup, site) for site in SITES} == {""}
    flags[SITES[-1]] = flags[SITES[0]] = True
    for site in (SITES[0], SITES[-1]):
        lookup.invalidate(site)
        assert await asked(lookup, site) == await asked(lookup, site) == "train-ai=n"


async def test_invalidating_all_includes_recently_used_sites() -> None:
    flags = {"blog.example": False}
    lookup = CachedLookup(flags.get, ttl=3600)
    for _ in range(3):
        assert await asked(lookup, "blog.example") == ""
    flags["blog.example"] = True
    lookup.invalidate_all()
    assert await asked(lookup, "blog.example") == await asked(lookup, "blog.example") == "train-ai=n"


async def test_a_registry_that_changes_among_thousands_of_sites_is_followed(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path}/blogs.db", 0.0
    with Registry(url) as registry:
        registry.put_many((SitePolicy(site=site) for site in SITES), by="test")
        lookup = LocalLookup(url, refresh=1, clock=lambda: now)
        for _ in range(2):
            assert {await asked(lookup, site) for site in SITES} == {""}
        registry.put(SitePolicy.from_flag(True, site=SITES[-1]), by="test")
        now = 1.0
        assert await asked(lookup, SITES[-1]) == await asked(lookup, SITES[-1]) == "train-ai=n"
        lookup.close()
