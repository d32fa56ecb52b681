"""Policies from files: one robots.txt, or versions in JSON Lines."""

import json
import pickle
from datetime import datetime
from typing import Any

import pytest

from aipolicy.accesslog.policies import (
    ALWAYS,
    Policies,
    Timeline,
    Version,
    policies_from_jsonl,
    policies_from_robots,
)
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.errors import HostError, PolicyError
from aipolicy.robotstxt.merge import robots_txt

MONTH = [int(datetime.fromisoformat(f"2026-{m:02}-01T00:00:00Z").timestamp()) * 10**6 for m in range(1, 13)]


def read(*lines: dict[str, Any] | str) -> Policies:
    return policies_from_jsonl(line if isinstance(line, str) else json.dumps(line) for line in lines)


def version(month: int, hosts: list[str] | None = None, site: str = "a.example") -> dict[str, Any]:
    """Return a version whose robots.txt has the number of its month."""
    stated = {} if hosts is None else {"hosts": hosts}
    return {"site": site, "at": f"2026-{month:02}-01T00:00:00Z", "robots_txt": f"# {month}", **stated}


def known(policies: Policies, host: str | None) -> list[tuple[int, str | None, str | None]]:
    """Return month (0: always), name and site of each version."""
    timeline = policies.timeline(host)
    versions = timeline.versions if timeline else ()
    months = {ALWAYS: 0} | {at: month for month, at in enumerate(MONTH, 1)}
    return [(months[one.at], one.name, one.site) for one in versions]


def test_a_single_robots_txt_was_always_in_force_on_every_host() -> None:
    policies = policies_from_robots(b"User-agent: *\n")
    timeline = Timeline((Version(ALWAYS, "robots.txt", b"User-agent: *\n", None),))
    assert policies.timeline("a.example") == policies.timeline(None) == timeline
    assert policies.source == "robots.txt"


def test_a_robots_txt_with_hosts_is_for_these_only_and_the_first_names_the_site() -> None:
    policies = policies_from_robots(b"", ["WWW.a.example:80", "a.example"], source="a.txt")
    assert known(policies, "a.example") == known(policies, None) == [(0, "robots.txt", "www.a.example")]
    assert policies.timeline("b.example") is None
    assert policies.source == "a.txt"


def test_an_invalid_host_is_refused() -> None:
    with pytest.raises(HostError, match="not a host name"):
        policies_from_robots(b"", ["https://a.example/"])


def test_versions_may_be_in_any_order_and_one_without_a_time_was_always_in_force() -> None:
    policies = read(version(3), "", {"site": "a.example", "preset": "no-ai"}, version(2))
    names = [(0, "line 3", "a.example"), (2, "line 4", "a.example"), (3, "line 1", "a.example")]
    assert known(policies, "a.example") == names


def test_the_later_line_of_two_versions_of_one_time_is_used() -> None:
    policies = read(version(3), version(2), version(3))
    assert known(policies, "a.example") == [(2, "line 2", "a.example"), (3, "line 3", "a.example")]


def test_a_time_is_the_same_in_every_zone_and_to_the_microsecond() -> None:
    times = ["2026-03-01T01:30:00+01:30", "2026-02-28T19:00:00-05:00", "2026-03-01T00:00:00.000000Z"]
    for time in times:
        assert known(read({"site": "a.example", "at": time, "preset": "allow"}), "a.example")[0][0] == 3
    timeline = read({"site": "a.example", "at": "2026-03-01T00:00:00.000001Z", "preset": "allow"}).timeline(
        None
    )
    assert timeline is not None
    assert timeline.versions[0].at == MONTH[2] + 1


def test_a_preset_is_read_as_the_robots_txt_that_we_render() -> None:
    cases: list[tuple[dict[str, Any], SitePolicy]] = [
        ({"preset": "no-training", "licensed": ["GPTBot"]},
         SitePolicy.from_preset("no-training", licensed=("GPTBot",))),
        ({"opted_out": True}, SitePolicy.from_flag(True)),
        ({"opted_out": False, "visibility": "private"}, SitePolicy(visibility=Visibility.PRIVATE)),
        ({"preset": "no-ai", "robots_base": "User-agent: *\nDisallow: /x\nSitemap: https://a.example/s\n"},
         SitePolicy.from_preset("no-ai", robots_base="User-agent: *\nDisallow: /x\nSitemap: https://a.example/s\n")),
        ({"path_preferences": {"/x/": {"train-ai": "disallow"}}},
         SitePolicy.from_dict({"path_preferences": {"/x/": {"train-ai": "disallow"}}})),
        ({"path_preferences": {"/x/": {"train-ai": "disallow"}}, "preset": "unset"},
         SitePolicy.from_dict({"path_preferences": {"/x/": {"train-ai": "disallow"}}})),
    ]  # fmt: skip
    for given, policy in cases:
        timeline = read({"site": "a.example", **given}).timeline("a.example")
        assert timeline is not None
        assert timeline.versions[0].robots == robots_txt(policy, base=policy.robots_base)


def test_sitemaps_move_no_rule_to_another_line() -> None:
    plain, with_sitemaps = (
        robots_txt(SitePolicy.from_preset("no-training", sitemaps=sitemaps))
        for sitemaps in ((), ("https://a.example/1", "https://a.example/2"))
    )
    end = b"# END aipolicy\n"
    assert with_sitemaps.startswith(plain.removesuffix(end))


def test_a_robots_txt_is_read_byte_by_byte() -> None:
    timeline = read(r'{"host": "a.example", "robots_txt": "\ufeffA: \udcff\ud800\r\n"}').timeline(None)
    assert timeline is not None
    assert timeline.versions[0].robots == b"\xef\xbb\xbfA: ??\r\n"


