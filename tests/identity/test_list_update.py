"""Updates of the operators' lists, from real HTTPS servers in each of their forms."""

import html
import json
import ssl
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.errors import RangesError
from aipolicy.identity import Identity, IdentityChecker, packaged_ranges
from aipolicy.identity.list_fetch import PAGES, FetchResult, Target, fetch_all
from aipolicy.identity.list_update import UpdateOutcome, UpdateState, default_targets, update
from aipolicy.identity.ranges_file import RangesFile
from aipolicy.web.fetcher import Fetcher
from tests.identity.list_server import ListServer, LoopbackFetcher
from tests.web.server import answer, serving

GPTBOT = Target("https://openai.com/gptbot.json", "OpenAI")
CHATGPT = Target("https://openai.com/chatgpt-user.json", "OpenAI")
GOOGLE = Target("https://developers.google.com/static/crawling/ipranges/common-crawlers.json", "Google")
AMAZON = Target("https://developer.amazon.com/amazonbot/ip-addresses/", "Amazon")
SEARCHBOT = Target("https://developer.amazon.com/amazonbot/searchbot-ip-addresses/", "Amazon")
BING = Target("https://www.bing.com/toolbox/bingbot.json", "Microsoft")
TODAY = date(2026, 11, 25)
DAY = timedelta(days=1)

