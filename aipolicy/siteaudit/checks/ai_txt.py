"""/ai.txt: whether it can be read."""

from collections.abc import Iterator

from aipolicy.report.text import shown
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import Reading


def check(reading: Reading) -> Iterator[Finding]:
    answer = reading.observation.ai_txt
    if answer.had and answer.trouble is not None and not answer.is_html:
        yield finding(
            "ai-txt-unreadable",
            "ai.txt",
            shown(answer.outcome),
            "its readers are told nothing",
            fix="answer it whole, in the coding that was asked for",
        )