def test_hosts_are_kept_until_a_version_lists_others() -> None:
    policies = read(
        version(1),
        version(2, ["www.a.example", "x.example"]),
        version(3),
        version(4, ["WWW.a.example"]),
        version(5),
    )
    every_month = [(month, f"line {month}", "a.example") for month in range(1, 6)]
    assert known(policies, "a.example") == every_month
    assert known(policies, "www.a.example") == every_month[1:]
    assert known(policies, "x.example") == [*every_month[1:3], (4, None, None)]
    assert policies.timeline("y.example") is None


def test_a_host_may_move_and_come_back() -> None:
    policies = read(
        version(1, ["x.example"]),
        version(3, []),
        version(2, site="b.example"),
        version(3, ["x.example"], site="b.example"),
        version(4, site="b.example"),
        version(5, [], site="b.example"),
        version(6, ["x.example"]),
    )
    assert known(policies, "x.example") == [
        (1, "line 1", "a.example"), (3, "line 4", "b.example"), (4, "line 5", "b.example"), (5, None, None),
        (6, "line 7", "a.example"),
    ]  # fmt: skip


def test_a_host_may_become_a_separate_site() -> None:
    policies = read(version(1, ["b.example"]), version(2, []), version(2, site="b.example"))
    assert known(policies, "b.example") == [(1, "line 1", "a.example"), (2, "line 3", "b.example")]


def test_a_replaced_line_claims_no_host() -> None:
    policies = read(version(2, ["x.example"]), version(2, []), version(2, ["x.example"], site="b.example"))
    assert known(policies, "x.example") == [(2, "line 3", "b.example")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([version(1, ["x.example"]), version(3, ["x.example"], site="b.example")],
         r"line 2: 'x.example' can't be a host of 'b.example', .* line 1 .* 'a.example' .*; remove it there"),
        ([version(3, ["x.example"]), version(1, ["x.example"], site="b.example")],
         r"line 2: 'x.example' .* 'b.example', .* line 1 .* 'a.example' .* first give 'b.example' a version"),
        ([version(1), version(2, ["a.example"], site="b.example")],
         "line 2: 'a.example' can't be a host of 'b.example', because .*; it is a site itself"),
        ([version(1, ["x.example"]), version(3, []), version(2, ["x.example"], site="b.example")],
         "line 3: "),
    ],
)  # fmt: skip
def test_a_host_of_two_sites_at_one_time_is_refused_with_the_fix(
    lines: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        read(*lines)


GOOD = version(1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "use an object"),
        ({"preset": "no-ai"}, "host is None"),
        ({"site": "a b", "preset": "no-ai"}, "'a b' is not a host name"),
        ({"site": "a.example"}, "declares nothing"),
        ({"site": "a.example", "opted_out": None}, "opted_out is None: use true or false"),
        ({"site": "a.example", "preset": None}, "preset None is unknown; choose one of"),
        ({"site": "a.example", "preset": "no-ia"}, "'no-ia' is unknown; choose one of"),
        ({"site": "a.example", "preset": "no-ai", "licensed": ["GTPBot"]}, "did you mean 'GPTBot'"),
        ({"site": "a.example", "preset": "no-ai", "since": "2026"}, "no field 'since'"),
        ({"site": "a.example", "preset": "no-ai", "hosts": "x.example"}, "give a list"),
        ({"site": "a.example", "preset": "no-ai", "robots_txt": ""}, "'preset': .* leave one of the two out"),
        ({"site": "a.example", "robots_txt": 7}, "robots_txt is 7; use the text"),
        ({"site": "a.example", "preset": "no-ai", "at": "yesterday"}, "'yesterday'.* not a valid time; use"),
        ({"site": "a.example", "preset": "no-ai", "at": 1790812800}, "1790812800, .* not a valid time; use"),
        ({"site": "a.example", "preset": "no-ai", "at": None}, "None, .* not a valid time; use"),
        ({"site": "a.example", "preset": "no-ai", "at": "2026-10-01T00:00:00"}, "no time zone; use"),
        ({"site": "a.example", "preset": "no-ai", "at": "2026-10-01"}, "no time zone; use"),
        ({"site": "a.example", "preset": "no-ai", "robots_base": "#" * 511_990 + "\nAllow: /"}, "shorten"),
    ],
)  # fmt: skip
def test_the_error_for_an_invalid_line_has_the_line_the_value_and_the_fix(
    line: dict[str, Any] | str, message: str
) -> None:
    with pytest.raises(PolicyError, match=f"line 3: .*{message}"):
        read(GOOD, "", line, GOOD)


@pytest.mark.parametrize("lines", [[], ["", "\n"]])
def test_a_file_without_a_policy_is_refused(lines: list[str]) -> None:
    with pytest.raises(PolicyError, match=r"mine\.jsonl has no policy; write one version per line"):
        policies_from_jsonl(lines, source="mine.jsonl")


def test_a_log_without_hosts_belongs_to_the_only_site() -> None:
    assert known(read(version(1, ["x.example"]), version(2)), None) == [
        (1, "line 1", "a.example"), (2, "line 2", "a.example"),
    ]  # fmt: skip
    assert read(version(1), version(2, site="b.example")).timeline(None) is None


def test_policies_can_be_sent_to_another_process() -> None:
    policies = read(version(1, ["x.example"]), version(2))
    assert pickle.loads(pickle.dumps(policies)) == policies


def test_a_timeline_needs_versions_in_order() -> None:
    later, earlier = Version(2, "b", b""), Version(1, "a", b"")
    for versions in ((), (later, earlier), (later, later)):
        with pytest.raises(ValueError, match="later than the one before"):
            Timeline(versions)
