"""``Registry.at``: the policy that was in force on a host at a time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import PRESETS, SitePolicy, preset_named
from aipolicy.errors import HostTakenError, RegistryError
from aipolicy.registry import Change, Registry
from tests.registry.conftest import Clock, NewURL

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
SILENT = SitePolicy.from_flag(False, site="blog.example")
MICROSECOND = timedelta(microseconds=1)


def test_a_policy_is_in_force_from_its_change_to_the_next(registry: Registry, clock: Clock) -> None:
    first = registry.put(OPTED_OUT, by="ada").at
    clock.move(hours=1)
    second = registry.put(SILENT, by="ada").at
    assert registry.at("blog.example", first - MICROSECOND) is None
    assert registry.at("blog.example", first) == OPTED_OUT
    assert registry.at("blog.example", second - MICROSECOND) == OPTED_OUT
    assert registry.at("blog.example", second) == SILENT
    assert registry.at("blog.example", second + timedelta(days=9000)) == SILENT
    assert registry.at("unknown.example", second) is None


def test_the_last_of_several_changes_at_one_time_was_in_force(registry: Registry, clock: Clock) -> None:
    for policy in (OPTED_OUT, SILENT, OPTED_OUT):
        registry.put(policy, by="ada")
    assert registry.at("blog.example", clock.now) == OPTED_OUT


def test_a_moved_host_has_the_policy_of_its_site_at_that_time(registry: Registry, clock: Clock) -> None:
    other = SitePolicy.from_preset("allow", site="other.example")
    added = registry.put(OPTED_OUT, by="ada", hosts=["shared.example"]).at
    removed = clock.move(hours=1)
    registry.put(OPTED_OUT, by="ada", hosts=[])
    clock.move(hours=1)
    registry.put(other, by="eve")
    given_away = clock.move(hours=1)
    registry.put(other, by="eve", hosts=["shared.example"])
    clock.move(hours=1)
    registry.put(SILENT, by="ada")
    moments = [
        added - MICROSECOND,
        added,
        removed - MICROSECOND,
        removed,
        given_away - MICROSECOND,
        given_away,
    ]
    answers = [registry.at("Shared.Example:80", moment) for moment in moments]
    assert answers == [None, OPTED_OUT, OPTED_OUT, None, None, other]


def test_the_change_in_force_has_its_hosts_at_that_time(registry: Registry, clock: Clock) -> None:
    first = registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    clock.move(hours=1)
    second = registry.put(OPTED_OUT, by="ada", hosts=[])
    assert registry.change_in_force("www.blog.example", first.at) == first
    assert registry.change_in_force("blog.example", second.at - MICROSECOND) == first
    assert registry.change_in_force("blog.example", second.at) == second
    assert registry.change_in_force("blog.example") == second
    assert registry.change_in_force("www.blog.example") is None


def test_a_host_added_later_had_no_policy_before(registry: Registry, clock: Clock) -> None:
    first = registry.put(OPTED_OUT, by="ada").at
    clock.move(hours=1)
    added = registry.put(SILENT, by="ada", hosts=["www.blog.example"]).at
    assert registry.at("www.blog.example", first) is None
    assert registry.at("www.blog.example", added) == SILENT


def test_a_time_is_the_same_in_every_time_zone(registry: Registry) -> None:
    at = registry.put(OPTED_OUT, by="ada").at
    for hours in (-12, 0, 5.5, 14):
        zone = timezone(timedelta(hours=hours))
        assert registry.at("blog.example", at.astimezone(zone)) == OPTED_OUT
        assert registry.at("blog.example", (at - MICROSECOND).astimezone(zone)) is None


def test_the_earliest_and_latest_times_are_accepted(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada")
    for hours in (-23, 0, 23):
        zone = timezone(timedelta(hours=hours))
        assert registry.at("blog.example", datetime.min.replace(tzinfo=zone)) is None
        assert registry.at("blog.example", datetime.max.replace(tzinfo=zone)) == OPTED_OUT


def test_a_time_without_a_zone_is_refused(registry: Registry, clock: Clock) -> None:
    with pytest.raises(RegistryError, match="time zone"):
        registry.at("blog.example", clock.now.replace(tzinfo=None))


HOSTS = ["a.example", "b.example", "c.example", "x.example", "y.example", "z.example"]


@dataclass
class Naive:
    """A model of the registry, which computes each answer from all puts."""

    puts: list[tuple[datetime, SitePolicy, frozenset[str]]] = field(default_factory=list)

    def state(self, when: datetime | None = None) -> dict[str, SitePolicy]:
        policies: dict[str, SitePolicy] = {}
        for at, policy, hosts in self.puts:
            if when is None or at <= when:
                policies = {host: p for host, p in policies.items() if p.site != policy.site}
                policies |= dict.fromkeys(hosts, policy)
        return policies

    def hosts_of(self, site: str) -> frozenset[str]:
        return frozenset(host for host, policy in self.state().items() if policy.site == site)

    def put(self, now: datetime, policy: SitePolicy, further: Iterable[str] | None) -> bool:
        """Return True if it may be put: none of its hosts belongs to another site."""
        site = policy.site
        hosts = (self.hosts_of(site) if further is None else frozenset(further)) | {site}
        state = self.state()
        if any(host in state and state[host].site != site for host in hosts):
            return False
        if state.get(site) != policy or self.hosts_of(site) != hosts:
            self.puts.append((max([now, *(at for at, _, _ in self.puts)]), policy, hosts))
        return True


puts = st.tuples(
    st.sampled_from(HOSTS[:3] * 3 + HOSTS[3:]),
    st.sampled_from(sorted(PRESETS)),
    st.none() | st.sets(st.sampled_from(HOSTS[2:]), max_size=3),
    st.sampled_from([-3, -1, 0, 0, 1, 1, 2, 5]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(puts, min_size=1, max_size=14))
def test_at_agrees_with_a_model(new_url: NewURL, steps: list[tuple[str, str, set[str] | None, int]]) -> None:
    naive, clock = Naive(), Clock()
    start = clock.now
    with Registry(new_url(), clock=clock) as registry:
        for site, preset, further, microseconds in steps:
            clock.move(microseconds=microseconds)
            policy = SitePolicy.from_preset(preset_named(preset), site=site)
            if naive.put(clock.now, policy, further):
                registry.put(policy, by="ada", hosts=further)
            else:
                with pytest.raises(HostTakenError):
                    registry.put(policy, by="ada", hosts=further)
        moments = {start - MICROSECOND, datetime.now(UTC) + timedelta(days=9000)}
        for at, _, _ in naive.puts:
            moments |= {at - MICROSECOND, at, at + MICROSECOND}
        for moment in moments:
            answers = {host: registry.at(host, moment) for host in HOSTS}
            assert {host: p for host, p in answers.items() if p} == naive.state(moment)
        assert {host: p for host in HOSTS if (p := registry.get(host))} == naive.state()
        assert [_put_of(change) for change in registry.changes()] == naive.puts


def _put_of(change: Change) -> tuple[datetime, SitePolicy, frozenset[str]]:
    return change.at, change.policy, frozenset(change.hosts)
