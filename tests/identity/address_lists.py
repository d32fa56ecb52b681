"""A small set of published addresses, with a crawler of every kind."""

import datetime as dt
import ipaddress

from aipolicy.identity import AddressList, Ranges

OWN = "https://openai.com/gptbot.json"
GOOGLE = "https://developers.google.com/static/crawling/ipranges"


def address_list(url: str, operator: str, tokens: list[str], *prefixes: str) -> AddressList:
    return AddressList(
        urls=(url,),
        operator=operator,
        tokens=tuple(tokens),
        date=dt.date(2026, 9, 20),
        source="a test",
        superseded=None,
        prefixes=tuple(map(ipaddress.ip_network, prefixes)),
    )


RANGES = Ranges(
    (
        address_list(OWN, "OpenAI", ["GPTBot"], "132.196.86.0/28", "2600:1f00::/64"),
        address_list("https://openai.com/chatgpt-user.json", "OpenAI", ["ChatGPT-User"], "23.98.142.0/28"),
        address_list("https://openai.com/searchbot.json", "OpenAI", ["OAI-SearchBot"], "20.42.10.0/28"),
        address_list(
            f"{GOOGLE}/common-crawlers.json", "Google", ["Googlebot", "GoogleOther"], "66.249.64.0/27"
        ),
        address_list(
            f"{GOOGLE}/user-triggered-fetchers.json", "Google", ["Google-Read-Aloud"], "66.249.80.0/27"
        ),
    )
)
GPTBOT, CHATGPT, UNLISTED = "132.196.86.5", "23.98.142.1", "8.8.8.8"
