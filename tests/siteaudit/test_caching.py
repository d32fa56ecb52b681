"""The time for which a response may be cached, and the proxies that it came through."""

import pytest

from aipolicy.siteaudit.caching import caching_of, duration
from tests.siteaudit.observations import answer

SENT = ("Date", "Wed, 25 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([("Cache-Control", "max-age=300")], 300),
        ([("Cache-Control", 'public, MAX-AGE="300"')], 300),
        ([("Cache-Control", "max-age=60"), ("Cache-Control", "s-maxage=600")], 600),
        ([("Cache-Control", "no-cache, max-age=60")], 0),
        ([("Cache-Control", "no-store")], 0),
        ([("Cache-Control", "max-age=x")], None),
        ([("Cache-Control", "max-age=99999999999999999999")], 2**31),
        ([SENT, ("Expires", "Wed, 25 Nov 2026 11:00:00 GMT")], 3600),
        ([SENT, ("Expires", "Wed, 25 Nov 2026 09:00:00 GMT")], 0),
        ([SENT, ("Expires", "0")], 0),
        ([SENT, ("Expires", "Wed, 25 Nov 2026 11:00:00 GMT"), ("Cache-Control", "max-age=1")], 1),
    ],
)
def test_rfc9111_5_the_lifetime_has_its_header(headers: list[tuple[str, str]], seconds: int | None) -> None:
    assert caching_of(answer(headers=headers)).seconds == seconds


def test_age_and_the_traces_of_proxies_are_reported() -> None:
    caching = caching_of(
        answer(headers=[("Age", "90000"), ("X-Cache", "HIT\x1b[31m"), ("Via", "1.1 edge"), ("ETag", '"1"')])
    )
    assert caching.age == 90_000
    assert caching.traces == ("age: 90000", "via: 1.1 edge", "x-cache: HIT\\x1b[31m")
    assert caching.revalidated
    assert caching_of(answer(headers=[("Age", "old")])).age == 0


@pytest.mark.parametrize(
    ("name", "value", "is_copy"),
    [
        ("Cache-Status", "Origin; hit; ttl=3", True),
        ("Cache-Status", '"my cache";fwd=miss;stored, edge; hit', True),
        ("Cache-Status", "edge; fwd=stale; fwd-status=304", False),
        ("Cache-Status", "edge; hit=?0", False),
        ("Cache-Status", 'edge; fwd=uri-miss; key="hit"', False),
        ("Cache-Status", "edge; fwd=miss; hit", False),
        ("Cache-Status", "hit", False),
        ("Cache-Status", "edge; hit, (", False),
        ("X-Cache", "MISS, HIT", True),
        ("X-Cache", "Hit from cloudfront", True),
        ("X-Cache", "TCP_MEM_HIT from a23", True),
        ("X-Cache", "TCP_HIT", True),
        ("X-Cache", "TCP_REFRESH_HIT from a23", False),
        ("X-Cache", "RefreshHit from cloudfront", False),
        ("X-Cache", "no-hit", False),
        ("X-Cache-Status", "STALE", True),
        ("X-Cache-Status", "EXPIRED", False),
        ("CF-Cache-Status", "REVALIDATED", False),
        ("CF-Cache-Status", "UPDATING", True),
    ],
)
def test_rfc9211_2_a_hit_without_revalidation_is_a_copy(name: str, value: str, is_copy: bool) -> None:
    assert caching_of(answer(headers=[(name, value)])).is_copy is is_copy


def test_durations_are_written_in_the_largest_exact_unit() -> None:
    told = [duration(seconds) for seconds in (0, 1, 59, 60, 90, 3600, 86_400, 604_800)]
    assert told == [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "90 seconds",
        "1 hour",
        "1 day",
        "7 days",
    ]