Update = Callable[..., list[UpdateOutcome]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ranges.json"


@pytest.fixture
def refreshed(lists: ListServer, file: Path) -> Update:
    """Return a function that updates ``file`` from the servers on loopback."""

    def run(*targets: Target, today: date = TODAY, accept: bool = False) -> list[UpdateOutcome]:
        return update(file, targets=targets, today=today, accept=accept, fetcher=lists.fetcher)

    return run


def listing(*prefixes: str) -> str:
    """Return a list in the form of OpenAI, Google, Microsoft and most others."""
    entries = [{"ipv6Prefix" if ":" in prefix else "ipv4Prefix": prefix} for prefix in prefixes]
    return json.dumps({"creationTime": "2026-11-24T00:00:00.000000", "prefixes": entries})


def page(*addresses: str, key: str = "ip_prefix") -> str:
    """Return a list in Amazon's form."""
    document = json.dumps(
        {"creationTime": "x", "prefixes": [{key: address} for address in addresses]}, indent=2
    )
    code = html.escape(document)
    return f"<!doctype html><p>Code is <code>GPTBot</code></p><pre><code class='json'>{code}</code></pre>"


def openai(first: int, count: int = 16) -> list[str]:
    return [f"20.{n}.7.0/24" for n in range(first, first + count)]


def states(outcomes: list[UpdateOutcome]) -> list[UpdateState]:
    return [each.state for each in outcomes]


def test_each_operators_form_is_read(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    lists.put(
        GOOGLE.url, "\ufeff" + listing(*(f"66.{n}.7.0/27" for n in range(40)), "2001:4860:4801:10::/64")
    )
    lists.put(AMAZON.url, page(*(f"3.{n}.7.9" for n in range(300)[:250])))
    lists.put(SEARCHBOT.url, page("44.193.5.9/32", "44.193.5.11/32"))
    found = refreshed(GPTBOT, GOOGLE, AMAZON, SEARCHBOT, accept=True)
    assert states(found) == [UpdateState.CHANGED] * 3 + [UpdateState.NEW]
    checker = IdentityChecker(RangesFile.read(file).ranges)
    identities = [
        checker.identify(token, address, TODAY)
        for token, address in (
            ("GPTBot", "20.3.7.9"),
            ("Googlebot", "2001:4860:4801:10::5"),
            ("Amazonbot", "3.17.7.9"),
            ("Amzn-SearchBot", "44.193.5.11"),
            ("Amzn-SearchBot", "44.193.5.12"),
        )
    ]
    verified = [Identity.VERIFIED, Identity.OPERATOR_VERIFIED, Identity.VERIFIED, Identity.VERIFIED]
    assert identities == [*verified, Identity.UNVERIFIABLE]  # Amazon has host names, too


def test_a_reading_has_its_day_and_source(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    (found,) = refreshed(GPTBOT, accept=True)
    old = {str(net) for each in packaged_ranges().of_url(GPTBOT.url) for net in each.prefixes}
    assert (found.date, found.prefixes, found.came, found.gone) == (TODAY, 16, 16, len(old))
    (current,) = RangesFile.read(file).ranges.of_url(GPTBOT.url)
    assert (current.tokens, current.superseded) == (("GPTBot",), None)
    assert current.source.endswith("/openai.com/gptbot.json")


def test_an_unchanged_list_is_answered_with_304(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)), ETag='"v1"', Last_Modified="Tue, 24 Nov 2026 00:00:00 GMT")
    lists.put(CHATGPT.url, listing(*openai(50, 200)), Last_Modified="Tue, 24 Nov 2026 00:00:00 GMT")
    refreshed(GPTBOT, CHATGPT, accept=True)
    assert lists.unchanged == []
    found = refreshed(GPTBOT, CHATGPT, today=TODAY + DAY)
    assert len(lists.unchanged) == 2
    assert states(found) == [UpdateState.UNCHANGED, UpdateState.UNCHANGED]
    assert {each.date for each in found} == {TODAY + DAY}
    lists.put(GPTBOT.url, listing(*openai(2)), ETag='"v2"')
    assert states(refreshed(GPTBOT, today=TODAY + 2 * DAY)) == [UpdateState.CHANGED]
    first = RangesFile.read(file).ranges.of_url(GPTBOT.url)[0].first
    assert first == date(2026, 10, 4)  # the package's copy of three lists in one


def test_an_invalid_validator_is_not_stored(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(
        GPTBOT.url, listing(*openai(1)), ETag='"caf\xe9"', Last_Modified="Tue, 24 Nov 2026 00:00:00 GMT"
    )
    lists.put(BING.url, listing("157.55.39.0/24", "40.77.167.0/24"))
    refreshed(GPTBOT, BING, accept=True)
    (kept,) = (each for url, each in RangesFile.read(file).validators.items() if url == GPTBOT.url)
    assert (kept.etag, kept.last_modified) == (None, "Tue, 24 Nov 2026 00:00:00 GMT")
    assert states(refreshed(GPTBOT, BING, today=TODAY + DAY)) == [UpdateState.UNCHANGED] * 2


def test_the_same_list_without_validators_is_unchanged_too(lists: ListServer, refreshed: Update) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    assert states([*refreshed(GPTBOT, accept=True), *refreshed(GPTBOT)]) == [
        UpdateState.CHANGED,
        UpdateState.UNCHANGED,
    ]
    assert not any("if-none-match" in sent for _, sent in lists.asked)


def test_a_304_without_a_conditional_request_is_an_error(lists: ListServer, refreshed: Update) -> None:
    lists.put(GPTBOT.url, "", status=304)
    assert states(refreshed(GPTBOT)) == [UpdateState.FAILED]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html>moved</html>", "not JSON"),
        ("", "not JSON"),
        (listing(), "empty"),
        (listing("10.0.0.0/24"), "not public"),
        (listing("20.0.0.0/8"), "too wide"),
        (listing(*(f"{n}.0.0.0/12" for n in range(11, 60) if n not in (10, 14, 17))), "too many"),
        ('{"prefixes": [{"ipv4Prefix": "' + "x" * 100_000 + '"}]}', "not a prefix"),
        ('{"prefixes": [' + "9" * 10_000 + "]}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("<code >{" * 100_000, "not JSON"),
        ("<code " * 150_000, "not JSON"),
        ('{"prefixes": ["' + " " * (1 << 20) + '"]}', "longer than"),
    ],
)
def test_an_invalid_list_leaves_the_last_good_copy(
    lists: ListServer, refreshed: Update, file: Path, body: str, reason: str
) -> None:
    lists.put(BING.url, listing("157.55.39.0/24", "40.77.167.0/24"))
    refreshed(BING, accept=True)
    before = file.read_bytes()
    lists.put(BING.url, body)
    (failed,) = refreshed(BING, today=TODAY + DAY)
    assert (failed.state, failed.date, failed.prefixes) == (UpdateState.FAILED, TODAY, 2)
    assert failed.reason is not None
    assert "toolbox/bingbot.json" in failed.reason
    assert reason in failed.reason
    assert len(failed.reason) < 500
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("status", "where"), [(404, ""), (500, ""), (301, "http://127.0.0.1:9/x"), (302, "ftp://a/b")]
)
def test_a_server_that_has_no_list_leaves_the_last_good_one(
    lists: ListServer, refreshed: Update, status: int, where: str
) -> None:
    lists.put(BING.url, listing("157.55.39.0/24"), status=status, **({"Location": where} if where else {}))
    (failed,) = refreshed(BING)
    assert (failed.state, failed.date) == (UpdateState.FAILED, date(2026, 9, 2))


def test_redirects_are_followed_only_to_https(lists: ListServer, refreshed: Update) -> None:
    lists.put("https://www.bing.com/new.json", listing("157.55.39.0/24", "40.77.167.0/24"))
    lists.put(BING.url, "", status=301, Location="/www.bing.com/new.json")
    assert states(refreshed(BING, accept=True)) == [UpdateState.CHANGED]


async def test_a_list_served_over_http_is_refused(lists: ListServer, tmp_path: Path) -> None:
    results: list[FetchResult] = []
    async with serving() as plain:
        plain.answers["/list.json"] = answer(listing("157.55.39.0/24").encode())
        lists.put("https://x/moved", "", status=302, Location=f"{plain.origin}/list.json")
        targets = [Target(f"{plain.origin}/list.json", "A"), Target(f"{lists.origin}/x/moved", "A")]

        def inside() -> Fetcher:
            return Fetcher(allow_private=True, tls=lists.trusted)

        await fetch_all(targets, {}, inside, lambda target, result: results.append(result))
    assert [str(each).partition(" is ")[2][:9] for each in results] == ["not https"] * 2


def test_a_list_that_lost_most_of_its_prefixes_needs_accept(
    lists: ListServer, refreshed: Update, file: Path
) -> None:
    lists.put(GPTBOT.url, listing(*openai(1, 16)))
    refreshed(GPTBOT, accept=True)
    lists.put(GPTBOT.url, listing(*openai(1, 7)))
    (failed,) = refreshed(GPTBOT)
    assert (failed.state, failed.prefixes) == (UpdateState.FAILED, 16)
    assert "has 7 prefixes now, and 9 of the 16 before are missing" in str(failed.reason)
    (taken,) = refreshed(GPTBOT, accept=True)
    assert (taken.state, taken.prefixes, taken.gone) == (UpdateState.CHANGED, 7, 9)


def test_a_clock_that_is_behind_fails_the_update(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)), ETag='"v1"')
    refreshed(GPTBOT, accept=True)
    before = file.read_bytes()
    lists.put(GPTBOT.url, listing(*openai(2)), ETag='"v2"')
    (failed,) = refreshed(GPTBOT, today=TODAY - DAY)
    assert (failed.state, failed.date) == (UpdateState.FAILED, TODAY)
    assert (
        "was already read on 2026-11-25, which is in the future: check this machine's clock; if it "
        in str(failed.reason)
    )
    assert "use --accept" in str(failed.reason)
    assert file.read_bytes() == before
    (taken,) = refreshed(GPTBOT, today=TODAY + DAY)
    assert (taken.state, taken.came, taken.date) == (UpdateState.CHANGED, 1, TODAY + DAY)


