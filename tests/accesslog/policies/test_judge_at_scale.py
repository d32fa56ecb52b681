"""The cost of judging long paths, many sites and a million decisions."""

import json

import polars as pl
import pytest

from aipolicy.accesslog.policies import Judge, policies_from_jsonl, policies_from_robots
from tests.accesslog.policies.frames import outcomes, text
from tests.effort import calls


def test_long_paths_are_judged_quickly() -> None:
    rules = [f"Disallow: /*{letter}*?{letter}=*/x$" for letter in "abcdefghijklmnopqrst"]
    closed = policies_from_robots(text(["User-agent: *", *rules]))
    rows = [("a.example", 0, "GPTBot", f"/{number}/" + "a?%41é" * 20_000) for number in range(20)]
    assert outcomes(closed, *rows) == ["allowed"] * 20


def test_all_versions_of_equal_text_are_one_file() -> None:
    history = policies_from_jsonl(
        json.dumps(
            {
                "site": f"{number}.example",
                "preset": "no-training",
                "sitemaps": [f"https://{number}.example/s"],
            }
        )
        for number in range(50)
    )
    files = {
        id(timeline.versions[0].robots)
        for number in range(50)
        if (timeline := history.timeline(f"{number}.example"))
    }
    assert len(files) == 1


@pytest.mark.slow
def test_a_decision_takes_a_few_calls_however_many_rules_there_are() -> None:
    rules = [
        "Disallow: /wp-admin/", "Allow: /wp-admin/admin-ajax.php", "Disallow: /*?s=", "Disallow: /*.pdf$",
        "Disallow: /search", "Disallow: /cart/", "Disallow: /*/feed/$", "Disallow: /tag/*/page/",
        "Allow: /author/me/", "Disallow: /author/", "Disallow: /private/", "Disallow: /tmp/",
        "Disallow: /cgi-bin/", "Disallow: /trackback/", "Disallow: /*?replytocom=", "Disallow: /xmlrpc.php",
        "Disallow: /archive/*/print", "Allow: /archive/", "Disallow: /readme.html",
    ]  # fmt: skip
    sites = policies_from_jsonl(
        json.dumps(
            {
                "site": f"{number}.example",
                "robots_txt": text(
                    ["User-agent: *", *rules, f"Disallow: /{number}/", "User-agent: GPTBot", *rules]
                ).decode(),
            }
        )
        for number in range(300)
    )
    tails = ["", "/", "?s=1", ".pdf", "/feed/", "?utm_source=x&page=2"]
    heads = ["2026/10", "author/me", "tag/beta", "archive/2025", "wp-content/uploads"]
    rows = 200_000
    number = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {
            "host": [f"{n % 300}.example" for n in number],
            "time": number,
            "crawler": [("GPTBot", "ClaudeBot")[n % 2] for n in number],
            "path": [f"/{heads[n % 5]}/a-post-{n}{tails[n % 6]}" for n in number],
        }
    )
    found, count = calls(lambda: Judge(sites).judge(frame))
    assert count / rows < 25
    assert 0.3 < found.select(pl.col("allowed").mean()).item() < 0.9
