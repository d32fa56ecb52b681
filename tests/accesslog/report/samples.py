"""Summary documents as ``check logs --json`` prints them: made up, and consistent in themselves."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from aipolicy.core.crawlers import CRAWLERS, crawler_named

IDENTITIES = ("verified", "operator_verified", "spoofed", "unverifiable", "check_failed")
OWN = tuple(identity for identity in IDENTITIES if identity != "spoofed")
VERDICTS = (
    "allowed",
    "disallowed",
    "disallowed_spoofed",
    "in_grace",
    "exempt",
    "refused",
    "robots_txt_reads",
)
USUAL = ("GPTBot", "ClaudeBot", "Bytespider", "CCBot", "PerplexityBot", "ChatGPT-User", "Googlebot")

_CLOSED = ("refused", "disallowed", "disallowed_spoofed")

HOSTILE = (
    "/<script>alert(1)</script>",
    '/" onload="alert(1)',
    "/]]></style><script>alert(2)</script>",
    "</title></desc></svg><img src=x onerror=alert(3)>",
    "javascript:alert(4)",
    "/{{ 7 * 7 }}{% raw %}",
    "/\x1b[31mred\x1b[0m\x00\x9b31m\r\n\t",
    "/\u202egnp.exe\u2066\u200b",
    "/" + "e\u0301\u0301\u0301\u0301\u0301\u0301" * 3,
    "[bold red]/not markup[/]",
    "=HYPERLINK(1)",
    "/" + "a" * 3000,
    "/\udce4",
)


def sample(
    tokens: tuple[str, ...] = USUAL, *, days: int = 14, seed: int = 1, **changes: Any
) -> dict[str, Any]:
    """Return a document of some crawlers over ``days`` days from 1 November 2026, with ``changes``."""
    chance = random.Random(seed)
    crawlers, rows = [], []
    for place, token in enumerate(tokens):
        crawler, of_days = _crawler(token, place, days, chance)
        crawlers.append(crawler)
        rows += of_days
    crawlers.sort(key=lambda c: (-c["disallowed"], -c["fetches"], c["product_token"]))
    total = added(crawlers)
    document = {
        "schema": 2,
        "aipolicy": "0.1.0",
        "made": "2026-11-24T21:00:00Z",
        "lines": {
            "read": total["fetches"] + 1_991_583,
            "crawler": total["fetches"],
            "other": 1_991_566,
            "unreadable": 17,
            "unknown_crawlers": 12,
            "left_out": 0,
        },
        "period": {"from": "2026-11-01T00:00:04Z", "to": _time(days * 86_400 - 9)},
        "sites": 300,
        "files": [
            {"file": "access.log", "format": "vcombined", "lines": total["fetches"] + 991_583},
            {"file": "archive/access.log.1.gz", "format": "vcombined", "lines": 1_000_000},
        ],
        "method": {
            "policies": "policies.jsonl (412 versions of 300 sites)",
            "grace_hours": 24,
            "crawler_table": "2026-11-23",
            "ranges": {"lists": 31, "oldest": "2026-09-02", "newest": "2026-11-20"},
            "dns": False,
            "addresses_masked": False,
        },
        "without_policy": {"fetches": 0, "sites": 0},
        "total": total,
        "crawlers": crawlers,
        "unknown_crawlers": {
            "fetches": 12,
            "names": 2,
            "listed": [_unknown("BrandNewAIBot", 9), _unknown("OtherSpider", 3)],
        },
        "statuses": [
            {"status": status, "counts_as": counts_as} | dict(zip(_CLOSED, counts, strict=True))
            for status, counts_as, counts in (
                (200, "fetched", (0, total["disallowed"], total["disallowed_spoofed"])),
                (403, "refused", (total["refused"], 0, 0)),
            )
        ],
        "proxies": [
            {
                "operator": "Cloudflare",
                "fetches": 4,
                "header": "CF-Connecting-IP",
                "forwarded": None,
                "would_verify": 0,
            }
        ],
        "by": None,
        "days": rows,
        "unreadable": [
            {"file": "access.log", "line": 77_120, "text": '203.0.113.9 - - [broken "GPTBot/1.2"'}
        ],
        "notes": ["archive/access.log.1.gz ends in the middle of a line"],
    }
    return document | changes


def without_crawlers() -> dict[str, Any]:
    """Return the document of a log without crawlers."""
    document = sample((), period={"from": None, "to": None}, unreadable=[], notes=[], statuses=[], proxies=[])
    document["lines"]["unknown_crawlers"] = 0
    return document | {"unknown_crawlers": {"fetches": 0, "names": 0, "listed": []}}


def hostile(*urls: str) -> dict[str, Any]:
    """Return a document with hostile strings wherever a log or a file name can put them."""
    document = sample(("GPTBot", "ClaudeBot"))
    texts = [*HOSTILE, *urls, *(f'"><img src="{url}"><style>@import "{url}"</style>' for url in urls)]
    document["crawlers"][0]["examples"] = [
        {
            **_example("GPTBot", 60 * place, "spoofed"),
            **dict.fromkeys(("file", "site", "path", "rule", "policy", "address", "user_agent"), text),
        }
        for place, text in enumerate(texts)
    ]
    document["crawlers"][0]["spoofed_examples"] = document["crawlers"][0]["examples"]
    document["unknown_crawlers"]["listed"] = [_unknown(text, 1) | {"user_agent": text} for text in texts]
    document["crawlers"][0]["rules"] = [{"rule": text, "line": 4, "disallowed": 1} for text in texts]
    document["unreadable"] = [{"file": text, "line": 1, "text": text} for text in texts]
    document["files"] = [{"file": text, "format": text, "lines": 1} for text in texts]
    document["notes"] = texts
    document["method"]["policies"] = texts[0]
    return document | {"by": by("path", tuple(texts))}


def by(key: str, names: tuple[str | None, ...], left_out: int = 0) -> dict[str, Any]:
    """Return the part of the document that ``--by`` adds."""
    chance = random.Random(2)
    rows = []
    for place, name in enumerate(names):
        crawler, _ = _crawler("GPTBot", place % 3, 3, chance)
        kept = (
            "fetches",
            *VERDICTS,
            "identity",
            "disallowed_by_identity",
            "first_disallowed",
            "last_disallowed",
        )
        rows.append({"key": name, **{part: crawler[part] for part in kept}})
    return {"key": key, "left_out": left_out, "rows": rows}


def added(crawlers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of the counters of all crawlers."""
    total: dict[str, Any] = {name: sum(c[name] for c in crawlers) for name in ("fetches", *VERDICTS)}
    for part, keys in (("identity", IDENTITIES), ("disallowed_by_identity", OWN)):
        total[part] = {key: sum(c[part][key] for c in crawlers) for key in keys}
    return total


