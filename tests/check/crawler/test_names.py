"""Which names a User-Agent offers, and how a crawler shows the one that it answers to."""

import pytest

from aipolicy.check.crawler.names import candidates


@pytest.mark.parametrize(
    ("user_agent", "names"),
    [
        ("Wget/1.21.3", ("Wget",)),
        ("Scrapy/2.19.0 (+https://scrapy.org)", ("Scrapy",)),
        (
            "Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)",
            ("HTTrack", "Windows", "Mozilla", "compatible"),
        ),
        ("W3C-checklink/5.0 libwww-perl/6.68", ("W3C-checklink", "libwww-perl")),
        ("Bot/1.0.0.dev0", ("Bot",)),
        ("", ()),
        ("1.0 (2; 3)", ()),
    ],
)
def test_names_are_what_may_stand_in_a_robots_txt(user_agent: str, names: tuple[str, ...]) -> None:
    assert candidates(user_agent) == names


def test_a_user_agent_of_a_thousand_names_offers_a_few() -> None:
    assert len(candidates(" ".join(f"Name{number}/1" for number in range(1000)))) == 8
