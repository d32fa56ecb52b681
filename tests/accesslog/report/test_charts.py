"""The bar charts over time."""

from typing import Any

from aipolicy.accesslog.report.charts import MOST_CRAWLERS, Chart, charts, overview
from tests.accesslog.report.samples import many, sample, without_crawlers


def only(days: list[tuple[str, int, int]], token: str = "GPTBot", *, spoofed: int = 0) -> Chart:
    rows: list[dict[str, Any]] = [
        {
            "day": day,
            "product_token": token,
            "fetches": fetches,
            "disallowed": part,
            "disallowed_spoofed": spoofed,
            "robots_txt_reads": 0,
        }
        for day, fetches, part in days
    ]
    document = sample((token,), days=1) | {"days": rows, "period": {"from": None, "to": None}}
    (chart,) = charts(document, 320)
    return chart


def test_bars_are_as_high_as_their_counts() -> None:
    chart = only([("2026-11-01", 100, 25), ("2026-11-02", 50, 50)])
    height = chart.base - chart.top
    first, second = chart.bars
    assert (first.disallowed, first.fetches) == (height / 4, height * 3 / 4)
    assert (second.disallowed, second.fetches) == (height / 2, 0)


def test_fetches_by_impostors_are_a_separate_part() -> None:
    chart = only([("2026-11-01", 100, 25)], spoofed=50)
    height = chart.base - chart.top
    (bar,) = chart.bars
    assert (bar.disallowed, bar.spoofed, bar.fetches) == (height / 4, height / 2, height / 4)
    assert chart.summary == "100 fetches: 25 disallowed, 50 disallowed by impostors"
    assert "of which 25 disallowed and 50 disallowed by impostors" in bar.label


def test_a_single_disallowed_fetch_among_a_million_is_visible() -> None:
    (bar,) = only([("2026-11-01", 1_000_000, 1)]).bars
    assert bar.disallowed > 1


def test_bars_stay_within_the_chart_and_apart() -> None:
    for days in (1, 2, 14, 100, 101, 800):
        for chart in charts(sample(days=days), 320):
            edges = [edge for bar in chart.bars for edge in (bar.x, bar.x + bar.width)]
            assert edges == sorted(edges)
            assert chart.left <= edges[0]
            assert edges[-1] <= chart.width - chart.right
            assert all(
                bar.fetches + bar.disallowed + bar.spoofed <= chart.base - chart.top + 3 for bar in chart.bars
            )


def test_days_without_a_fetch_keep_their_place() -> None:
    chart = only([("2026-11-01", 1, 0), ("2026-11-04", 1, 0)])
    first, last = chart.bars
    assert last.x - first.x > 2.9 * first.width
    assert [label.text for label in chart.days] == ["1 Nov", "4 Nov"]


def test_a_long_period_has_longer_steps_and_the_same_sums() -> None:
    long = sample(("GPTBot",), days=400)
    (chart,) = charts(long, 320)
    assert chart.step == "week"
    assert len(chart.bars) <= 58
    total = long["total"]
    assert f"{total['fetches']:,} fetches: {total['disallowed']:,} disallowed" in chart.summary
    assert (
        sum(int(bar.label.split(": ")[1].split(" ")[0].replace(",", "")) for bar in chart.bars)
        == total["fetches"]
    )


def test_a_wrong_clock_does_not_make_a_chart_endless() -> None:
    chart = only([("1970-01-01", 1, 0), ("2999-01-01", 1, 1)])
    assert chart.step == "520 weeks"
    assert len(chart.bars) == 2


def test_years_are_in_the_labels_if_there_are_two() -> None:
    chart = only([("2026-12-31", 1, 0), ("2027-01-01", 1, 0)])
    assert [label.text for label in chart.days] == ["31 Dec 2026", "1 Jan 2027"]


def test_past_twelve_crawlers_the_others_are_drawn_together() -> None:
    document = sample(many(60), days=3)
    found = charts(document, 320)
    assert len(found) == MOST_CRAWLERS
    assert found[-1].name == "49 other crawlers together"
    others = document["crawlers"][MOST_CRAWLERS - 1 :]
    disallowed = sum(crawler["disallowed"] for crawler in others)
    assert f" fetches: {disallowed:,} disallowed" in found[-1].summary
    assert len(charts(sample(many(12), days=3), 320)) == 12


def test_without_a_fetch_there_is_no_chart() -> None:
    assert charts(without_crawlers(), 320) == []
    assert overview(without_crawlers(), 320) is None


def test_levels_are_round_and_short() -> None:
    levels = {
        peak: [label.text for label in only([("2026-11-01", peak, 0)]).levels]
        for peak in (1, 7, 6_300, 10**6)
    }
    assert levels == {
        1: ["0", "1"],
        7: ["0", "4", "8"],
        6_300: ["0", "4k", "8k"],
        10**6: ["0", "500k", "1M"],
    }