def test_accept_replaces_a_reading_in_the_future(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    refreshed(GPTBOT, today=TODAY - DAY, accept=True)
    lists.put(GPTBOT.url, listing(*openai(2)))
    refreshed(GPTBOT, today=date(2099, 1, 1))
    lists.put(GPTBOT.url, listing(*openai(3)))
    assert states(refreshed(GPTBOT)) == [UpdateState.FAILED]
    assert states(refreshed(GPTBOT, accept=True)) == [UpdateState.CHANGED]
    parts = [each for each in RangesFile.read(file).ranges.lists if each.urls == (GPTBOT.url,)]
    days = {day for each in parts for day in (each.date, each.first, each.came, each.gone)}
    assert max(day for day in days if day is not None) == TODAY
    identities = IdentityChecker(RangesFile.read(file).ranges)
    assert identities.identify("GPTBot", "20.18.7.9", TODAY) is Identity.VERIFIED
    assert identities.identify("GPTBot", "20.2.7.9", TODAY + 15 * DAY) is Identity.UNVERIFIABLE
    assert states(refreshed(GPTBOT, today=TODAY + DAY)) == [UpdateState.UNCHANGED]


def test_a_list_with_joined_prefixes_lost_nothing(lists: ListServer, refreshed: Update) -> None:
    lists.put(GPTBOT.url, listing(*(f"20.7.{n}.0/24" for n in range(1, 16, 2))))
    refreshed(GPTBOT, accept=True)
    lists.put(GPTBOT.url, listing("20.7.0.0/20"))
    assert states(refreshed(GPTBOT)) == [UpdateState.CHANGED]


def test_a_list_with_entirely_new_prefixes_is_refused(lists: ListServer, refreshed: Update) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    (failed,) = refreshed(GPTBOT)  # against the package's copy, too
    assert failed.state is UpdateState.FAILED
    refreshed(GPTBOT, accept=True)
    for others in (["52.7.0.0/20"], [f"52.7.{n}.0/24" for n in range(0, 100, 2)]):
        lists.put(GPTBOT.url, listing(*others))
        (failed,) = refreshed(GPTBOT)
        assert (failed.state, failed.prefixes) == (UpdateState.FAILED, 16)
        assert f"has {len(others)} prefixes now, and 16 of the 16 before are missing" in str(failed.reason)
    lists.put(GPTBOT.url, listing(*openai(16)))  # one of them is left, and as many came
    assert states(refreshed(GPTBOT)) == [UpdateState.CHANGED]
    lists.put(GPTBOT.url, listing("52.7.0.0/20"))
    assert states(refreshed(GPTBOT, accept=True)) == [UpdateState.CHANGED]


def test_a_failed_list_does_not_stop_the_others(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    found = refreshed(GOOGLE, GPTBOT, BING, accept=True)
    assert states(found) == [UpdateState.FAILED, UpdateState.CHANGED, UpdateState.FAILED]
    ranges = RangesFile.read(file).ranges
    assert ranges.of_url(GOOGLE.url) == packaged_ranges().of_url(GOOGLE.url)
    assert ranges.read_on(GPTBOT.url) == TODAY


def test_nothing_is_written_if_all_lists_fail(refreshed: Update, file: Path) -> None:
    assert states(refreshed(GPTBOT)) == [UpdateState.FAILED]
    assert not file.exists()


def test_an_untrusted_certificate_is_an_error(lists: ListServer, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    strange = ssl.create_default_context()
    (failed,) = update(file, targets=[GPTBOT], fetcher=lambda: LoopbackFetcher(lists.origin, strange))
    assert failed.state is UpdateState.FAILED
    assert "certificate" in str(failed.reason).lower()


def test_a_log_of_last_month_is_checked_with_its_lists(
    lists: ListServer, refreshed: Update, file: Path
) -> None:
    lists.put(GPTBOT.url, listing(*openai(1, 16)))
    refreshed(GPTBOT, accept=True)
    lists.put(GPTBOT.url, listing(*openai(2, 16)))
    refreshed(GPTBOT, today=TODAY + 30 * DAY)
    identities = IdentityChecker(RangesFile.read(file).ranges)
    verified, unknown = Identity.VERIFIED, Identity.UNVERIFIABLE
    assert identities.identify("GPTBot", "20.1.7.9", TODAY + 29 * DAY) is verified
    assert identities.identify("GPTBot", "20.1.7.9", TODAY + 60 * DAY) is unknown
    assert identities.identify("GPTBot", "20.17.7.9", TODAY - 60 * DAY) is unknown


def test_lists_of_one_host_are_fetched_one_after_the_other(lists: ListServer, refreshed: Update) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    lists.put(CHATGPT.url, listing(*openai(50, 200)))
    lists.put(BING.url, listing("157.55.39.0/24", "40.77.167.0/24"))
    go_on = threading.Event()
    lists.held = {"openai.com/gptbot.json": go_on, "www.bing.com/toolbox/bingbot.json": go_on}
    under_way: list[str] = []

    def watch() -> None:
        for _ in lists.held:  # both hosts are asked at the same time
            assert lists.arrived.acquire(timeout=30)
        under_way.extend(name for name, _ in lists.asked)
        go_on.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert states(refreshed(GPTBOT, CHATGPT, BING, accept=True)) == [UpdateState.CHANGED] * 3
    watcher.join()
    assert sorted(under_way) == sorted(lists.held)


def test_all_lists_of_the_table_are_targets_except_pages(lists: ListServer, file: Path) -> None:
    targets = default_targets(packaged_ranges())
    urls = {target.url for target in targets}
    assert urls >= {url for crawler in CRAWLERS for url in crawler.ranges}
    assert urls >= {each.urls[0] for each in packaged_ranges().lists if len(each.urls) == 1}
    assert urls >= PAGES
    found = update(file, fetcher=lists.fetcher)
    assert [each.target for each in found] == list(targets)
    assert {each.target.url for each in found if each.state is UpdateState.BY_HAND} == PAGES
    assert len(lists.asked) == len(targets) - len(PAGES)


def test_a_damaged_file_is_an_error_and_not_overwritten(refreshed: Update, file: Path) -> None:
    file.write_text("my notes")
    with pytest.raises(RangesError, match=r"ranges\.json' is not a valid file of address lists"):
        refreshed(GPTBOT)
    assert file.read_text() == "my notes"


def test_a_symbolic_link_to_the_file_stays(lists: ListServer, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    link, target = tmp_path / "link.json", tmp_path / "inside" / "ranges.json"
    link.symlink_to(target)
    lists.put(GPTBOT.url, listing(*openai(1)))
    update(link, targets=[GPTBOT], fetcher=lists.fetcher, accept=True)
    assert link.is_symlink()
    assert RangesFile.read(target).ranges.of_url(GPTBOT.url)


def test_the_mode_of_the_file_stays(lists: ListServer, refreshed: Update, file: Path) -> None:
    lists.put(GPTBOT.url, listing(*openai(1)))
    refreshed(GPTBOT, accept=True)
    file.chmod(0o640)
    refreshed(GPTBOT)
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in file.parent.iterdir()) == ["ranges.json", "ranges.json.lock"]