def many(number: int) -> tuple[str, ...]:
    return tuple(crawler.product_token for crawler in CRAWLERS[:number])


def _crawler(
    token: str, place: int, days: int, chance: random.Random
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a crawler: every third obeys; of the others every second has impostors."""
    entry = crawler_named(token)
    assert entry is not None
    obeys, spoofed, exempt = place % 3 == 2, place % 2 == 0, entry.purpose == "user-fetch"
    size = 2_400 // (place + 1) + 3
    counts: Counter[str] = Counter()
    rows = []
    for index in range(days):
        fetches = round(size * chance.uniform(0.2, 1.4)) if not index or chance.random() > place / 40 else 0
        disallowed = 0 if obeys or exempt or index < days // 4 else round(fetches * chance.uniform(0, 0.6))
        reads = min(fetches - disallowed, chance.choice((0, 1, 1, 4))) if token != "Bytespider" else 0
        rest = fetches - disallowed - reads
        impostors = disallowed // 4 if spoofed else 0
        disallowed -= impostors
        graced = 0 if obeys or exempt or index != days // 4 else rest // 3
        refused = 0 if obeys or exempt else rest // 9
        exempted = rest // 4 if exempt else 0
        counts.update(
            allowed=rest - graced - refused - exempted, disallowed=disallowed, in_grace=graced,
            disallowed_spoofed=impostors,
            exempt=exempted, refused=refused, robots_txt_reads=reads, fetches=fetches,
        )  # fmt: skip
        if fetches:
            day = date(2026, 11, 1) + timedelta(days=index)
            rows.append(
                {
                    "day": day.isoformat(),
                    "product_token": token,
                    "fetches": fetches,
                    "disallowed": disallowed,
                    "disallowed_spoofed": impostors,
                    "robots_txt_reads": reads,
                }
            )
    named = {name: counts[name] for name in ("fetches", *VERDICTS)}
    disallowed = counts["disallowed"]
    first = _time(days // 4 * 86_400 + 60 * place + 7_321) if disallowed else None
    reads = counts["robots_txt_reads"]
    crawler = {
        "product_token": token,
        "operator": entry.operator,
        "purpose": str(entry.purpose),
        **named,
        "identity": _split(counts["fetches"], spoofed),
        "disallowed_by_identity": {key: _split(disallowed, False)[key] for key in OWN},
        "first": "2026-11-01T00:00:04Z",
        "last": _time(days * 86_400 - 9 - place),
        "first_disallowed": first,
        "last_disallowed": _time(days * 86_400 - 5_000) if disallowed else None,
        "robots_txt": {
            "own_reads": reads,
            "first_read": "2026-11-01T03:10:00.250000Z" if reads else None,
            "last_read": _time(days * 86_400 - 7_000) if reads else None,
            "seconds_before_first_disallowed": 2_130 if reads and disallowed else None,
        },
        "rules": [
            {"rule": rule, "line": line, "disallowed": part}
            for rule, line, part in (
                ("Disallow: /", 4, disallowed - disallowed // 5),
                ("Disallow: /p*", 19, disallowed // 5),
            )
            if part
        ],
        "examples": [
            _example(token, 60 * index, chance.choice(("verified", "check_failed", "unverifiable")))
            for index in range(min(disallowed, 3))
        ],
        "spoofed_examples": [
            _example(token, 60 * index + 7, "spoofed")
            for index in range(min(counts["disallowed_spoofed"], 2))
        ],
    }  # fmt: skip
    return crawler, rows


def _split(number: int, spoofed: bool) -> dict[str, int]:
    parts = {"spoofed": number // 4 if spoofed else 0, "unverifiable": number // 10}
    found = dict.fromkeys(IDENTITIES, 0) | parts
    found["verified"] = number - sum(parts.values())
    return found


def _unknown(name: str, fetches: int) -> dict[str, Any]:
    return {
        "name": name,
        "fetches": fetches,
        "first": "2026-11-01T00:00:04Z",
        "last": "2026-11-02T00:00:04Z",
        "user_agent": f"Mozilla/5.0 (compatible; {name}/1.0; +https://new-ai.example/bot)",
    }


def _example(token: str, second: int, identity: str) -> dict[str, Any]:
    return {
        "file": "archive/access.log.1.gz",
        "line": 48_211 + second,
        "time": _time(4 * 86_400 + 7_321 + second),
        "site": "ada.blog.example",
        "path": f"/2026/10/a-walk-in-the-hills-{second}?utm_source=feed",
        "rule": "Disallow: /",
        "rule_line": 4,
        "policy": "change 12",
        "status": 200,
        "address": f"203.0.113.{7 + second % 200}",
        "user_agent": f"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {token}/1.2; +https://crawler.example/{token.lower()})",
        "identity": identity,
        "sha256": sha256(f"{token} {second}".encode()).hexdigest(),
    }  # fmt: skip


def _time(seconds: int) -> str:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return (start + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
