"""Switches of the signals, with the cost of each to the owner."""

from dataclasses import dataclass, field


def _switch(default: bool, about: str) -> bool:
    switch: bool = field(default=default, metadata={"about": about})
    return switch


@dataclass(frozen=True, slots=True)
class Signals:
    """The switches. The metadata of each field has its effect and cost under ``about``."""

    content_usage: bool = _switch(
        True, "Content-Usage in headers and robots.txt (AIPREF draft). Costs nothing."
    )
    content_signal: bool = _switch(
        True, "Content-Signal in robots.txt. Some linters flag the line as unknown."
    )
    noai: bool = _switch(True, "X-Robots-Tag: noai, noimageai. Costs nothing: search engines don't read it.")
    tdm: bool = _switch(
        True, "TDMRep header and tdmrep.json. Reserves all text and data mining, not only AI."
    )
    noarchive: bool = _switch(
        False,
        "X-Robots-Tag: noarchive, a training opt-out for Bing and Amazon. Costs Copilot answers and links.",
    )
    nosnippet: bool = _switch(
        False,
        "X-Robots-Tag: nosnippet where AI use is off: no AI Overviews. Costs ordinary search snippets too.",
    )
    ai_txt: bool = _switch(False, "/ai.txt (Spawning). Costs nothing; its only known reader is dormant.")
    rsl: bool = _switch(False, "RSL: License line and Link to the site's license_url. Speaks as a licence.")
    tdm_policy: bool = _switch(False, "tdm-policy: the site's tdm_policy_url beside the reservation.")
