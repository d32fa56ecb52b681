"""``Registry.timeline``: the policies of a host over time."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.errors import HostTakenError
from aipolicy.registry import InForce, Registry
from tests.registry.conftest import Clock, NewURL
from tests.registry.test_history_model import HOSTS, MICROSECOND, puts

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
SILENT = SitePolicy.from_flag(False, site="blog.example")


def test_a_timeline_has_every_change_with_its_number_oldest_first(registry: Registry, clock: Clock) -> None:
    first = registry.put(OPTED_OUT, by="ada")
    clock.move(hours=1)
    registry.put(SitePolicy(site="other.example"), by="eve")
    second = registry.put(SILENT, by="ada")
    assert registry.timeline("Blog.Example:80") == [
        InForce(first.at, 1, OPTED_OUT),
        InForce(second.at, 3, SILENT),
    ]


def test_a_host_that_no_site_ever_had_has_an_empty_timeline(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada")
    assert registry.timeline("unknown.example") == []


def test_the_timeline_of_a_moved_host_has_the_policies_of_each_site(registry: Registry, clock: Clock) -> None:
    other = SitePolicy.from_preset("allow", site="other.example")
    registry.put(other, by="eve")
    added = registry.put(OPTED_OUT, by="ada", hosts=["shared.example"])
    clock.move(hours=1)
    removed = registry.put(OPTED_OUT, by="ada", hosts=[])
    clock.move(hours=1)
    registry.put(SILENT, by="ada")  # no longer its concern
    given_away = registry.put(other, by="eve", hosts=["shared.example"])
    assert registry.timeline("shared.example") == [
        InForce(added.at, added.seq, OPTED_OUT),
        InForce(removed.at, removed.seq, None),
        InForce(given_away.at, given_away.seq, other),
    ]


def test_the_last_of_several_changes_at_one_time_is_in_force(registry: Registry, clock: Clock) -> None:
    for policy in (OPTED_OUT, SILENT, OPTED_OUT):
        registry.put(policy, by="ada")
    assert registry.timeline("blog.example") == [InForce(clock.now, 3, OPTED_OUT)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(puts, min_size=1, max_size=3), min_size=1, max_size=8))
def test_a_timeline_agrees_with_at(
    new_url: NewURL, batches: list[list[tuple[str, str, set[str] | None, int]]]
) -> None:
    clock = Clock()
    with Registry(new_url(), clock=clock) as registry:
        for batch in batches:
            clock.move(microseconds=batch[0][3])
            made = [
                (SitePolicy.from_preset(preset_named(preset), site=site), further)
                for site, preset, further, _ in batch
            ]
            registry.put_many(made, by="ada", refused=_leave_out)
        moments = {change.at + step * MICROSECOND for change in registry.changes() for step in (-1, 0, 1)}
        for host in HOSTS:
            timeline = registry.timeline(host)
            assert [entry.at for entry in timeline] == sorted({entry.at for entry in timeline})
            for moment in moments | {clock.now + timedelta(days=9000)}:
                then = [entry.policy for entry in timeline if entry.at <= moment]
                assert (then[-1] if then else None) == registry.at(host, moment)


def _leave_out(_: SitePolicy, error: HostTakenError) -> None:
    assert "can't be" in str(error)
