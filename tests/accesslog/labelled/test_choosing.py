"""The options that select figures: ``--since``, ``--until``, ``--site``, ``--by`` and ``--top``."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.accesslog.labelled.command import check_logs
from tests.accesslog.labelled.oracle import Choice, counted, crawlers_lines
from tests.accesslog.labelled.results import counters, observed
from tests.accesslog.labelled.sites import BEGIN
from tests.accesslog.labelled.test_exact import ALL, assert_exact
from tests.accesslog.labelled.traffic import Request
from tests.accesslog.labelled.worlds import World


def quiet_time(world: World, day: float) -> datetime:
    """Return a time without a request."""
    taken = {line.request.time for file in world.files for line in file.lines if line.request}
    moment = BEGIN + timedelta(days=day)
    while moment in taken:
        moment += timedelta(seconds=1)
    return moment


def test_since_and_until_exclude_earlier_and_later_requests(world: World) -> None:
    since, until = quiet_time(world, 1.25), quiet_time(world, 4.5)
    texts = (f"{since:%Y-%m-%dT%H:%M:%SZ}", f"{until:%Y-%m-%dT%H:%M:%SZ}")
    arguments = (*world.names, *world.policies, *ALL)
    for options, choice in (
        (("--since", texts[0]), Choice(since=since)),
        (("--until", texts[1]), Choice(until=until)),
        (("--since", texts[0], "--until", texts[1]), Choice(since=since, until=until)),
        (("--since", "2031-01-01T00:00:00Z"), Choice(since=datetime.fromisoformat("2031-01-01T00:00:00Z"))),
    ):
        assert_exact(check_logs(world.folder, *arguments, *options), world, choice)


def test_site_includes_all_hosts_of_the_site(world: World) -> None:
    names = [site.name for site in world.sites if len(site.hosts) > 2][:2]
    options = [option for name in names for option in ("--site", name)]
    outcome = check_logs(world.folder, *world.names, *world.policies, *ALL, *options)
    assert_exact(outcome, world, Choice(sites=frozenset(names)))


def _site(request: Request) -> str:
    return request.site


def _day(request: Request) -> str:
    return f"{request.time:%Y-%m-%d}"


def _crawler(request: Request) -> str:
    return str(request.crawler)


@pytest.mark.parametrize(("by", "key"), [("site", _site), ("day", _day), ("crawler", _crawler)])
def test_rows_by_a_key_agree_with_the_labels(world: World, by: str, key: Callable[[Request], str]) -> None:
    document = check_logs(world.folder, *world.names, *world.policies, *ALL, "--by", by).document
    rows: dict[str, list[Request]] = {}
    for *_, request in crawlers_lines(world.files, Choice()):
        rows.setdefault(key(request), []).append(request)
    found = {row["key"]: counters(row) for row in document["by"]["rows"]}
    assert found == {name: counted(requests) for name, requests in rows.items()}
    assert (document["by"]["key"], document["by"]["left_out"]) == (by, 0)


@pytest.mark.parametrize("by", ["site", "path", "day", "crawler"])
def test_rows_by_any_key_add_up_to_the_total(world: World, by: str) -> None:
    document = check_logs(world.folder, *world.names, *world.policies, *ALL, "--by", by).document
    assert summed(document["by"]["rows"]) == counters(document["total"])
    wanted = world.expected()
    assert observed(document) == wanted
    top = check_logs(world.folder, *world.names, *world.policies, "--json", "--by", by, "--top", "3").document
    assert top["by"]["rows"] == document["by"]["rows"][:3]
    assert top["by"]["left_out"] == len(document["by"]["rows"]) - 3
    assert max(len(crawler["rules"]) for crawler in top["crawlers"]) <= 3
    assert top["total"] == document["total"]


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    total = dict.fromkeys(counters(rows[0]), 0)
    splits: dict[str, dict[str, int]] = {}
    for row in rows:
        for name, value in counters(row).items():
            if isinstance(value, dict):
                into = splits.setdefault(name, dict.fromkeys(value, 0))
                for identity, number in value.items():
                    into[identity] += number
            else:
                total[name] += value
    return total | splits
