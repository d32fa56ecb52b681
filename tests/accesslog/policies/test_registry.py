"""The policies of a registry, with their history."""

import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipolicy.accesslog.policies import Version, from_registry
from aipolicy.accesslog.policies.from_registry import RegistryPolicies
from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.registry import Registry
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.times import to_microseconds
from tests.accesslog.policies.frames import outcomes
from tests.registry.conftest import Clock
from tests.registry.test_history_model import HOSTS, puts

OPTED_OUT = SitePolicy.from_flag(True, site="a.example")
SILENT = SitePolicy.from_flag(False, site="a.example")
ROBOTS = robots_txt(OPTED_OUT)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(url: str, clock: Clock) -> Iterator[Registry]:
    with Registry(url, clock=clock) as opened:
        yield opened


def test_each_change_is_a_version_named_by_its_number(registry: Registry, url: str, clock: Clock) -> None:
    first = registry.put(OPTED_OUT, by="ada", hosts=["x.example"]).at
    second = clock.move(hours=1)
    registry.put(SILENT, by="ada", hosts=[])
    with RegistryPolicies(url) as policies:
        site, host = policies.timeline("a.example"), policies.timeline("x.example")
        assert policies.timeline("unknown.example") is None
        assert policies.source == url
    assert site is not None
    assert host is not None
    assert site.versions == (
        Version(to_microseconds(first), "change 1", ROBOTS, "a.example"),
        Version(to_microseconds(second), "change 2", robots_txt(SILENT), "a.example"),
    )
    assert host.versions[1] == Version(to_microseconds(second), None, b"", None)


def test_a_fetch_is_judged_by_the_history(registry: Registry, url: str, clock: Clock) -> None:
    start = to_microseconds(registry.put(OPTED_OUT, by="ada").at)
    day = 24 * 3_600_000_000
    with RegistryPolicies(url) as policies:
        rows = [("a.example", start + step, "GPTBot", "/") for step in (-1, 0, day, day + 1)]
        assert outcomes(policies, *rows) == ["allowed", "graced", "graced", "disallowed"]


def test_a_log_without_hosts_has_no_policy_even_if_the_registry_has_one_site(
    registry: Registry, url: str
) -> None:
    registry.put(OPTED_OUT, by="ada")
    with RegistryPolicies(url) as policies:
        assert policies.timeline(None) is None


def test_a_missing_registry_is_an_error_and_is_not_created(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryURLError, match="doesn't exist"):
        RegistryPolicies(url)
    assert list(tmp_path.iterdir()) == []


def test_in_another_process_the_registry_is_opened_again(registry: Registry, url: str) -> None:
    registry.put(OPTED_OUT, by="ada")
    with RegistryPolicies(url) as policies, pickle.loads(pickle.dumps(policies)) as sent:
        policies.close()
        assert sent.timeline("a.example") is not None
        with pytest.raises(RegistryError, match="closed"):
            policies.timeline("a.example")


def test_a_host_is_read_once(registry: Registry, url: str) -> None:
    registry.put(OPTED_OUT, by="ada")
    with RegistryPolicies(url) as policies:
        before = policies.timeline("a.example"), policies.timeline("b.example")
        registry.put(SILENT.for_site("b.example"), by="ada")
        policies.close()
        assert (policies.timeline("a.example"), policies.timeline("b.example")) == before


def test_sites_with_equal_policies_share_their_file(registry: Registry, url: str) -> None:
    policy = SitePolicy.from_flag(True)
    registry.put(policy.for_site("a.example"), by="ada")
    registry.put(policy.for_site("b.example"), by="ada")
    with RegistryPolicies(url) as policies:
        one, other = policies.timeline("a.example"), policies.timeline("b.example")
    assert one is not None
    assert other is not None
    assert one.versions[0].robots is other.versions[0].robots


def test_a_policy_that_was_too_large_to_be_served_accuses_nobody(
    registry: Registry, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.registry.write.check_fits", lambda policy: None)  # as older versions did
    registry.put(
        SitePolicy.from_preset("no-ai", site="a.example", robots_base="#" * 511_990 + "\nAllow: /"), by="ada"
    )
    with RegistryPolicies(url) as policies:
        timeline = policies.timeline("a.example")
        assert timeline is not None
        assert [(one.name, one.robots) for one in timeline.versions] == [("change 1", b"")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(puts, min_size=1, max_size=10))
def test_the_versions_in_force_are_those_of_the_registry(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, set[str] | None, int]]
) -> None:
    clock = Clock()
    url = f"sqlite:///{tmp_path_factory.mktemp('registry')}/registry.db"
    with Registry(url, clock=clock) as registry:
        made = [
            (SitePolicy.from_preset(preset_named(preset), site=site), further)
            for site, preset, further, _ in steps
        ]
        for put, (_, _, _, step) in zip(made, steps, strict=True):
            clock.move(microseconds=step)
            registry.put_many([put], by="ada", refused=lambda policy, error: None)
        moments = {c.at + timedelta(microseconds=step) for c in registry.changes() for step in (-1, 0, 1)}
        with RegistryPolicies(url) as policies:
            for host in HOSTS:
                timeline = policies.timeline(host)
                for moment in moments:
                    then = registry.at(host, moment)
                    versions = [
                        v for v in (timeline.versions if timeline else ()) if v.at <= to_microseconds(moment)
                    ]
                    robots, site = (versions[-1].robots, versions[-1].site) if versions else (b"", None)
                    assert robots == (robots_txt(then) if then else b"")
                    assert site == (then.site if then else None)


def test_the_password_of_a_registry_is_in_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(from_registry, "Registry", lambda url, **_: opened.append(url))
    policies = RegistryPolicies("postgresql://user:secret@db.example/registry")
    assert policies.source == "postgresql://user:***@db.example/registry"
    assert pickle.loads(pickle.dumps(policies)).source == policies.source
    assert opened == ["postgresql://user:secret@db.example/registry"] * 2
