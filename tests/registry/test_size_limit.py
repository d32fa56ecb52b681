"""Policies that are too large to be served, which are refused before they are stored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RobotsTooLargeError
from aipolicy.registry import Registry
from tests.hostile import NO, files

FILES = files()
TOO_LARGE = {
    "rules": SitePolicy.from_preset(
        "no-ai", site="ada.example", robots_base=FILES["one group of as many rules as fit"].decode()
    ),
    "tokens in many groups": SitePolicy.from_preset(
        "no-ai", site="ada.example", robots_base=FILES["150 tokens, each in half of 120 groups"].decode()
    ),
    "paths": SitePolicy(
        site="ada.example", path_preferences=tuple((f"/{number:x}/", NO) for number in range(12_000))
    ),
    "a licence that only one switch writes": SitePolicy(
        site="ada.example", license_url=f"https://ada.example/{'a' * 520_000}"
    ),
    "sitemaps": SitePolicy(
        site="ada.example",
        sitemaps=tuple(f"https://ada.example/sitemap-{number:06d}.xml" for number in range(11_000)),
    ),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
@pytest.mark.parametrize("method", ["put", "put_many", "change"])
def test_a_policy_that_is_too_large_to_serve_is_refused(kind: str, method: str, tmp_path: Path) -> None:
    policy = TOO_LARGE[kind]
    with Registry(f"sqlite:///{tmp_path}/registry.db") as registry:
        registry.put(SitePolicy.from_flag(True, site="ada.example"), by="ada")
        put: Callable[[], object] = {
            "put": lambda: registry.put(policy, by="ada"),
            "put_many": lambda: registry.put_many([policy], by="ada"),
            "change": lambda: registry.change("ada.example", lambda _: policy, by="ada"),
        }[method]
        with pytest.raises(RobotsTooLargeError, match=r"ada\.example has .*\d bytes.*512000; shorten"):
            put()
        assert registry.get("ada.example") == SitePolicy.from_flag(True, site="ada.example")
        assert registry.seq == 1


def test_a_policy_that_fits_is_stored(tmp_path: Path) -> None:
    policy = SitePolicy.from_preset(
        "no-ai", site="ada.example", robots_base="User-agent: *\nDisallow: /x\n" * 3000
    )
    with Registry(f"sqlite:///{tmp_path}/registry.db") as registry:
        assert registry.put(policy, by="ada").seq == 1
