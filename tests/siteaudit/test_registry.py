"""Expectations from a registry: the policy in force, and earlier ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry import Registry
from aipolicy.rendering import render
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.expectation import RegistryExpectations
from tests.siteaudit.observations import answer, observe, opted_out, page, robots

HOST = "blog.example"
START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a registry in which the blog had three policies, an hour each: unset, no-training, no-ai."""
    address = f"sqlite:///{tmp_path}/registry.db"
    now = START
    with Registry(address, clock=lambda: now) as registry:
        for preset in ("unset", "no-training", "no-ai"):
            registry.put(SitePolicy.from_preset(preset, site=HOST), by="ada", hosts=["www.blog.example"])
            now += timedelta(hours=1)
    return address


def test_the_policy_in_force_is_expected_with_its_change_and_time(url: str) -> None:
    with RegistryExpectations(url) as expecting:
        expectation = expecting("www.blog.example")
    assert expectation is not None
    assert str(expectation.version) == "no-ai (change 3, 2026-11-01 14:00:00 UTC)"
    assert [version.seq for version in expectation.earlier] == [2, 1]


def test_an_earlier_robots_txt_is_named_with_its_change_and_time(url: str) -> None:
    with RegistryExpectations(url) as expecting:
        expectation = expecting(HOST)
    now = render(SitePolicy.from_preset("no-ai", site=HOST))
    headers = tuple((n.decode(), v.decode()) for n, v in now.site.headers)
    before = render(SitePolicy.from_preset("no-training", site=HOST)).robots.body
    assert now.tdmrep is not None
    stale = observe(
        robots_txt=robots(before, ("Age", "1200"), ("X-Cache", "HIT")),
        page_=page(*headers),
        tdmrep=answer("/.well-known/tdmrep.json", now.tdmrep.body),
    )
    (found,) = audit(stale, expectation=expectation).findings
    assert (found.id, found.where) == ("earlier-policy", "robots.txt")
    assert "no-training (change 2, 2026-11-01 13:00:00 UTC)" in found.found
    assert "in force is no-ai (change 3, 2026-11-01 14:00:00 UTC)" in found.found
    assert "x-cache: HIT" in found.found
    assert "may fetch /" in found.effect


def test_a_site_without_signals_follows_the_policy_before_the_opt_out(url: str) -> None:
    with RegistryExpectations(url) as expecting:
        expectation = expecting(HOST)
    found = audit(observe(), expectation=expectation).findings
    named = [one.found for one in found if one.id == "earlier-policy"]
    assert len(named) == 1
    assert "unset (change 1," in named[0]
    assert {"header-missing", "tdmrep-missing"} <= {one.id for one in found}


def test_an_unknown_host_is_a_finding_unless_that_is_switched_off(
    url: str,
) -> None:
    with RegistryExpectations(url) as expecting:
        (found,) = audit(opted_out(), expectation=expecting("other.example")).findings
    assert found.id == "unknown-site"
    with RegistryExpectations(url, report_unknown=False) as expecting:
        assert expecting("other.example") is None


def test_a_removed_host_is_unknown_since_its_removal(url: str) -> None:
    with Registry(url, clock=lambda: START + timedelta(hours=9)) as registry:
        registry.put(SitePolicy.from_preset("no-ai", site=HOST), by="ada", hosts=[])
    with RegistryExpectations(url) as expecting:
        (found,) = audit(opted_out(), expectation=expecting("www.blog.example")).findings
    assert found.id == "unknown-site"
    assert "it was removed on 2026-11-01 21:00:00 UTC" in found.found


def test_a_missing_registry_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(RegistryError):
        RegistryExpectations(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
